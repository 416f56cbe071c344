# Everything a labelling run shares. Run with tools/test.py CONFIG.
# ===Frequently modified parameters===
# Boxes to label (YouTube-VIS style json) and the folder of the frames.
ann_file = 'data/shapesvis/train/boxes.json'
img_prefix = 'data/shapesvis/train/JPEGImages/'
# A file with real masks of the same videos, only to report the quality.
truth_file = None

# ===Unmodified in most cases===
default_scope = 'pmvis_mm'
test_dataloader = dict(
    batch_size=1,
    num_workers=0,
    persistent_workers=False,
    sampler=dict(type='DefaultSampler', shuffle=False, round_up=False),
    dataset=dict(
        type='LabelVideoDataset',
        ann_file=ann_file,
        img_prefix=img_prefix,
        clip_boxes=False,
        priors=dict(),
    ),
)
test_evaluator = dict(type='MaskQualityMetric', ann_file=truth_file)
test_cfg = dict(type='LabelLoop')
# mmengine looks wrappers up outside the scope: the full path is needed.
model_wrapper_cfg = dict(type='pmvis_mm.engine.NoGradModelWrapper')
default_hooks = dict(logger=dict(type='LoggerHook', interval=1))
# At the end processes wait for the one with the last video: a day, not the
# ten minutes of NCCL.
env_cfg = dict(dist_cfg=dict(backend='nccl', timeout=86400))
log_level = 'INFO'
load_from = None
resume = False
