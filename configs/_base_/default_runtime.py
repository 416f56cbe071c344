# ===Frequently modified parameters===
load_from = None
resume = False
checkpoint_interval = 1000  # iterations

# ===Unmodified in most cases===
default_scope = 'pmvis_mm'
default_hooks = dict(
    timer=dict(type='IterTimerHook'),
    logger=dict(type='LoggerHook', interval=50),
    param_scheduler=dict(type='ParamSchedulerHook'),
    checkpoint=dict(
        type='CheckpointHook',
        by_epoch=False,
        interval=checkpoint_interval,
        max_keep_ckpts=3,
    ),
    sampler_seed=dict(type='DistSamplerSeedHook'),
    visualization=dict(type='VISVisualizationHook', draw=False),
)
custom_hooks = [
    dict(type='CheckSupervisionHook'),
    dict(type='LossWarmupHook'),
    dict(type='NonFiniteLossHook'),
    dict(type='RandomStateHook'),
    dict(type='SplitOverlapHook'),
]
env_cfg = dict(
    cudnn_benchmark=False,
    mp_cfg=dict(mp_start_method='fork', opencv_num_threads=0),
    dist_cfg=dict(backend='nccl'),
)
vis_backends = [dict(type='LocalVisBackend')]
visualizer = dict(
    type='VISLocalVisualizer', vis_backends=vis_backends, name='visualizer'
)
log_processor = dict(type='LogProcessor', window_size=50, by_epoch=False)
log_level = 'INFO'
