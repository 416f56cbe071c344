# MaskFreeVIS with ResNet-50, trained on the boxes of YouTube-VIS 2019, from a
# model trained on the boxes of COCO images: no mask anywhere.
_base_ = [
    '../_base_/models/maskfreevis_r50.py',
    '../_base_/methods/maskfreevis.py',
    '../_base_/datasets/youtube_vis_2019.py',
    '../_base_/pipelines/tube_box.py',
    '../_base_/schedules/maskfreevis_6k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Trained by maskfreevis_r50_8xb2-369k_coco-box.py, or the authors' file,
# converted; see configs/maskfreevis/README.md.
load_from = 'checkpoints/maskfreevis_r50_coco-box.pth'

# ===Unmodified in most cases===
model = dict(
    data_preprocessor=dict(
        similarity=_base_.similarity, temporal=_base_.temporal
    ),
    track_head=dict(
        mask_losses=_base_.mask_losses,
        train_cfg=_base_.matching,
    ),
)
# As youtube_vis_2019_tubes.py; without it, as the ablations inherit from here
# and configs are at most three files deep.
train_dataloader = dict(
    batch_size=2,
    dataset=dict(supervision='box', pipeline=_base_.train_pipeline),
)
val_dataloader = dict(
    batch_size=1,
    sampler=dict(
        _delete_=True, type='DefaultSampler', shuffle=False, round_up=False
    ),
    dataset=dict(pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
val_evaluator = dict(
    outfile_prefix='work_dirs/maskfreevis_r50_8xb2-6k_youtubevis2019-box/val'
)
test_evaluator = val_evaluator
