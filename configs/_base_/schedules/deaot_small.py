# About half an hour on one core of a laptop.
# ===Frequently modified parameters===
max_iters = 2000
base_lr = 8e-4

# ===Unmodified in most cases===
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=base_lr, weight_decay=0.03),
    clip_grad=dict(max_norm=5, norm_type=2),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        bias_decay_mult=0.0,
        custom_keys={
            'backbone': dict(lr_mult=0.1),
            'mask_head.conv_out': dict(decay_mult=0.0),
        },
    ),
)
param_scheduler = [
    dict(type='LinearLR', start_factor=0.05, by_epoch=False, end=100),
    dict(
        type='PolyLR',
        power=0.9,
        eta_min=1e-5,
        begin=100,
        end=max_iters,
        by_epoch=False,
    ),
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters + 1
)
auto_scale_lr = dict(enable=False, base_batch_size=2)
# The identity bank gets no gradient once predicted labels are remembered.
find_unused_parameters = True
# A leaf adds these to those of the runtime.
deaot_hooks = [
    dict(type='TrainingProgressHook'),
    # Weights are averaged over about a tenth of the iterations.
    dict(
        type='EMAHook',
        ema_type='MomentumAnnealingEMA',
        momentum=1 / (0.1 * max_iters),
        gamma=9,
    ),
]
