# MaskFreeVIS: boxes only; instances are matched by their filled boxes in the
# whole clip. Weights are those of the public code: 5 for all masks losses,
# and within them 0.1 for each connection between frames.
# ===Frequently modified parameters===
color_thresh = 0.3
# Iterations until the temporal loss counts in full.
tk_warmup_iters = 200
# Points per frame that boxes are matched at.
num_points = 20000

# ===Unmodified in most cases===
mask_losses = dict(
    proj=dict(type='BoxProjectionLoss', loss_weight=5.0),
    pairwise=dict(
        type='PairwiseAffinityLoss',
        loss_weight=5.0,
        color_thresh=color_thresh,
        size=3,
        dilation=2,
    ),
    tk=dict(
        type='TKLoss',
        loss_weight=0.5,
        matcher=dict(
            type='PatchMatcher',
            patch_size=3,
            search=dict(kernel=3, dilation=3),
            num_neighbors=5,
            metric='l2',
            threshold=0.05,
        ),
        connection='cyclic',
        region='tube',
        normalizer='pairs',
        warmup_iters=tk_warmup_iters,
    ),
)
# The released models take red for blue here; swap_rb=True in both repeats
# that. Padding counts as black.
similarity = dict(
    size=3, dilation=2, swap_rb=False, validity=False, num_frames=None
)
temporal = dict(stride=4, swap_rb=False)
# train_cfg of the head.
matching = dict(
    num_points=num_points,
    assigner=dict(
        type='HungarianAssigner',
        match_costs=[
            dict(type='ClassificationCost', weight=2.0),
            dict(type='DiceCost', weight=5.0, pred_act=False, eps=1.0),
        ],
    ),
    sampler=dict(type='MaskPseudoSampler'),  # mmdet's head asks for one
)
