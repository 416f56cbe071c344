# Mask2Former for video with ResNet-50, trained on the masks of YouTube-VIS
# 2019: what MaskFreeVIS is compared with ("Oracle" in its Figure 6).
_base_ = [
    '../_base_/models/maskfreevis_r50.py',
    '../_base_/methods/mask2former.py',
    '../_base_/datasets/youtube_vis_2019_tubes.py',
    '../_base_/pipelines/tube_full.py',
    '../_base_/schedules/maskfreevis_6k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Converted by tools/model_converters/mask2former2mm.py, see
# configs/maskfreevis/README.md.
load_from = 'checkpoints/mask2former_r50_coco.pth'
num_frames = 2
frame_range = 20

# ===Unmodified in most cases===
train_pipeline = _base_.train_pipeline
train_pipeline[0] = dict(
    type='ClipFrameSample', num_frames=num_frames, frame_range=frame_range
)
model = dict(track_head=dict(train_cfg=_base_.matching))
train_dataloader = dict(
    dataset=dict(supervision='full', pipeline=train_pipeline),
)
val_dataloader = dict(dataset=dict(pipeline=_base_.test_pipeline))
test_dataloader = val_dataloader
val_evaluator = dict(
    outfile_prefix='work_dirs/mask2former-video_r50_8xb2-6k_youtubevis2019/val'
)
test_evaluator = val_evaluator
