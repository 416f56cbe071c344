# MaskFreeVIS, small: the boxes of a set of one's own, on anything from a
# laptop upward.
_base_ = [
    '../_base_/models/maskfreevis_r18-small.py',
    '../_base_/methods/maskfreevis.py',
    '../_base_/datasets/own.py',
    '../_base_/pipelines/box_tube_small.py',
    '../_base_/schedules/small_1k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Points per frame that boxes are matched at: small frames need few.
num_points = 2000

# ===Unmodified in most cases===
num_classes_from_data = True
matching = _base_.matching
matching['num_points'] = num_points
model = dict(
    data_preprocessor=dict(
        similarity=_base_.similarity, temporal=_base_.temporal
    ),
    track_head=dict(mask_losses=_base_.mask_losses, train_cfg=matching),
)
train_dataloader = dict(
    dataset=dict(
        supervision='box',
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(interval=200, max_keep_ckpts=1, save_last=True),
)
