# Masks made by another program, cleaned by DOOB.
_base_ = ['../_base_/labeling.py']
test_dataloader = dict(
    dataset=dict(priors=dict(imported='data/imported_masks.json'))
)
model = dict(type='StoredMasks', name='imported')
custom_hooks = [dict(type='DOOBHook')]
