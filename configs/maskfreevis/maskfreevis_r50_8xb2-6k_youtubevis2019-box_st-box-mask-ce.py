# Table 9, "ST-BoxMask" with the cross-entropy cost.
_base_ = './maskfreevis_r50_8xb2-6k_youtubevis2019-box.py'
match_costs = [
    dict(type='ClassificationCost', weight=2.0),
    dict(type='BoxMaskCrossEntropyCost', weight=5.0),
    dict(type='DiceCost', weight=5.0, pred_act=False, eps=1.0),
]
model = dict(
    track_head=dict(train_cfg=dict(assigner=dict(match_costs=match_costs)))
)
val_evaluator = dict(
    outfile_prefix='work_dirs/maskfreevis_r50_8xb2-6k_youtubevis2019-box_st-box-mask-ce/val'
)
test_evaluator = val_evaluator
