# The first stage of DeAOT, on pseudo-clips of images.
_base_ = './deaot_100k.py'
optim_wrapper = dict(optimizer=dict(lr=4e-4, weight_decay=0.03))
param_scheduler = _base_.param_scheduler
param_scheduler[1]['end'] = 5000 + 98532  # 2e-5 of 4e-4, r = 0.05
