# PM-VIS, small: real masks of a set of one's own, filtered by Missing-Data and
# RIA, on anything from a laptop upward.
_base_ = [
    '../_base_/models/idol_r18-small.py',
    '../_base_/methods/pm-vis.py',
    '../_base_/datasets/own.py',
    '../_base_/pipelines/full_small.py',
    '../_base_/schedules/idol_small.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Iterations until the pairwise loss counts in full.
warmup_iters = 500
# Made by tools/labeling/filter_annotations.py.
train_ann_file = 'train/filtered.json'

# ===Unmodified in most cases===
num_classes_from_data = True
mask_losses = _base_.mask_losses
mask_losses['pairwise']['warmup_iters'] = warmup_iters
model = dict(
    data_preprocessor=dict(similarity=_base_.similarity),
    mask_head=dict(mask_losses=mask_losses),
)
train_dataloader = dict(
    dataset=dict(
        ann_file=train_ann_file,
        supervision='full',
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    # Frame by frame, ten at a time: no whole video in memory.
    batch_size=10,
    sampler=dict(_delete_=True, type='TrackImgSampler'),
    dataset=dict(pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(interval=500, max_keep_ckpts=1, save_last=True),
)
