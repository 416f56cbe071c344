# IDOL on pairs of views of COCO images, Swin-L: 16 pairs at a time.
_base_ = './idol_coco.py'
max_iters = 148000
lr_steps = [59200, 118400]

param_scheduler = _base_.param_scheduler
param_scheduler[0]['end'] = max_iters
param_scheduler[0]['milestones'] = lr_steps
train_cfg = dict(max_iters=max_iters, val_interval=max_iters + 1)
auto_scale_lr = dict(base_batch_size=16)
