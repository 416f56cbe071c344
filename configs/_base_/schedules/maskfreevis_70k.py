# MaskFreeVIS jointly on COCO and YouTube-VIS, ResNet.
_base_ = './maskfreevis_6k.py'
max_iters = 70000
lr_steps = [37500]

param_scheduler = _base_.param_scheduler
param_scheduler[0]['end'] = max_iters
param_scheduler[0]['milestones'] = lr_steps
train_cfg = dict(max_iters=max_iters, val_interval=max_iters + 1)
