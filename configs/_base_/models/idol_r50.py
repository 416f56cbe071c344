# IDOL with ResNet-50. IDOL, IDOL-BoxInst and PM-VIS are this model with
# other mask_losses, see ../methods.
# ===Frequently modified parameters===
num_classes = 40
num_queries = 300

# ===Unmodified in most cases===
# Count what losses are averaged over on all GPUs together: training does not
# depend on how many share a batch. The public code counts on each GPU
# (False).
sync_avg_factor = True
channels = 256
num_levels = 4
model = dict(
    type='IDOL',
    data_preprocessor=dict(
        type='VISDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_size_divisor=32,
    ),
    detector=dict(
        type='IDOLDetector',
        num_queries=num_queries,
        num_feature_levels=num_levels,
        with_box_refine=True,
        as_two_stage=False,
        backbone=dict(
            type='ResNet',
            depth=50,
            num_stages=4,
            out_indices=(1, 2, 3),
            frozen_stages=1,
            norm_cfg=dict(type='BN', requires_grad=False),
            norm_eval=True,
            style='pytorch',
        ),
        neck=dict(
            type='ChannelMapper',
            in_channels=[512, 1024, 2048],
            kernel_size=1,
            out_channels=channels,
            bias=True,
            act_cfg=None,
            norm_cfg=dict(type='GN', num_groups=32),
            num_outs=num_levels,
        ),
        encoder=dict(
            num_layers=6,
            layer_cfg=dict(
                self_attn_cfg=dict(
                    embed_dims=channels,
                    num_levels=num_levels,
                    dropout=0.1,
                    batch_first=True,
                ),
                ffn_cfg=dict(
                    embed_dims=channels,
                    feedforward_channels=1024,
                    ffn_drop=0.1,
                ),
            ),
        ),
        decoder=dict(
            num_layers=6,
            return_intermediate=True,
            post_norm_cfg=None,
            layer_cfg=dict(
                # Spelled out: with dropout=... mmcv changes a default that
                # later layers share.
                self_attn_cfg=dict(
                    embed_dims=channels,
                    num_heads=8,
                    attn_drop=0.1,
                    dropout_layer=dict(type='Dropout', drop_prob=0.1),
                    batch_first=True,
                ),
                cross_attn_cfg=dict(
                    embed_dims=channels,
                    num_levels=num_levels,
                    dropout=0.1,
                    batch_first=True,
                ),
                ffn_cfg=dict(
                    embed_dims=channels,
                    feedforward_channels=1024,
                    ffn_drop=0.1,
                ),
            ),
        ),
        positional_encoding=dict(
            num_feats=channels // 2, normalize=True, offset=-0.5
        ),
        bbox_head=dict(
            type='IDOLHead',
            num_classes=num_classes,
            embed_dims=channels,
            sync_avg_factor=sync_avg_factor,
            loss_cls=dict(
                type='FocalLoss',
                use_sigmoid=True,
                gamma=2.0,
                alpha=0.25,
                loss_weight=2.0,
            ),
            loss_bbox=dict(type='L1Loss', loss_weight=5.0),
            loss_iou=dict(type='BoxGIoULoss', loss_weight=2.0),
        ),
        train_cfg=dict(assigner=dict(type='IDOLSimOTAAssigner')),
    ),
    mask_head=dict(
        type='DynamicMaskHead',
        in_channels=channels,
        sync_avg_factor=sync_avg_factor,
    ),
    track_head=dict(
        type='IDOLTrackHead',
        in_channels=channels,
        loss_reid=dict(type='ContrastiveReIDLoss', loss_weight=2.0),
        loss_reid_aux=dict(type='CosineReIDLoss', loss_weight=3.0),
        sync_avg_factor=sync_avg_factor,
    ),
    tracker=dict(type='IDOLTracker'),
    test_cfg=dict(
        score_thr=0.1,
        nms_iou=0.9,
        chunk_size=10,
        multi_class=True,
        class_score_thr=0.05,
        temporal_score='mean',
    ),
)
