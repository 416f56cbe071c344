# IDOL with Swin-L, pre-trained on pairs of views of COCO images,
# from their masks.
_base_ = [
    '../_base_/models/idol_swin-l.py',
    '../_base_/methods/idol.py',
    '../_base_/datasets/coco_clips.py',
    '../_base_/pipelines/coco_full.py',
    '../_base_/schedules/idol_coco_148k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Pairs per GPU.
batch_size = 2

# ===Unmodified in most cases===
model = dict(
    data_preprocessor=dict(similarity=_base_.similarity),
    detector=dict(
        backbone=dict(
            init_cfg=dict(
                type='Pretrained',
                checkpoint='https://github.com/SwinTransformer/storage/'
                'releases/download/v1.0.0/'
                'swin_large_patch4_window12_384_22k.pth',
            )
        ),
        bbox_head=dict(num_classes=80),
    ),
    mask_head=dict(mask_losses=_base_.mask_losses),
)
train_dataloader = dict(
    batch_size=batch_size,
    dataset=dict(supervision='full', pipeline=_base_.train_pipeline),
)
