# Table 9, "Frame-wise": boxes of single frames are compared, costs averaged.
_base_ = './maskfreevis_r50_8xb2-6k_youtubevis2019-box.py'
match_costs = [
    dict(type='ClassificationCost', weight=2.0),
    dict(type='TubeBoxDistanceCost', weight=5.0, p=1),
    dict(type='TubeGIoUCost', weight=2.0),
]
model = dict(
    track_head=dict(train_cfg=dict(assigner=dict(match_costs=match_costs)))
)
val_evaluator = dict(
    outfile_prefix='work_dirs/maskfreevis_r50_8xb2-6k_youtubevis2019-box_frame-wise/val'
)
test_evaluator = val_evaluator
