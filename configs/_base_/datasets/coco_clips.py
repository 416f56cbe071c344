# COCO 2017 as downloaded, each image a video of one frame: pre-training.
# The leaf config sets the pipeline and, in train_dataloader, supervision
# ('full' or 'box').
# ===Frequently modified parameters===
data_root = 'data/coco/'
train_ann_file = 'annotations/instances_train2017.json'
# Clips per GPU: 8 GPUs x 4 in IDOL.
batch_size = 4
num_workers = 2
backend_args = None

# ===Unmodified in most cases===
dataset_type = 'COCOClipDataset'
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    batch_sampler=dict(type='TrackAspectRatioBatchSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file=train_ann_file,
        data_prefix=dict(img_path='train2017/'),
        version='coco',
        filter_cfg=dict(filter_empty_gt=True),
        backend_args=backend_args,
    ),
)
# No val_dataloader: pre-training is judged by the videos that come after it,
# and a track metric says nothing about videos of one frame.
