# A model of mmdet's own, trained on pseudo masks: any detector of mmdet that
# learns from tracked masks can stand here. For small sets of one's own, on
# anything from a laptop upward.
_base_ = [
    '../_base_/models/mask2former-video_r18-small.py',
    '../_base_/datasets/own.py',
    '../_base_/pipelines/pseudo_small.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
max_iters = 1000
base_lr = 1e-3
# Masks made by a labelling run on the boxes of data_root.
pseudo_ann_file = 'work_dirs/flow_shqm/masks.json'

# ===Unmodified in most cases===
num_classes_from_data = True
train_dataloader = dict(
    dataset=dict(
        supervision='pseudo',
        pseudo_ann_file=pseudo_ann_file,
        drop_unmasked=True,  # mmdet's heads need a mask for every box
        filter_cfg=dict(filter_empty_gt=True),  # and a box in every frame
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=base_lr, weight_decay=0.05),
    clip_grad=dict(max_norm=10, norm_type=2),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.01, by_epoch=False, end=50),
    dict(
        type='CosineAnnealingLR',
        begin=50,
        end=max_iters,
        T_max=max_iters,
        by_epoch=False,
        eta_min_ratio=0.01,
    ),
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters + 1
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(interval=200, max_keep_ckpts=1, save_last=True),
)
auto_scale_lr = dict(enable=False, base_batch_size=4)
