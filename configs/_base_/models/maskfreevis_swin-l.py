# MaskFreeVIS with Swin-L (window 12, trained on 384 pixels).
_base_ = './maskfreevis_r50.py'
# ===Frequently modified parameters===
num_queries = 200

# ===Unmodified in most cases===
model = dict(
    backbone=dict(
        _delete_=True,
        type='SwinTransformer',
        pretrain_img_size=384,
        embed_dims=192,
        depths=[2, 2, 18, 2],
        num_heads=[6, 12, 24, 48],
        window_size=12,
        mlp_ratio=4,
        qkv_bias=True,
        qk_scale=None,
        drop_rate=0.0,
        attn_drop_rate=0.0,
        drop_path_rate=0.3,
        patch_norm=True,
        out_indices=(0, 1, 2, 3),
        with_cp=False,
        convert_weights=True,
    ),
    track_head=dict(
        in_channels=[192, 384, 768, 1536], num_queries=num_queries
    ),
)
