# Tubes of three frames, without masks, beside pseudo clips of COCO with
# masks: train_pipeline for supervision="box", coco_train_pipeline for
# supervision="full".
_base_ = ['./tube_box.py', './coco_pseudo_clip.py']
num_frames = 3

train_pipeline = _base_.train_pipeline
train_pipeline[0]['num_frames'] = num_frames
