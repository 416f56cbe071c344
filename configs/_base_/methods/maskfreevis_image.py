# MaskFreeVIS on single images: boxes are matched as boxes, and nothing moves.
# ===Frequently modified parameters===
color_thresh = 0.3
# Iterations until the pairwise loss counts in full.
warmup_iters = 100

# ===Unmodified in most cases===
mask_losses = dict(
    proj=dict(type='BoxProjectionLoss', loss_weight=5.0),
    pairwise=dict(
        type='PairwiseAffinityLoss',
        loss_weight=5.0 * 0.25,
        color_thresh=color_thresh,
        size=3,
        dilation=2,
        warmup_iters=warmup_iters,
    ),
)
# The public code counts the pairwise loss only where an image covers more
# than a quarter and less than three quarters of the canvas.
similarity = dict(
    size=3,
    dilation=2,
    swap_rb=False,
    validity=False,
    num_frames=None,
    gate=dict(canvas=(1024, 1024), low=0.25, high=0.75),
)
# train_cfg of the head.
matching = dict(
    assigner=dict(
        type='HungarianAssigner',
        match_costs=[
            dict(type='ClassificationCost', weight=2.0),
            dict(type='TubeBoxDistanceCost', weight=5.0, p=2),
            dict(type='TubeGIoUCost', weight=2.0),
        ],
    ),
    sampler=dict(type='MaskPseudoSampler'),  # mmdet's head asks for one
)
