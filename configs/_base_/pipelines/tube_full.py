# Tubes with annotated masks: what box supervision is compared with. Boxes are
# the tight boxes of the masks. Use with supervision="full".
_base_ = './tube_box.py'
train_pipeline = _base_.train_pipeline
train_pipeline[1]['transforms'][1]['with_mask'] = True
train_pipeline[2]['transforms'][2]['box_source'] = 'mask'
