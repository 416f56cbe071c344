# PM-VIS with ResNet-50, trained on boxes and pseudo masks of BDD100K MOTS.
# The schedule is that of OVIS: ours, not of a paper.
_base_ = [
    '../_base_/models/idol_r50.py',
    '../_base_/methods/pm-vis.py',
    '../_base_/datasets/bdd100k_mots.py',
    '../_base_/pipelines/pseudo_720p.py',
    '../_base_/schedules/idol_12k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# COCO-trained weights, see configs/idol/README.md.
load_from = 'checkpoints/idol_r50_coco.pth'
# Masks made by a labelling run on the boxes of data_root.
pseudo_ann_file = 'annotations/mots_train_pseudo_masks.json'

# ===Unmodified in most cases===
model = dict(
    data_preprocessor=dict(similarity=_base_.similarity),
    detector=dict(bbox_head=dict(num_classes=8)),
    mask_head=dict(mask_losses=_base_.mask_losses),
)
train_dataloader = dict(
    dataset=dict(
        supervision='pseudo',
        pseudo_ann_file=pseudo_ann_file,
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
auto_scale_lr = dict(base_batch_size=16)
