# Masks tracked both ways from the keyframes with the best SCM, then SHQM
# over all sources: the final pseudo masks ("Track-masks-final" in PM-VIS).
_base_ = ['../_base_/labeling.py']
test_dataloader = dict(
    dataset=dict(
        priors=dict(
            prompted='work_dirs/grabcut_doob/masks.json',
            predicted='work_dirs/vis-model_scm-doob/masks.json',
        )
    )
)
model = dict(
    type='FlowPropagator',
    prior='predicted',
    reference='prompted',
    keyframe_interval=10,
)
custom_hooks = [
    dict(type='SHQMHook', candidates=['prompted', 'predicted'], own='flow')
]
