# MaskFreeVIS beside batches of clips with masks (COCO), which are trained as
# Mask2Former is.
_base_ = './maskfreevis.py'
mask_losses = dict(
    # Three frames: each with each.
    tk=dict(connection='release3')
)
matching = dict(
    oversample_ratio=3.0,
    importance_sample_ratio=0.75,
    mask_assigner=dict(
        type='HungarianAssigner',
        match_costs=[
            dict(type='ClassificationCost', weight=2.0),
            dict(type='CrossEntropyLossCost', weight=5.0, use_sigmoid=True),
            dict(type='DiceCost', weight=5.0, pred_act=True, eps=1.0),
        ],
    ),
)
