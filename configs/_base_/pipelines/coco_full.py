# As coco_box.py with masks. Boxes are the annotated ones, clipped, also here:
# so was IDOL pre-trained.
_base_ = './coco_box.py'
train_pipeline = _base_.train_pipeline
train_pipeline[1]['transforms'][1]['with_mask'] = True
