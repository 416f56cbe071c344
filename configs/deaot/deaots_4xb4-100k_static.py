# DeAOT-S, first stage: images made to move.
_base_ = [
    '../_base_/models/deaot_mobilenet-v2.py',
    '../_base_/datasets/static_clips.py',
    '../_base_/pipelines/vos_static.py',
    '../_base_/schedules/deaot_100k_static.py',
    '../_base_/default_runtime.py',
]
model = dict(network=dict(arch='deaots'))
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            datasets=[
                dict(part, pipeline=_base_.clip_pipeline)
                for part in _base_.clip_datasets
            ]
        ),
        pipeline=_base_.merge_pipeline,
    )
)
custom_hooks = _base_.custom_hooks + _base_.deaot_hooks
