# As pseudo_small.py without masks. Use with supervision="box".
_base_ = './pseudo_small.py'
train_pipeline = _base_.train_pipeline
train_pipeline[1]['transforms'][1]['with_mask'] = False
