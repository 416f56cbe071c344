# A small set of one's own: any YouTube-VIS style json with its frames.
# The leaf config sets the pipelines and, in train_dataloader, supervision
# ('full', 'box' or 'pseudo' with pseudo_ann_file).
# ===Frequently modified parameters===
data_root = 'data/own/'
train_ann_file = 'train/boxes.json'
# Real masks to evaluate with.
val_ann_file = 'val/instances.json'
# Clips per GPU: fits a laptop.
batch_size = 4
num_workers = 1
backend_args = None

# ===Unmodified in most cases===
dataset_type = 'VISDataset'
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
        data_prefix=dict(img_path='train/JPEGImages/'),
        version=None,
        backend_args=backend_args,
    ),
)
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file=val_ann_file,
        data_prefix=dict(img_path='val/JPEGImages/'),
        version=None,
        test_mode=True,
        backend_args=backend_args,
    ),
)
test_dataloader = val_dataloader
val_evaluator = dict(type='VISMetric', ann_file=data_root + val_ann_file)
test_evaluator = val_evaluator
