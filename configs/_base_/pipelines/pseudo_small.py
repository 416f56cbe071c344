# Small frames as they are, flipped at random: what a laptop can train on.
# ===Frequently modified parameters===
# The longer and the shorter side that frames must fit in.
train_scale = (320, 180)
test_scale = (320, 180)
# How far the second frame of a clip may be from the first.
frame_range = 5

# ===Unmodified in most cases===
train_pipeline = [
    dict(
        type='UniformRefFrameSample',
        num_ref_imgs=1,
        frame_range=frame_range,
        filter_key_img=True,
    ),
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='LoadVISFrame'),
            dict(type='LoadPseudoMasks', with_mask=True),
            dict(type='Resize', scale=train_scale, keep_ratio=True),
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
            dict(type='Resize', scale=test_scale, keep_ratio=True),
        ],
    ),
    dict(type='PackVISInputs'),
]
