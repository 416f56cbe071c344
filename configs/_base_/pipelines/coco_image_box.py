# Images as clips of one frame, with large scale jitter: pre-training of
# MaskFreeVIS. No mask is loaded. Use with COCOClipDataset, supervision="box".
# ===Frequently modified parameters===
# Side of the canvas: scales are shares of it, larger images are cropped.
image_size = (1024, 1024)
scale_range = (0.1, 2.0)
test_scale = (1333, 800)

# ===Unmodified in most cases===
train_pipeline = [
    dict(type='ClipFrameSample', num_frames=1),
    dict(
        type='TransformBroadcaster',
        transforms=[
            dict(type='LoadVISFrame'),
            dict(type='LoadPseudoMasks', with_mask=False),
            dict(type='RandomFlip', prob=0.5),
            dict(
                type='RandomResize',
                scale=image_size,
                ratio_range=scale_range,
                resize_type='ResizeVISFrame',
            ),
            dict(
                type='RandomCrop',
                crop_size=image_size,
                crop_type='absolute',
                allow_negative_crop=True,
            ),
            dict(type='FilterTrackInstances', box_source='annotation'),
        ],
    ),
    # Smaller images are padded to the size of their batch, not to the canvas:
    # less to compute. The public code pads with grey, which no loss looks at.
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
