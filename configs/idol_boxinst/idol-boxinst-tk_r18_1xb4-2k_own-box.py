# IDOL-BoxInst with the TK loss, small: the boxes of a set of one's own, on
# anything from a laptop upward.
_base_ = [
    '../_base_/models/idol_r18-small.py',
    '../_base_/methods/idol-boxinst-tk.py',
    '../_base_/datasets/own.py',
    '../_base_/pipelines/box_small.py',
    '../_base_/schedules/idol_small.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Iterations until the pairwise and the TK loss count in full.
warmup_iters = 500
# How far the second frame of a clip may be from the first: TKLoss looks for
# the same point within 12 pixels.
frame_range = 3

# ===Unmodified in most cases===
num_classes_from_data = True
mask_losses = _base_.mask_losses
mask_losses['pairwise']['warmup_iters'] = warmup_iters
mask_losses['tk']['warmup_iters'] = warmup_iters
train_pipeline = _base_.train_pipeline
train_pipeline[0]['frame_range'] = frame_range
model = dict(
    data_preprocessor=dict(
        similarity=_base_.similarity, temporal=_base_.temporal
    ),
    mask_head=dict(mask_losses=mask_losses),
)
train_dataloader = dict(
    dataset=dict(
        supervision='box',
        pipeline=train_pipeline,
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
