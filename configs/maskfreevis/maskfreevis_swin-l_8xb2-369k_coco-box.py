# MaskFreeVIS with Swin-L, pre-trained on the boxes of COCO images, each a
# video of one frame.
_base_ = [
    '../_base_/models/maskfreevis_swin-l.py',
    '../_base_/methods/maskfreevis_image.py',
    '../_base_/datasets/coco_clips.py',
    '../_base_/pipelines/coco_image_box.py',
    '../_base_/schedules/maskfreevis_coco_369k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Swin-L trained on ImageNet-21k at 384 pixels, as its authors publish it:
# swin_large_patch4_window12_384_22k.pth.
backbone_checkpoint = 'checkpoints/swin_large_patch4_window12_384_22k.pth'

# ===Unmodified in most cases===
model = dict(
    data_preprocessor=dict(similarity=_base_.similarity),
    backbone=dict(
        init_cfg=dict(type='Pretrained', checkpoint=backbone_checkpoint)
    ),
    track_head=dict(
        num_classes=80,
        loss_cls=dict(class_weight=[1.0] * 80 + [0.1]),
        mask_losses=_base_.mask_losses,
        train_cfg=_base_.matching,
    ),
)
train_dataloader = dict(
    batch_size=2,
    dataset=dict(supervision='box', pipeline=_base_.train_pipeline),
)
