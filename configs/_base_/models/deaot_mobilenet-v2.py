# ===Frequently modified parameters===
# deaott, deaots, deaotb or deaotl.
arch = 'deaott'
# Written by tools/model_converters/torchvision_mobilenetv2.py --dilated.
backbone_checkpoint = 'checkpoints/mobilenet_v2_dilated.pth'

# ===Unmodified in most cases===
model = dict(
    type='DeAOTSegmentor',
    network=dict(
        type='DeAOT',
        arch=arch,
        backbone=dict(
            frozen_stages=1,
            init_cfg=dict(type='Pretrained', checkpoint=backbone_checkpoint),
        ),
    ),
)
