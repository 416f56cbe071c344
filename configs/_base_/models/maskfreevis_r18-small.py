# The small Mask2Former for video, trained from boxes. Which losses train it,
# the method says (configs/_base_/methods).
_base_ = './mask2former-video_r18-small.py'
model = dict(
    type='MaskFreeVIS',
    data_preprocessor=dict(type='VISDataPreprocessor'),
    track_head=dict(type='MaskFreeTrackHead'),
)
