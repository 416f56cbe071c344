# Images as clips: two views of one image, augmented independently. Box
# supervision: no mask is loaded. Use with COCOClipDataset, supervision="box".
# ===Frequently modified parameters===
# Shorter sides to choose from in training, and the cap of the longer side.
train_short_edges = (
    320, 352, 392, 416, 448, 480, 512, 544, 576, 608, 640
)  # fmt: skip
train_long_edge = 1333
# Shorter sides to choose from before a crop, without cap.
crop_short_edges = (400, 500, 600)
test_scale = (1333, 640)

# ===Unmodified in most cases===
train_pipeline = [
    # Of the one frame that there is: the same frame twice.
    dict(type='UniformRefFrameSample', num_ref_imgs=1),
    dict(
        type='TransformBroadcaster',
        share_random_params=False,
        transforms=[
            dict(type='LoadVISFrame'),
            dict(type='LoadPseudoMasks', with_mask=False),
            dict(type='RandomFlip', prob=0.5),
            dict(
                type='RandomApply',
                prob=0.5,
                transforms=[
                    dict(
                        type='RandomChoiceResize',
                        scales=[(None, s) for s in crop_short_edges],
                        resize_type='ResizeVISFrame',
                    ),
                    dict(
                        type='RandomCrop',
                        crop_size=(384, 600),
                        crop_type='absolute_range',
                        allow_negative_crop=True,
                    ),
                ],
            ),
            dict(
                type='RandomChoiceResize',
                scales=[(train_long_edge, s) for s in train_short_edges],
                resize_type='ResizeVISFrame',
            ),
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
