# Mask2Former for video: real masks, for models of MaskFreeVIS.
# ===Frequently modified parameters===
num_points = 12544

# ===Unmodified in most cases===
# train_cfg of the head.
matching = dict(
    num_points=num_points,
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
    # mmdet's head asks for both; boxes alone train nothing here.
    assigner=dict(
        type='HungarianAssigner',
        match_costs=[dict(type='ClassificationCost', weight=2.0)],
    ),
    sampler=dict(type='MaskPseudoSampler'),
)
