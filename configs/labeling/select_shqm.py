# SHQM over masks that exist already. Name them as priors and candidates; the
# first is what `raw` shows.
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
    dict(type='SHQMHook', candidates=['prompted', 'tracked'], own=None)
]
