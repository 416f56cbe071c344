# IDOL-BoxInst with ResNet-50, trained on the boxes of YouTube-VIS 2022.
# The training set is that of 2021, and the schedule ours, not of a paper.
_base_ = [
    '../_base_/models/idol_r50.py',
    '../_base_/methods/idol-boxinst.py',
    '../_base_/datasets/youtube_vis_2022.py',
    '../_base_/pipelines/box.py',
    '../_base_/schedules/idol_12k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# COCO-trained weights, see configs/idol/README.md.
load_from = 'checkpoints/idol_r50_coco.pth'

# ===Unmodified in most cases===
model = dict(
    data_preprocessor=dict(similarity=_base_.similarity),
    mask_head=dict(mask_losses=_base_.mask_losses),
)
train_dataloader = dict(
    dataset=dict(
        supervision='box',
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    outfile_prefix='work_dirs/idol-boxinst_r50_8xb4-12k_youtubevis2022-box/val'
)
test_evaluator = val_evaluator
