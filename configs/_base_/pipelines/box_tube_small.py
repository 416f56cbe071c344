# As box_small.py with tubes of several frames in random order, as
# MaskFreeVIS samples them. Use with supervision="box".
_base_ = './pseudo_small.py'
# ===Frequently modified parameters===
num_frames = 3
frame_range = 3

# ===Unmodified in most cases===
train_pipeline = _base_.train_pipeline
train_pipeline[0] = dict(
    type='ClipFrameSample', num_frames=num_frames, frame_range=frame_range
)
train_pipeline[1]['transforms'][1]['with_mask'] = False
