# Clips of DeAOT: one scale, one window, one look per clip. The first part
# runs on every clip, the second on the pair that may be merged.
# ===Frequently modified parameters===
short_edge = 480
crop_size = 465  # 16k + 1; 464 for Swin
merge_prob = 0.3
scale_range = (0.7, 1.3)

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
    dict(type='RandomClipCrop', crop_size=crop_size),
    dict(
        type='TransformBroadcaster',
        share_random_params=True,
        transforms=[
            dict(type='RandomFlip', prob=0.5),
            dict(type='RandomGrayscale', prob=0.05, keep_channels=True),
            dict(type='PhotoMetricDistortion'),
            dict(type='RandomGaussianBlur', prob=0.3),
        ],
    ),
]
merge_pipeline = [
    dict(type='MergeClips', prob=merge_prob),
    dict(type='PackVOSInputs'),
]
