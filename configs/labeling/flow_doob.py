# Masks tracked both ways from the keyframes with the best SCM. DOOB, which
# PM-VIS leaves out for tracked masks, is there to compare: `raw` is without.
_base_ = ['./flow_shqm.py']
custom_hooks = [dict(type='DOOBHook')]
