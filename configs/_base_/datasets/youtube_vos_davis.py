# YouTube-VOS 2019 and DAVIS 2017 as downloaded, for the video stage of DeAOT.
# The leaf config sets the pipelines.
# ===Frequently modified parameters===
youtube_vos_root = 'data/youtube_vos/train/'
davis_root = 'data/DAVIS/'
# Videos to leave out: names, or a file of them, see VOSClipDataset.
exclude = None
clip_length = 5
# Clips per GPU: 4 GPUs x 4 in DeAOT.
batch_size = 4
num_workers = 4

# ===Unmodified in most cases===
clip_datasets = [
    dict(
        type='VOSClipDataset',
        clip_length=clip_length,
        max_gap=3,
        exclude=exclude,
        source=dict(type='YouTubeVOSSource', data_root=youtube_vos_root),
    ),
    dict(
        type='VOSClipDataset',
        clip_length=clip_length,
        max_gap=12,
        repeat=5,  # 60 videos beside 3471
        source=dict(type='DAVISSource', data_root=davis_root),
    ),
]
train_dataloader = dict(
    batch_size=batch_size,
    num_workers=num_workers,
    persistent_workers=True,
    sampler=dict(type='InfiniteSampler', shuffle=True),
    dataset=dict(
        type='MultiImageMixDataset',
        dataset=dict(type='ConcatDataset'),
    ),
)
