# COCO 2017 and YouTube-VIS 2019 as downloaded, each batch from one of them:
# pseudo clips of images with masks, and videos with boxes.
# The leaf config sets two pipelines: those of
# train_dataloader.dataset.datasets, images first.
_base_ = './youtube_vis_2019.py'
# ===Frequently modified parameters===
coco_data_root = 'data/coco/'
coco_ann_file = 'annotations/instances_train2017.json'
# How often batches come from either, images first.
ratios = [1.0, 0.75]
# Clips per GPU: 8 GPUs x 2 in MaskFreeVIS, 8 x 1 with Swin-L.
batch_size = 2
num_workers = 4

# ===Unmodified in most cases===
train_dataloader = dict(
    _delete_=True,
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    batch_sampler=dict(type='JointBatchSampler', ratios=ratios),
    dataset=dict(
        type='ConcatDataset',
        # The ids of classes are those of the files; labels are the same.
        ignore_keys=['category_ids'],
        datasets=[
            dict(
                type='COCOClipDataset',
                data_root=coco_data_root,
                ann_file=coco_ann_file,
                data_prefix=dict(img_path='train2017/'),
                supervision='full',
                version='coco',
                category_map='youtube_vis_2019',
                filter_cfg=dict(filter_empty_gt=True),
                backend_args=_base_.backend_args,
            ),
            dict(
                type='VISDataset',
                data_root=_base_.data_root,
                ann_file=_base_.train_ann_file,
                data_prefix=dict(img_path='train/JPEGImages/'),
                supervision='box',
                version='youtube_vis_2019',
                backend_args=_base_.backend_args,
            ),
        ],
    ),
)
# Whole videos, one at a time.
val_dataloader = dict(
    batch_size=1,
    num_workers=num_workers,
    sampler=dict(
        _delete_=True, type='DefaultSampler', shuffle=False, round_up=False
    ),
)
test_dataloader = val_dataloader
