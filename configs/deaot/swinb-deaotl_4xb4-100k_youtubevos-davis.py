# SwinB-DeAOT-L, second stage: YouTube-VOS and DAVIS.
_base_ = [
    '../_base_/models/deaot_swin-b.py',
    '../_base_/datasets/youtube_vos_davis.py',
    '../_base_/pipelines/vos_clips.py',
    '../_base_/schedules/deaot_100k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Weights of the first stage.
load_from = 'work_dirs/swinb-deaotl_4xb4-100k_static/iter_100000.pth'

# ===Unmodified in most cases===
optim_wrapper = dict(paramwise_cfg=dict(custom_keys=_base_.backbone_keys))
clip_pipeline = _base_.clip_pipeline
clip_pipeline[1]['crop_size'] = 464  # 16k
param_scheduler = _base_.param_scheduler
param_scheduler[1]['end'] = 5000 + 98532  # 1e-5 of 2e-4
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
