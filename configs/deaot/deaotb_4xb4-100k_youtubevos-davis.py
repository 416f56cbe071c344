# DeAOT-B, second stage: YouTube-VOS and DAVIS.
_base_ = [
    '../_base_/models/deaot_mobilenet-v2.py',
    '../_base_/datasets/youtube_vos_davis.py',
    '../_base_/pipelines/vos_clips.py',
    '../_base_/schedules/deaot_100k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Weights of the first stage.
load_from = 'work_dirs/deaotb_4xb4-100k_static/iter_100000.pth'

# ===Unmodified in most cases===
model = dict(network=dict(arch='deaotb'))
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
