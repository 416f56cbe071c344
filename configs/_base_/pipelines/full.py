# Annotated masks; boxes are the tight boxes of the masks, as in IDOL.
_base_ = './box.py'
train_pipeline = _base_.train_pipeline
train_pipeline[1]['transforms'][1]['with_mask'] = True
train_pipeline[3]['transforms'][2]['box_source'] = 'mask'
