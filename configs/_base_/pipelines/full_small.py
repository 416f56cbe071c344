# As pseudo_small.py; boxes are the tight boxes of the masks, as in IDOL.
_base_ = './pseudo_small.py'
train_pipeline = _base_.train_pipeline
train_pipeline[1]['transforms'][4]['box_source'] = 'mask'
