# Chooses among masks that exist already by predicted IoU, see docs/labelling.
# Name them as priors and candidates; the first is what `raw` shows. The score
# of every chosen mask is its predicted IoU.
_base_ = ['../_base_/labeling.py']
test_dataloader = dict(
    dataset=dict(
        priors=dict(
            prompted='work_dirs/grabcut_doob/masks.json',
            tracked='work_dirs/flow/masks.json',
        )
    )
)
model = dict(type='StoredMasks', name='prompted')
custom_hooks = [
    dict(
        type='SelectHook',
        candidates=['prompted', 'tracked'],
        own=None,
        selector=dict(type='QualitySelector'),
    )
]
