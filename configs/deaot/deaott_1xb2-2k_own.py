# A small DeAOT for videos of one's own with masks, on anything from a laptop
# upward.
_base_ = [
    '../_base_/models/deaot_mobilenet-v2.py',
    '../_base_/datasets/own_clips.py',
    '../_base_/pipelines/vos_clips_small.py',
    '../_base_/schedules/deaot_small.py',
    '../_base_/default_runtime.py',
]
# A short training has no use for what makes a long one robust. Identities
# are learned in the order of the objects: as many as clips have.
model = dict(
    shuffle_ids=False,
    loss_ce=dict(
        type='BootstrappedCrossEntropyLoss', top_share=0.5, loss_weight=0.5
    ),
    network=dict(
        drop_path=0.0,
        dropout=0.0,
        # Little data teach the features of ImageNet nothing.
        backbone=dict(frozen_stages=3),
    ),
)
train_dataloader = dict(
    dataset=dict(
        dataset=dict(pipeline=_base_.clip_pipeline),
        pipeline=_base_.merge_pipeline,
    )
)
custom_hooks = _base_.custom_hooks + _base_.deaot_hooks
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(interval=500, max_keep_ckpts=1),
)
