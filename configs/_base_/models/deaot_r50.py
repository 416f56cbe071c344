# ===Unmodified in most cases===
model = dict(
    type='DeAOTSegmentor',
    network=dict(
        type='DeAOT',
        arch='r50_deaotl',
        backbone=dict(
            frozen_stages=1,
            init_cfg=dict(
                type='Pretrained', checkpoint='torchvision://resnet50'
            ),
        ),
    ),
)
