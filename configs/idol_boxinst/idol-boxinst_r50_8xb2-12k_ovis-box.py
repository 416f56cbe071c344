# IDOL-BoxInst with ResNet-50, trained on the boxes of OVIS.
_base_ = [
    '../_base_/models/idol_r50.py',
    '../_base_/methods/idol-boxinst.py',
    '../_base_/datasets/ovis.py',
    '../_base_/pipelines/box_720p.py',
    '../_base_/schedules/idol_12k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# COCO-trained weights, see configs/idol/README.md.
load_from = 'checkpoints/idol_r50_coco.pth'

# ===Unmodified in most cases===
model = dict(
    data_preprocessor=dict(similarity=_base_.similarity),
    detector=dict(bbox_head=dict(num_classes=25)),
    mask_head=dict(mask_losses=_base_.mask_losses),
    tracker=dict(mask_nms_thr=0.3, new_score_thr=0.3),
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
    outfile_prefix='work_dirs/idol-boxinst_r50_8xb2-12k_ovis-box/val'
)
test_evaluator = val_evaluator
auto_scale_lr = dict(base_batch_size=16)
