# Images that move: camera and objects, each its own way; two images are
# always merged.
_base_ = './vos_clips.py'
motion = dict(
    type='RandomClipMotion',
    camera=dict(shift=0.03, rotate=5, scale=0.05, shear=3),
    objects=dict(shift=0.05, rotate=5, scale=0.05, shear=3),
)
clip_pipeline = [
    _base_.clip_pipeline[0],
    motion,
    *_base_.clip_pipeline[1:],
]
merge_pipeline = [
    dict(type='MergeClips', prob=1.0),
    dict(type='PackVOSInputs'),
]
