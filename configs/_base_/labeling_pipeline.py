# The whole recipe of PM-VIS: masks of HQ-SAM in the boxes, an IDOL-BoxInst
# trained on the boxes and its masks assigned by SCM, both cleaned by DOOB,
# masks tracked by DeAOT from the keyframes with the best SCM, SHQM over all of
# them, Missing-Data and RIA, training of PM-VIS, test, overlays and a report.
# Run with tools/labeling/run_pipeline.py. In a stage, `@NAME` is the output of
# an earlier stage, `@NAME:FILE` a file beside it, `$NAME` a variable, as
# --cfg-options may have changed it.
# ===Frequently modified parameters===
# A row of the paper's Table V: hqsam, hqsam-doob, ibm-scm, ibm-scm-doob, track
# and track-shqm (one keyframe), track-multi, track-multi-shqm (everything).
recipe = 'track-multi-shqm'
# 'box': pseudo masks; 'pixel': real masks of truth_file, filtered by them.
supervision = 'box'
# vit_h, vit_l, vit_b or vit_tiny, from https://huggingface.co/lkeab/hq-sam.
hqsam_arch = 'vit_h'
hqsam_checkpoint = 'checkpoints/sam_hq_vit_h.pth'
hqsam_dtype = 'float32'  # of the encoder; 'bfloat16' is faster on a GPU
# A trained IDOL-BoxInst of boxinst_config; None trains one.
boxinst_checkpoint = None
# deaott, deaots, deaotb, deaotl, r50_deaotl or swinb_deaotl, from
# https://github.com/yoxu515/aot-benchmark. The public weights have seen
# videos of YouTube-VIS with masks.
deaot_arch = 'r50_deaotl'
deaot_checkpoint = 'checkpoints/R50_DeAOTL_PRE_YTB_DAV.pth'
keyframe_interval = 10  # 10 for YouTube-VIS, 100 for OVIS; None: one keyframe
selector = 'SHQM'  # or 'QualitySelector'
ria_threshold = 0.6  # None: Missing-Data alone
# Options of both trainings: {'train_cfg.max_iters': 6000}, say.
boxinst_options = dict()
final_options = dict()
# Whether boxinst_checkpoint must know exactly the classes of the boxes.
check_classes = True

# ===Unmodified in most cases===
default_scope = 'pmvis_mm'
boxinst_masks_config = 'labeling/idol-boxinst_scm-doob.py'
candidates = ['prompted', 'predicted']
choices = dict(
    recipe={
        'hqsam': dict(final_masks='@hq-sam:stages/raw.json'),
        'hqsam-doob': dict(final_masks='@hq-sam'),
        'ibm-scm': dict(final_masks='@idol-boxinst-masks:stages/raw.json'),
        'ibm-scm-doob': dict(final_masks='@idol-boxinst-masks'),
        'track': dict(final_masks='@track-single:stages/raw.json'),
        'track-shqm': dict(final_masks='@track-single'),
        'track-multi': dict(final_masks='@track-multi:stages/raw.json'),
        'track-multi-shqm': dict(final_masks='@track-multi'),
    },
    supervision=dict(
        box=dict(final_config='$pseudo_config', final_model='@pm-vis'),
        pixel=dict(final_config='$pixel_config', final_model='@pm-vis-pixel'),
    ),
    # Frames without a mask of IDOL-BoxInst get none: as many annotations as
    # it has (Fig. 6), which is what Missing-Data goes by.
    selector=dict(
        SHQM=dict(
            select_hooks=[
                dict(
                    type='SHQMHook',
                    candidates=candidates,
                    own='track',
                    require=['predicted'],
                )
            ]
        ),
        QualitySelector=dict(
            select_hooks=[
                dict(
                    type='SelectHook',
                    selector=dict(type='QualitySelector'),
                    candidates=candidates,
                    own='track',
                    require=['predicted'],
                )
            ]
        ),
    ),
)
track_options = {
    'model.propagator.network.arch': '$deaot_arch',
    'model.checkpoint': '$deaot_checkpoint',
    'model.keyframe_interval': '$keyframe_interval',
    'model.require_prior': True,
    'custom_hooks': '$select_hooks',
}
# A lazy stage runs only if another one needs it.
stages = [
    dict(
        name='hq-sam',
        type='label',
        lazy=True,
        config='labeling/hq-sam_doob.py',
        options={
            'model.arch': '$hqsam_arch',
            'model.checkpoint': '$hqsam_checkpoint',
            'model.encoder_dtype': '$hqsam_dtype',
        },
    ),
    dict(
        name='idol-boxinst',
        type='train',
        lazy=True,
        config='$boxinst_config',
        options='$boxinst_options',
    ),
    dict(
        name='idol-boxinst-masks',
        type='label',
        lazy=True,
        config='$boxinst_masks_config',
        priors=dict(prompted='@hq-sam'),
        options={
            'model.config': '$boxinst_config',
            'model.checkpoint': '$boxinst_checkpoint or @idol-boxinst',
        },
    ),
    dict(
        name='track-single',
        type='label',
        lazy=True,
        config='labeling/deaot_shqm.py',
        priors=dict(prompted='@hq-sam', predicted='@idol-boxinst-masks'),
        options={**track_options, 'model.keyframe_interval': None},
    ),
    dict(
        name='track-multi',
        type='label',
        lazy=True,
        config='labeling/deaot_shqm.py',
        priors=dict(prompted='@hq-sam', predicted='@idol-boxinst-masks'),
        options=track_options,
    ),
    # What follows depends on the recipe: one folder for each.
    dict(
        name='filtered',
        type='filter',
        folder='$recipe',
        pseudo='$final_masks',
        ria='$ria_threshold',
    ),
    dict(
        name='pm-vis',
        type='train',
        lazy=True,
        folder='$recipe',
        config='$pseudo_config',
        pseudo='$final_masks',
        options='$final_options',
    ),
    dict(
        name='pm-vis-pixel',
        type='train',
        lazy=True,
        folder='$recipe',
        config='$pixel_config',
        annotations='@filtered',
        options='$final_options',
    ),
    dict(
        name='evaluation',
        type='test',
        folder='$recipe',
        config='$final_config',
        checkpoint='$final_model',
    ),
    dict(
        name='overlay_masks',
        type='overlay',
        folder='$recipe',
        masks='$final_masks',
    ),
    dict(
        name='overlay_predictions',
        type='overlay',
        folder='$recipe',
        metrics='@evaluation',
    ),
    dict(
        name='report',
        type='report',
        folder='$recipe',
        final='$final_masks',
        # The names under which SHQM chose; those that the recipe has.
        sources={
            'prompted, raw': '@hq-sam:stages/raw.json',
            'prompted': '@hq-sam',
            'predicted, raw': '@idol-boxinst-masks:stages/raw.json',
            'predicted': '@idol-boxinst-masks',
            'track (one keyframe)': '@track-single:stages/raw.json',
            'track': '@track-multi:stages/raw.json',
        },
        metrics='@evaluation',
        filtered='@filtered',
    ),
]
