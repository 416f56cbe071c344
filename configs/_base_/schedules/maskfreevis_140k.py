# MaskFreeVIS jointly on COCO and YouTube-VIS, Swin-L: 8 clips at a time.
_base_ = './maskfreevis_6k.py'
max_iters = 140000
lr_steps = [75000]
base_lr = 5e-5

param_scheduler = _base_.param_scheduler
param_scheduler[0]['end'] = max_iters
param_scheduler[0]['milestones'] = lr_steps
train_cfg = dict(max_iters=max_iters, val_interval=max_iters + 1)
optim_wrapper = dict(optimizer=dict(lr=base_lr))
auto_scale_lr = dict(base_batch_size=8)
