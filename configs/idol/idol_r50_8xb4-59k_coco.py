# IDOL with ResNet-50, pre-trained on pairs of views of COCO images,
# from their masks.
_base_ = [
    '../_base_/models/idol_r50.py',
    '../_base_/methods/idol.py',
    '../_base_/datasets/coco_clips.py',
    '../_base_/pipelines/coco_full.py',
    '../_base_/schedules/idol_coco.py',
    '../_base_/default_runtime.py',
]
# ===Unmodified in most cases===
model = dict(
    data_preprocessor=dict(similarity=_base_.similarity),
    detector=dict(
        backbone=dict(
            init_cfg=dict(
                type='Pretrained', checkpoint='torchvision://resnet50'
            )
        ),
        bbox_head=dict(num_classes=80),
    ),
    mask_head=dict(mask_losses=_base_.mask_losses),
)
train_dataloader = dict(
    dataset=dict(supervision='full', pipeline=_base_.train_pipeline),
)
