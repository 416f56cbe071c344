# IDOL-BoxInst: boxes only.
# ===Frequently modified parameters===
# What the released models were trained with; the PM-VIS paper says 0.2, the
# BoxInst paper 0.1.
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
)
# The released PM-VIS feeds blue as red to the colour conversion; swap_rb=True
# repeats that.
similarity = dict(size=3, dilation=2, removed=10, swap_rb=False)
