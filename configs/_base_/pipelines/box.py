# Box supervision: no mask is loaded. Use with supervision="box".
# ===Frequently modified parameters===
# Shorter sides to choose from in training, and the cap of the longer side.
train_short_edges = (
    320, 352, 392, 416, 448, 480, 512, 544, 576, 608, 640
)  # fmt: skip
train_long_edge = 768
test_scale = (1333, 480)
num_ref_imgs = 1
frame_range = 10

# ===Unmodified in most cases===
train_pipeline = [
    # Both frames in temporal order; the first one is IDOL's key frame.
    dict(
        type='UniformRefFrameSample',
        num_ref_imgs=num_ref_imgs,
        frame_range=frame_range,
        filter_key_img=True,
    ),
    dict(
        type='TransformBroadcaster',
        transforms=[
            dict(type='LoadVISFrame'),
            dict(type='LoadPseudoMasks', with_mask=False),
        ],
    ),
    # Whether to crop is decided once per clip, where to crop per frame.
    dict(
        type='RandomApply',
        prob=0.5,
        transforms=[
            dict(
                type='TransformBroadcaster',
                share_random_params=False,
                transforms=[
                    dict(
                        type='RandomCrop',
                        crop_size=(384, 600),
                        crop_type='absolute_range',
                        allow_negative_crop=True,
                    )
                ],
            )
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
