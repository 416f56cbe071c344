# Tubes of MaskFreeVIS: frames around a key frame in random order, one size
# and one flip for all of them. No mask is loaded. Use with supervision="box".
# ===Frequently modified parameters===
num_frames = 5
frame_range = 5
# Shorter sides to choose from in training, and the cap of the longer side.
train_short_edges = (360, 480)
train_long_edge = 1333
test_scale = (1333, 360)

# ===Unmodified in most cases===
train_pipeline = [
    dict(
        type='ClipFrameSample',
        num_frames=num_frames,
        frame_range=frame_range,
        replace=True,
        shuffle=True,
    ),
    dict(
        type='TransformBroadcaster',
        transforms=[
            dict(type='LoadVISFrame'),
            dict(type='LoadPseudoMasks', with_mask=False),
        ],
    ),
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(
                type='RandomChoiceResize',
                scales=[(train_long_edge, s) for s in train_short_edges],
                resize_type='ResizeVISFrame',
            ),
            dict(type='RandomFlip', prob=0.5),
            dict(type='FilterTrackInstances', box_source='annotation'),
        ],
    ),
    dict(type='PackVISInputs'),
]
test_pipeline = [
    dict(
        type='TransformBroadcaster',
        transforms=[
            dict(type='LoadVISFrame'),
            dict(type='ResizeVISFrame', scale=test_scale),
        ],
    ),
    dict(type='PackVISInputs'),
]
