# Clips of a small set of one's own: any YouTube-VIS style json with masks.
# The leaf config sets the pipelines.
# ===Frequently modified parameters===
data_root = 'data/own/'
ann_file = 'train/instances.json'
img_prefix = 'train/JPEGImages/'
clip_length = 4
max_gap = 3  # frames between two of a clip, at most
max_objects = 10  # of more, a random choice is to be tracked
batch_size = 2
num_workers = 0

# ===Unmodified in most cases===
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=num_workers > 0,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='MultiImageMixDataset',
        dataset=dict(
            type='VOSClipDataset',
            clip_length=clip_length,
            max_gap=max_gap,
            max_objects=max_objects,
            source=dict(
                type='InstanceSource',
                dataset=dict(
                    type='VISDataset',
                    data_root=data_root,
                    ann_file=ann_file,
                    data_prefix=dict(img_path=img_prefix),
                ),
            ),
        ),
    ),
)
