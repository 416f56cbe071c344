# MaskFreeVIS with ResNet-50, trained on the boxes of OVIS, from a model
# trained on the masks of COCO images.
_base_ = [
    '../_base_/models/maskfreevis_r50.py',
    '../_base_/methods/maskfreevis.py',
    '../_base_/datasets/ovis_tubes.py',
    '../_base_/pipelines/tube_box.py',
    '../_base_/schedules/maskfreevis_6k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Converted by tools/model_converters/mask2former2mm.py, see
# configs/maskfreevis/README.md.
load_from = 'checkpoints/mask2former_r50_coco.pth'

# ===Unmodified in most cases===
model = dict(
    data_preprocessor=dict(
        similarity=_base_.similarity, temporal=_base_.temporal
    ),
    track_head=dict(
        num_classes=25,
        loss_cls=dict(class_weight=[1.0] * 25 + [0.1]),
        mask_losses=_base_.mask_losses,
        train_cfg=_base_.matching,
    ),
)
train_dataloader = dict(
    dataset=dict(supervision='box', pipeline=_base_.train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    outfile_prefix='work_dirs/maskfreevis_r50_8xb2-6k_ovis-box_coco-mask/val'
)
test_evaluator = val_evaluator
