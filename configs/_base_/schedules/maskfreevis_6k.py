# MaskFreeVIS on YouTube-VIS 2019 (and OVIS), from COCO-trained weights: 16
# clips at a time. No warm-up of the learning rate. Mixed precision, which the
# public code trains with: `tools/train.py --amp`.
# ===Frequently modified parameters===
max_iters = 6000
lr_step = 4000
base_lr = 1e-4

# ===Unmodified in most cases===
# Norm layers and embeddings do not decay. A name given here counts as given
# in full, so that those of the backbone are spelled out: Swin's.
embed = dict(lr_mult=1.0, decay_mult=0.0)
backbone_norm = dict(lr_mult=0.1, decay_mult=0.0)
optim_wrapper = dict(
    type='OptimWrapper',
    optimizer=dict(
        type='AdamW', lr=base_lr, weight_decay=0.05, betas=(0.9, 0.999)
    ),
    paramwise_cfg=dict(
        norm_decay_mult=0.0,
        custom_keys=dict(
            {
                'backbone': dict(lr_mult=0.1, decay_mult=1.0),
                'backbone.norm': backbone_norm,
                'backbone.patch_embed.norm': backbone_norm,
                'absolute_pos_embed': backbone_norm,
                'relative_position_bias_table': backbone_norm,
                'query_embed': embed,
                'query_feat': embed,
                'level_embed': embed,
            },
            **{
                f'backbone.stages.{stage}.blocks.{block}.norm': backbone_norm
                for stage, depth in enumerate((2, 2, 18, 2))
                for block in range(depth)
            },
            **{
                f'backbone.stages.{stage}.downsample.norm': backbone_norm
                for stage in range(3)
            },
        ),
    ),
    clip_grad=dict(max_norm=0.01, norm_type=2),
)
param_scheduler = [
    dict(
        type='MultiStepLR',
        begin=0,
        end=max_iters,
        by_epoch=False,
        milestones=[lr_step],
        gamma=0.1,
    )
]
train_cfg = dict(
    type='IterBasedTrainLoop', max_iters=max_iters, val_interval=max_iters + 1
)
val_cfg = dict(type='ValLoop')
test_cfg = dict(type='TestLoop')
auto_scale_lr = dict(enable=False, base_batch_size=16)
