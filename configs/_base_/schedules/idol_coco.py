# IDOL on pairs of views of COCO images, ResNet: 32 pairs at a time.
# ===Frequently modified parameters===
max_iters = 59200
lr_steps = [22200, 44400]
base_lr = 2e-4

# ===Unmodified in most cases===
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=base_lr, weight_decay=1e-4),
    paramwise_cfg=dict(custom_keys={'backbone': dict(lr_mult=0.1)}),
    clip_grad=dict(max_norm=0.01, norm_type=2),
)
param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_iters,
        by_epoch=False,
        milestones=lr_steps,
        gamma=0.1,
    )
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters + 1
)
auto_scale_lr = dict(enable=False, base_batch_size=32)
