# As pseudo.py, for losses that compare the two frames of a clip (TKLoss): one
# crop and one scale for both, and frames that are close in time.
_base_ = './box.py'
# ===Frequently modified parameters===
# TKLoss looks for the same point within 12 pixels of the resized frame: 10
# frames, as without it, are too far for most motion.
frame_range = 3

# ===Unmodified in most cases===
train_pipeline = _base_.train_pipeline
train_pipeline[0]['frame_range'] = frame_range
train_pipeline[1]['transforms'][1]['with_mask'] = True
# Size and place of the crop: drawn once per clip.
train_pipeline[2]['transforms'][0]['share_random_params'] = True
