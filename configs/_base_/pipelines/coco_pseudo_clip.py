# Images as clips: views of one image that pan and turn, with its true masks.
# Use with COCOClipDataset, supervision="full". Beside a pipeline for videos:
# the names differ, so that a config may have both.
# ===Frequently modified parameters===
coco_num_frames = 4
# Shorter sides to choose from, and the cap of the longer side.
coco_short_edges = tuple(range(288, 513, 32))
coco_long_edge = 768
# Likewise before a crop, and the range of its sides.
coco_crop_short_edges = (400, 500, 600)
coco_crop_long_edge = 1333
coco_crop_size = (384, 600)
coco_angle_range = (-15, 15)

# ===Unmodified in most cases===
coco_train_pipeline = [
    # Of the one frame that there is: the same frame again and again.
    dict(type='ClipFrameSample', num_frames=coco_num_frames),
    dict(
        type='TransformBroadcaster',
        transforms=[
            dict(type='LoadVISFrame'),
            dict(type='LoadPseudoMasks', with_mask=True),
        ],
    ),
    dict(
        type='RandomApply',
        prob=0.5,
        transforms=[
            dict(
                type='TransformBroadcaster',
                share_random_params=True,
                transforms=[
                    dict(
                        type='RandomChoiceResize',
                        scales=[
                            (coco_crop_long_edge, s)
                            for s in coco_crop_short_edges
                        ],
                        resize_type='ResizeVISFrame',
                    )
                ],
            ),
            dict(type='RandomClipInterpCrop', crop_size=coco_crop_size),
        ],
    ),
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(
                type='RandomChoiceResize',
                scales=[(coco_long_edge, s) for s in coco_short_edges],
                resize_type='ResizeVISFrame',
            ),
            dict(type='RandomFlip', prob=0.5),
        ],
    ),
    dict(
        type='RandomClipRotate',
        angle_range=coco_angle_range,
        center_range=(0.4, 0.6),
    ),
    dict(
        type='TransformBroadcaster',
        transforms=[dict(type='FilterTrackInstances', box_source='mask')],
    ),
    dict(type='PackVISInputs'),
]
