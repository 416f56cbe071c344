# Masks tracked both ways by DeAOT from the keyframes with the best SCM, then
# SHQM over all sources: the final pseudo masks of PM-VIS.
_base_ = ['../_base_/labeling.py']
# ===Frequently modified parameters===
# Weights of the public DeAOT (github.com/yoxu515/aot-benchmark), as they come
# or converted by tools/model_converters/deaot2mm.py.
checkpoint = 'checkpoints/R50_DeAOTL_PRE_YTB_DAV.pth'
# deaott, deaots, deaotb, deaotl, r50_deaotl or swinb_deaotl.
arch = 'r50_deaotl'
keyframe_interval = 10  # 10 for YouTube-VIS, 100 for OVIS

# ===Unmodified in most cases===
test_dataloader = dict(
    dataset=dict(
        priors=dict(
            prompted='work_dirs/hq-sam_doob/masks.json',
            predicted='work_dirs/vis-model_scm-doob/masks.json',
        )
    )
)
model = dict(
    type='DeAOTSource',
    prior='predicted',
    reference='prompted',
    keyframe_interval=keyframe_interval,
    checkpoint=checkpoint,
    propagator=dict(
        type='DeAOTPropagator',
        network=dict(type='DeAOT', arch=arch),
        max_long=1040,  # longer sides of frames shrink to it
        max_frames=20,  # in the long-term memory; bounds memory and time
    ),
)
custom_hooks = [
    dict(type='SHQMHook', candidates=['prompted', 'predicted'], own='track')
]
