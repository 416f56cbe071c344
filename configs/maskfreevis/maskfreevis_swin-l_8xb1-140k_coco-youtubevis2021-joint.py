# MaskFreeVIS with Swin-L, trained jointly on the boxes of YouTube-VIS 2021 and
# on pseudo clips of COCO images with their masks.
_base_ = [
    '../_base_/models/maskfreevis_swin-l.py',
    '../_base_/methods/maskfreevis_joint.py',
    '../_base_/datasets/joint_coco_youtube_vis_2021.py',
    '../_base_/pipelines/tube_joint.py',
    '../_base_/schedules/maskfreevis_140k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Converted by tools/model_converters/mask2former2mm.py, see
# configs/maskfreevis/README.md.
load_from = 'checkpoints/mask2former_swin-l_coco.pth'

# ===Unmodified in most cases===
test_pipeline = _base_.test_pipeline
test_pipeline[0]['transforms'][1]['scale'] = (1333, 480)
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
    batch_size=1,
    dataset=dict(datasets=[coco, videos]),
)
val_dataloader = dict(dataset=dict(pipeline=test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    outfile_prefix='work_dirs/maskfreevis_swin-l_8xb1-140k_coco-youtubevis2021-joint/val'
)
test_evaluator = val_evaluator
