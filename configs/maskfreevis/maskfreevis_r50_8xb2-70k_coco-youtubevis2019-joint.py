# MaskFreeVIS with ResNet-50, trained jointly on the boxes of YouTube-VIS 2019
# and on pseudo clips of COCO images with their masks.
_base_ = [
    '../_base_/models/maskfreevis_r50.py',
    '../_base_/methods/maskfreevis_joint.py',
    '../_base_/datasets/joint_coco_youtube_vis_2019.py',
    '../_base_/pipelines/tube_joint.py',
    '../_base_/schedules/maskfreevis_70k.py',
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
    track_head=dict(mask_losses=_base_.mask_losses, train_cfg=_base_.matching),
)
coco, videos = _base_.train_dataloader.dataset.datasets
coco['pipeline'] = _base_.coco_train_pipeline
videos['pipeline'] = _base_.train_pipeline
train_dataloader = dict(
    dataset=dict(datasets=[coco, videos]),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    outfile_prefix='work_dirs/maskfreevis_r50_8xb2-70k_coco-youtubevis2019-joint/val'
)
test_evaluator = val_evaluator
