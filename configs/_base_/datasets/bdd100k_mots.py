# BDD100K MOTS 2020 as downloaded, its masks made one json per split:
# docs/dataset_prepare.md has the commands.
# The leaf config sets the pipelines and, in train_dataloader, supervision
# ('full', 'box' or 'pseudo' with pseudo_ann_file).
# ===Frequently modified parameters===
data_root = 'data/bdd100k/'
train_ann_file = 'annotations/mots_train.json'
val_ann_file = 'annotations/mots_val.json'
# Clips per GPU.
batch_size = 2
num_workers = 2
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
        data_prefix=dict(img_path='images/seg_track_20/train/'),
        version='bdd100k_mots',
        backend_args=backend_args,
    ),
)
val_dataloader = dict(
    # Frame by frame, ten at a time: no whole video in memory. Models that
    # look at whole videos take batch_size=1 and a DefaultSampler.
    batch_size=10,
    num_workers=num_workers,
    persistent_workers=True,
    drop_last=False,
    sampler=dict(type='TrackImgSampler'),
    dataset=dict(
        type=dataset_type,
        data_root=data_root,
        ann_file=val_ann_file,
        data_prefix=dict(img_path='images/seg_track_20/val/'),
        version='bdd100k_mots',
        test_mode=True,
        backend_args=backend_args,
    ),
)
test_dataloader = val_dataloader
# The masks of this split are public.
val_evaluator = dict(type='VISMetric', ann_file=data_root + val_ann_file)
test_evaluator = val_evaluator
