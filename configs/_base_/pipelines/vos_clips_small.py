# As vos_clips.py, for small frames and little or synthetic data: a shaking
# camera, other textures, and objects of two parts.
# ===Frequently modified parameters===
short_edge = 160
scale_range = (0.95, 1.9)
crop_size = 145  # 16k + 1
merge_prob = 0.5
join_prob = 0.25
texture_prob = 0.5  # 0 for real video

# ===Unmodified in most cases===
clip_pipeline = [
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(
                type='RandomResize',
                resize_type='ResizeVISFrame',
                scale=(100 * short_edge, short_edge),
                ratio_range=scale_range,
            ),
        ],
    ),
    dict(
        type='RandomClipMotion',
        camera=dict(shift=0.03, rotate=4, scale=0.04, shear=2),
        prob=0.5,
    ),
    dict(type='RandomClipCrop', crop_size=crop_size, min_pixels=600),
    dict(type='RandomTexture', prob=texture_prob),
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='RandomFlip', prob=0.5),
            dict(type='RandomGrayscale', prob=0.1, keep_channels=True),
            dict(type='PhotoMetricDistortion'),
            dict(type='RandomGaussianBlur', prob=0.3),
        ],
    ),
]
merge_pipeline = [
    dict(type='MergeClips', prob=merge_prob),
    dict(type='JoinObjects', prob=join_prob),
    dict(type='PackVOSInputs'),
]
