# Masks from boxes without any weights: GrabCut, cleaned by DOOB.
_base_ = ['../_base_/labeling.py']
model = dict(type='GrabCutSource')
custom_hooks = [dict(type='DOOBHook')]
