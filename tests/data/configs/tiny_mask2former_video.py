# Mask2Former for video with few channels, written for mmdet alone.
default_scope = 'mmdet'

channels = 16
attention = dict(embed_dims=channels, num_heads=2, batch_first=True)
ffn = dict(
    embed_dims=channels,
    feedforward_channels=channels,
    num_fcs=2,
    act_cfg=dict(type='ReLU', inplace=True),
)
model = dict(
    type='Mask2FormerVideo',
    data_preprocessor=dict(
        type='TrackDataPreprocessor',
        mean=[123.675, 116.28, 103.53],
        std=[58.395, 57.12, 57.375],
        bgr_to_rgb=True,
        pad_mask=True,
        pad_size_divisor=32,
    ),
    backbone=dict(type='ResNet', depth=18, base_channels=8),
    track_head=dict(
        type='Mask2FormerTrackHead',
        in_channels=[8, 16, 32, 64],
        strides=[4, 8, 16, 32],
        feat_channels=channels,
        out_channels=channels,
        num_classes=2,
        num_queries=6,
        num_frames=2,
        num_transformer_feat_level=3,
        pixel_decoder=dict(
            type='MSDeformAttnPixelDecoder',
            num_outs=3,
            norm_cfg=dict(type='GN', num_groups=4),
            act_cfg=dict(type='ReLU'),
            encoder=dict(
                num_layers=1,
                layer_cfg=dict(
                    self_attn_cfg=dict(
                        num_levels=3, num_points=2, **attention
                    ),
                    ffn_cfg=ffn,
                ),
            ),
            positional_encoding=dict(num_feats=channels // 2, normalize=True),
        ),
        enforce_decoder_input_project=False,
        positional_encoding=dict(
            type='SinePositionalEncoding3D',
            num_feats=channels // 2,
            normalize=True,
        ),
        transformer_decoder=dict(
            return_intermediate=True,
            num_layers=2,
            layer_cfg=dict(
                self_attn_cfg=attention,
                cross_attn_cfg=attention,
                ffn_cfg=ffn,
            ),
            init_cfg=None,
        ),
        loss_cls=dict(
            type='CrossEntropyLoss',
            use_sigmoid=False,
            class_weight=[1.0, 1.0, 0.1],
        ),
        loss_mask=dict(type='CrossEntropyLoss', use_sigmoid=True),
        loss_dice=dict(type='DiceLoss', use_sigmoid=True, activate=True),
    ),
)
test_dataloader = dict(
    dataset=dict(
        type='YouTubeVISDataset',
        pipeline=[
            dict(
                type='TransformBroadcaster',
                transforms=[
                    dict(type='LoadImageFromFile'),
                    dict(type='Resize', scale=(96, 64), keep_ratio=True),
                    dict(type='LoadTrackAnnotations', with_mask=True),
                ],
            ),
            dict(type='PackTrackInputs'),
        ],
    )
)
