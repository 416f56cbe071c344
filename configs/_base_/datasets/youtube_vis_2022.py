# YouTube-VIS 2022 as downloaded: the training set of 2021, and 71 long videos
# beside the validation videos of 2021, which the server judges apart.
# The leaf config sets the pipelines and, in train_dataloader, supervision
# ('full', 'box' or 'pseudo' with pseudo_ann_file).
# ===Frequently modified parameters===
data_root = 'data/youtube_vis_2022/'
train_ann_file = 'train/instances.json'
val_ann_file = 'valid/instances.json'
# Clips per GPU: 8 GPUs x 4 in IDOL.
batch_size = 4
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
        data_prefix=dict(img_path='train/JPEGImages/'),
        version='youtube_vis_2022',
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
        data_prefix=dict(img_path='valid/JPEGImages/'),
        version='youtube_vis_2022',
        test_mode=True,
        backend_args=backend_args,
    ),
)
test_dataloader = val_dataloader
# The masks of this split are not public: results for the server. The leaf
# config says where (outfile_prefix).
val_evaluator = dict(
    type='VISMetric', ann_file=data_root + val_ann_file, format_only=True
)
test_evaluator = val_evaluator
