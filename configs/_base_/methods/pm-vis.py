# PM-VIS: boxes (W1 = 1) and masks (W2 = 0.5).
# ===Frequently modified parameters===
# Weights are W1 * 2, W1 * 2, W2 * 2, W2 * 5. What the released models were
# trained with; the paper says color_thresh=0.2.
color_thresh = 0.3
# Iterations until the pairwise loss counts in full.
warmup_iters = 10000

# ===Unmodified in most cases===
mask_losses = dict(
    proj=dict(type='BoxProjectionLoss', loss_weight=2.0),
    pairwise=dict(
        type='PairwiseAffinityLoss',
        loss_weight=2.0,
        color_thresh=color_thresh,
        warmup_iters=warmup_iters,
    ),
    focal=dict(type='MaskFocalLoss', loss_weight=1.0),
    dice=dict(type='MaskDiceLoss', loss_weight=2.5),
)
# The released PM-VIS feeds blue as red to the colour conversion; swap_rb=True
# repeats that.
similarity = dict(size=3, dilation=2, removed=10, swap_rb=False)
