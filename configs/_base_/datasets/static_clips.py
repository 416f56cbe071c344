# Pseudo-clips of the images with masks that AOT and DeAOT start from.
# The leaf config sets the pipelines.
# ===Frequently modified parameters===
data_root = 'data/'
clip_length = 5
# Clips per GPU: 4 GPUs x 4 in DeAOT.
batch_size = 4
num_workers = 4

# ===Unmodified in most cases===
# Take out what you do not have; COCO is by far the largest.
clip_datasets = [
    dict(
        type='VOSClipDataset',
        clip_length=clip_length,
        source=dict(
            type='InstanceSource',
            dataset=dict(
                type='COCOClipDataset',
                data_root=data_root + 'coco/',
                ann_file='annotations/instances_train2017.json',
                data_prefix=dict(img_path='train2017/'),
            ),
        ),
    ),
    dict(
        type='VOSClipDataset',
        clip_length=clip_length,
        source=dict(
            type='ImageFolderSource',
            img_dir=data_root + 'msra10k/images',
            mask_dir=data_root + 'msra10k/masks',
        ),
    ),
    dict(
        type='VOSClipDataset',
        clip_length=clip_length,
        source=dict(
            type='ImageFolderSource',
            img_dir=data_root + 'ecssd/images',
            mask_dir=data_root + 'ecssd/masks',
        ),
    ),
    dict(
        type='VOSClipDataset',
        clip_length=clip_length,
        source=dict(
            type='ImageFolderSource',
            img_dir=data_root + 'pascal_s/images',
            mask_dir=data_root + 'pascal_s/masks',
        ),
    ),
    dict(
        type='VOSClipDataset',
        clip_length=clip_length,
        source=dict(
            type='ImageFolderSource',
            img_dir=data_root + 'VOCdevkit/VOC2012/JPEGImages',
            mask_dir=data_root + 'VOCdevkit/VOC2012/SegmentationObject',
            mask_format='labels',
        ),
    ),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='MultiImageMixDataset',
        dataset=dict(type='ConcatDataset'),
    ),
)
