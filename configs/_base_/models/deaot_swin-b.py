# ===Frequently modified parameters===
# ImageNet weights of Swin-B, window 7, as its authors publish them.
backbone_checkpoint = 'https://github.com/SwinTransformer/storage/releases/download/v1.0.0/swin_base_patch4_window7_224_22k.pth'

# ===Unmodified in most cases===
model = dict(
    type='DeAOTSegmentor',
    network=dict(
        type='DeAOT',
        arch='swinb_deaotl',
        backbone=dict(
            frozen_stages=1,
            convert_weights=True,
            init_cfg=dict(type='Pretrained', checkpoint=backbone_checkpoint),
        ),
    ),
)
# For the optimizer: rules by name come before those for norms and biases, so
# that what must not decay in this backbone has to be named.
backbone_keys = {
    key: dict(lr_mult=0.1, decay_mult=0.0)
    for key in (
        'relative_position_bias_table',
        'patch_embed.norm',
        'patch_embed.projection.bias',
        'attn.w_msa.qkv.bias',
        'attn.w_msa.proj.bias',
        'ffn.layers.0.0.bias',
        'ffn.layers.1.bias',
        'downsample.norm',
        'backbone.norm',
        *(f'blocks.{block}.norm' for block in range(18)),
    )
}
