# Pseudo masks where there are any, boxes as annotated.
_base_ = './box.py'
train_pipeline = _base_.train_pipeline
train_pipeline[1]['transforms'][1]['with_mask'] = True
