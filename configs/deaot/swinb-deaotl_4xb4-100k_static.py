# SwinB-DeAOT-L, first stage: images made to move.
_base_ = [
    '../_base_/models/deaot_swin-b.py',
    '../_base_/datasets/static_clips.py',
    '../_base_/pipelines/vos_static.py',
    '../_base_/schedules/deaot_100k_static.py',
    '../_base_/default_runtime.py',
]
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=_base_.backbone_keys))
clip_pipeline = _base_.clip_pipeline
clip_pipeline[2]['crop_size'] = 464  # 16k
param_scheduler = _base_.param_scheduler
param_scheduler[1]['end'] = 5000 + 96603  # 1e-5 of 4e-4
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            datasets=[
                dict(part, pipeline=clip_pipeline)
                for part in _base_.clip_datasets
            ]
        ),
        pipeline=_base_.merge_pipeline,
    )
)
custom_hooks = _base_.custom_hooks + _base_.deaot_hooks
