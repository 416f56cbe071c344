# The video stage of DeAOT; deaot_100k_static.py is the one before it.
# ===Frequently modified parameters===
max_iters = 100000
base_lr = 2e-4
weight_decay = 0.07

# ===Unmodified in most cases===
warmup_iters = 5000
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(type='AdamW', lr=base_lr, weight_decay=weight_decay),
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
# A floor (eta_min) would be one number for all, above the rates of the
# backbone. Instead the curve aims at 0 behind the end of training, so that
# all rates end at one share r of where they began: 95000 iterations are
# left of 95000 / (1 - r ** (1 / 0.9)). Here 2e-5 of 2e-4, r = 0.1.
param_scheduler = [
    dict(type='LinearLR', start_factor=1e-3, by_epoch=False, end=warmup_iters),
    dict(
        type='PolyLR',
        power=0.9,
        eta_min=0.0,
        begin=warmup_iters,
        end=warmup_iters + 102973,
        by_epoch=False,
    ),
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters + 1
)
auto_scale_lr = dict(enable=False, base_batch_size=16)
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
