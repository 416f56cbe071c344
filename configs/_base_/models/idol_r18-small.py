# IDOL sized to learn from scratch on a laptop: a third of the levels' width,
# few layers and queries, no dropout.
_base_ = './idol_r50.py'
# ===Frequently modified parameters===
num_classes = 4

# ===Unmodified in most cases===
channels = 128
num_levels = 3
attention = dict(embed_dims=channels, num_levels=num_levels, dropout=0.0)
ffn = dict(embed_dims=channels, feedforward_channels=256, ffn_drop=0.0)
model = dict(
    detector=dict(
        num_queries=50,
        num_feature_levels=num_levels,
        backbone=dict(
            depth=18,
            base_channels=32,
            frozen_stages=-1,
            norm_cfg=dict(requires_grad=True),
            norm_eval=False,
        ),
        neck=dict(
            in_channels=[64, 128, 256],
            out_channels=channels,
            num_outs=num_levels,
        ),
        encoder=dict(
            num_layers=2,
            layer_cfg=dict(self_attn_cfg=attention, ffn_cfg=ffn),
        ),
        decoder=dict(
            num_layers=3,
            layer_cfg=dict(
                self_attn_cfg=dict(
                    embed_dims=channels,
                    attn_drop=0.0,
                    dropout_layer=dict(drop_prob=0.0),
                ),
                cross_attn_cfg=attention,
                ffn_cfg=ffn,
            ),
        ),
        positional_encoding=dict(num_feats=channels // 2),
        bbox_head=dict(num_classes=num_classes, embed_dims=channels),
    ),
    mask_head=dict(in_channels=channels),
    track_head=dict(
        in_channels=channels, feat_channels=channels, out_channels=channels
    ),
)
