# PM-VIS, small, on a backbone trained on ImageNet: boxes and pseudo masks of a
# set of one's own, for real video on a laptop.
_base_ = [
    '../_base_/models/idol_r18-small.py',
    '../_base_/methods/pm-vis.py',
    '../_base_/datasets/own.py',
    '../_base_/pipelines/pseudo_small.py',
    '../_base_/schedules/idol_small.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Written by tools/model_converters/torchvision_mobilenetv2.py.
backbone_checkpoint = 'checkpoints/mobilenet_v2_mm.pth'
# Iterations until the pairwise loss counts in full.
warmup_iters = 500
# Masks made by a labelling run on the boxes of data_root.
pseudo_ann_file = 'work_dirs/flow_shqm/masks.json'

# ===Unmodified in most cases===
num_classes_from_data = True
mask_losses = _base_.mask_losses
mask_losses['pairwise']['warmup_iters'] = warmup_iters
model = dict(
    data_preprocessor=dict(similarity=_base_.similarity),
    detector=dict(
        backbone=dict(
            _delete_=True,
            type='MobileNetV2',
            out_indices=(2, 4, 6),  # strides 8, 16, 32
            frozen_stages=2,  # up to stride 4
            norm_cfg=dict(type='BN', requires_grad=False),
            norm_eval=True,
            init_cfg=dict(type='Pretrained', checkpoint=backbone_checkpoint),
        ),
        neck=dict(in_channels=[32, 96, 320]),
    ),
    mask_head=dict(mask_losses=mask_losses),
)
optim_wrapper = dict(
    paramwise_cfg=dict(
        custom_keys={'backbone': dict(lr_mult=0.1)},
    ),
)
train_dataloader = dict(
    dataset=dict(
        supervision='pseudo',
        pseudo_ann_file=pseudo_ann_file,
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    # Frame by frame, ten at a time: no whole video in memory.
    batch_size=10,
    sampler=dict(_delete_=True, type='TrackImgSampler'),
    dataset=dict(pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(interval=500, max_keep_ckpts=1, save_last=True),
)
