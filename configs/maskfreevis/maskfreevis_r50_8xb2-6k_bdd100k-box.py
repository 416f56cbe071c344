# MaskFreeVIS with ResNet-50, trained on the boxes of BDD100K MOTS, from a
# model trained on the boxes of COCO images: no mask anywhere.
# The schedule is that of YouTube-VIS 2019: ours, not of a paper.
_base_ = [
    '../_base_/models/maskfreevis_r50.py',
    '../_base_/methods/maskfreevis.py',
    '../_base_/datasets/bdd100k_mots_tubes.py',
    '../_base_/pipelines/tube_box_480p.py',
    '../_base_/schedules/maskfreevis_6k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Trained by maskfreevis_r50_8xb2-369k_coco-box.py, or the authors' file,
# converted; see configs/maskfreevis/README.md.
load_from = 'checkpoints/maskfreevis_r50_coco-box.pth'

# ===Unmodified in most cases===
model = dict(
    data_preprocessor=dict(
        similarity=_base_.similarity, temporal=_base_.temporal
    ),
    track_head=dict(
        num_classes=8,
        loss_cls=dict(class_weight=[1.0] * 8 + [0.1]),
        mask_losses=_base_.mask_losses,
        train_cfg=_base_.matching,
    ),
)
train_dataloader = dict(
    dataset=dict(supervision='box', pipeline=_base_.train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
