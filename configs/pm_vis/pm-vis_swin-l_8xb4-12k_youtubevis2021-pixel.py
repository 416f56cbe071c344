# PM-VIS with Swin-L, trained on the real masks of YouTube-VIS 2021,
# filtered by Missing-Data and RIA.
_base_ = [
    '../_base_/models/idol_swin-l.py',
    '../_base_/methods/pm-vis.py',
    '../_base_/datasets/youtube_vis_2021.py',
    '../_base_/pipelines/full.py',
    '../_base_/schedules/idol_12k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# COCO-trained weights, see configs/idol/README.md.
load_from = 'checkpoints/idol_swin-l_coco.pth'
# Made by tools/labeling/filter_annotations.py.
train_ann_file = 'youtube_vis_2021_filtered.json'

# ===Unmodified in most cases===
model = dict(
    data_preprocessor=dict(similarity=_base_.similarity),
    mask_head=dict(mask_losses=_base_.mask_losses),
)
train_dataloader = dict(
    dataset=dict(
        ann_file=train_ann_file,
        supervision='full',
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    outfile_prefix='work_dirs/pm-vis_swin-l_8xb4-12k_youtubevis2021-pixel/val'
)
test_evaluator = val_evaluator
