# A model of mmdet's own, trained on pseudo masks: any detector of mmdet that
# learns from tracked masks can stand here. For small sets of one's own, on
# anything from a laptop upward.
_base_ = [
    '../_base_/models/mask-track-rcnn_r18-small.py',
    '../_base_/datasets/own.py',
    '../_base_/pipelines/pseudo_small.py',
    '../_base_/schedules/small_1k.py',
    '../_base_/default_runtime.py',
]
# ===Frequently modified parameters===
# Masks made by a labelling run on the boxes of data_root.
pseudo_ann_file = 'work_dirs/flow_shqm/masks.json'

# ===Unmodified in most cases===
num_classes_from_data = True
train_dataloader = dict(
    dataset=dict(
        supervision='pseudo',
        pseudo_ann_file=pseudo_ann_file,
        drop_unmasked=True,  # mmdet's heads need a mask for every box
        filter_cfg=dict(filter_empty_gt=True),  # and a box in every frame
        pipeline=_base_.train_pipeline,
    ),
)
val_dataloader = dict(
    # Frame by frame: no whole video in memory.
    sampler=dict(_delete_=True, type='TrackImgSampler'),
    dataset=dict(pipeline=_base_.test_pipeline),
)
test_dataloader = val_dataloader
default_hooks = dict(
    logger=dict(interval=20),
    checkpoint=dict(interval=200, max_keep_ckpts=1, save_last=True),
)
