# MaskFreeVIS on YouTube-VIS 2021.
_base_ = './maskfreevis_6k.py'
max_iters = 8000
lr_steps = [5500]

param_scheduler = _base_.param_scheduler
param_scheduler[0]['end'] = max_iters
param_scheduler[0]['milestones'] = lr_steps
train_cfg = dict(max_iters=max_iters, val_interval=max_iters + 1)
