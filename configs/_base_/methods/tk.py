# The temporal KNN-patch loss of MaskFreeVIS between the two frames of IDOL's
# clips, for the methods beside this file.
# ===Frequently modified parameters===
# Per connection 0.1 of the pairwise weight, as in MaskFreeVIS.
tk_weight = 0.2
# Iterations until the loss counts in full: those of the pairwise loss, so
# that the ratio of the two is the same all the time.
tk_warmup_iters = 10000

# ===Unmodified in most cases===
tk = dict(
    type='TKLoss',
    loss_weight=tk_weight,
    matcher=dict(
        type='PatchMatcher',
        patch_size=3,
        search=dict(kernel=3, dilation=3),
        num_neighbors=5,
        metric='l2',
        threshold=0.05,
    ),
    # Of two frames: from each to the other.
    connection='cyclic',
    region='tube',
    normalizer='pairs',
    warmup_iters=tk_warmup_iters,
)
temporal = dict(stride=4, swap_rb=False)
