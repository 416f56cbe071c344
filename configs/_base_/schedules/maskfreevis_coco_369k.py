# Pre-training of MaskFreeVIS on COCO images: 16 images at a time.
_base_ = './maskfreevis_6k.py'
max_iters = 368750
lr_steps = [327778, 355092]

param_scheduler = _base_.param_scheduler
param_scheduler[0]['end'] = max_iters
param_scheduler[0]['milestones'] = lr_steps
train_cfg = dict(max_iters=max_iters, val_interval=max_iters + 1)
# Judged by the videos that come after it.
val_cfg = None
test_cfg = None
