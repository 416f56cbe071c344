# The whole way without any weights from outside, in the order of PM-VIS:
# GrabCut (for HQ-SAM), a model trained on its masks (for IDOL-BoxInst),
# optical flow from keyframes (for DeAOT), selection, filters, final training.
# Run with tools/labeling/run_pipeline.py. In a stage, `@NAME` is the output of
# an earlier stage, `@NAME:FILE` a file beside it, `$NAME` a variable of this
# file, as --cfg-options may have changed it.
# ===Frequently modified parameters===
train_config = 'mask2former_video/mask2former-video_r18_1xb4-1k_own-pseudo.py'
clip_length = 8  # frames that the model sees at once; 1 for MaskTrack R-CNN
teacher_iters = 600
student_iters = 1000
keyframe_interval = 4  # sparse videos; 10 for YouTube-VIS, 100 for OVIS
ria_threshold = 0.6
selector = 'QualitySelector'  # or 'SHQM', as PM-VIS

# ===Unmodified in most cases===
default_scope = 'pmvis_mm'
# One vote for flow: with one per keyframe weak tracks outvote the others
# (ShapesVIS: mean IoU 0.85 instead of 0.88).
_selection = dict(
    candidates=['prompted', 'predicted'], own='flow', tracks='fused'
)
choices = dict(
    selector=dict(
        SHQM=dict(select_hooks=[dict(type='SHQMHook', **_selection)]),
        QualitySelector=dict(
            select_hooks=[
                dict(
                    type='SelectHook',
                    selector=dict(type='QualitySelector'),
                    **_selection,
                )
            ]
        ),
    )
)
stages = [
    dict(
        name='grabcut',
        type='label',
        config='labeling/grabcut_doob.py',
    ),
    dict(
        name='teacher',
        type='train',
        config='$train_config',
        pseudo='@grabcut',
        options={
            'train_cfg.max_iters': '$teacher_iters',
            'param_scheduler.1.end': '$teacher_iters',
            'param_scheduler.1.T_max': '$teacher_iters',
        },
    ),
    dict(
        name='vis-model',
        type='label',
        config='labeling/vis-model_scm-doob.py',
        priors=dict(prompted='@grabcut'),
        options={
            'model.config': '$train_config',
            'model.checkpoint': '@teacher',
            'model.clip_length': '$clip_length',
        },
    ),
    dict(
        name='final',
        type='label',
        config='labeling/flow_shqm.py',
        priors=dict(prompted='@grabcut', predicted='@vis-model'),
        options={
            'model.keyframe_interval': '$keyframe_interval',
            'model.keyframe_mode': 'per_segment',
            'custom_hooks': '$select_hooks',
        },
    ),
    dict(
        name='filtered', type='filter', pseudo='@final', ria='$ria_threshold'
    ),
    dict(
        name='student',
        type='train',
        config='$train_config',
        pseudo='@final',
        options={
            'train_cfg.max_iters': '$student_iters',
            'param_scheduler.1.end': '$student_iters',
            'param_scheduler.1.T_max': '$student_iters',
        },
    ),
    dict(
        name='evaluation',
        type='test',
        config='$train_config',
        checkpoint='@student',
    ),
    dict(name='overlay_masks', type='overlay', masks='@final'),
    dict(name='overlay_predictions', type='overlay', metrics='@evaluation'),
    dict(
        name='report',
        type='report',
        final='@final',
        # The names under which one was chosen.
        sources={
            'prompted, raw': '@grabcut:stages/raw.json',
            'prompted': '@grabcut',
            'predicted, raw': '@vis-model:stages/raw.json',
            'predicted': '@vis-model',
            'flow': '@final:stages/raw.json',
        },
        metrics='@evaluation',
        filtered='@filtered',
    ),
]
