# A model of mmdet's own, trained on pseudo masks: any detector of mmdet that
# learns from tracked masks can stand here.
_base_ = [
    '../_base_/models/mask-track-rcnn_r18-small.py',
    '../_base_/datasets/shapesvis.py',
    '../_base_/pipelines/pseudo_small.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
max_iters = 1000
base_lr = 1e-3
# Masks made by a labelling run on the boxes of data_root.
pseudo_ann_file = 'work_dirs/flow_shqm/masks.json'

# ===Unmodified in most cases===
# ShapesVIS frames are 160x96; they stay as they are.
train_pipeline = _base_.train_pipeline
train_pipeline[1]['transforms'][2]['scale'] = (160, 96)
test_pipeline = _base_.test_pipeline
test_pipeline[0]['transforms'][1]['scale'] = (160, 96)
num_classes_from_data = True
train_dataloader = dict(
    num_workers=1,
    dataset=dict(
        ann_file='train/boxes.json',
        supervision='pseudo',
        pseudo_ann_file=pseudo_ann_file,
        drop_unmasked=True,  # mmdet's heads need a mask for every box
        filter_cfg=dict(filter_empty_gt=True),  # and a box in every frame
        pipeline=train_pipeline,
    ),
)
val_dataloader = dict(
    num_workers=1,
    sampler=dict(_delete_=True, type='TrackImgSampler'),
    dataset=dict(pipeline=test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    type='VISMetric', ann_file=_base_.data_root + _base_.val_ann_file
)
test_evaluator = val_evaluator

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
        T_max=max_iters - 50,
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
    checkpoint=dict(interval=500, max_keep_ckpts=1, save_last=True)
)
auto_scale_lr = dict(enable=False, base_batch_size=4)
