# Tubes of MaskFreeVIS with the boxes of its public code: tight boxes of the
# augmented masks. The masks go as soon as the boxes are taken; no model sees
# them. Use with supervision="full".
_base_ = './tube_box.py'
train_pipeline = _base_.train_pipeline
train_pipeline[1]['transforms'][1]['with_mask'] = True
train_pipeline[2]['transforms'][2].update(box_source='mask', keep_masks=False)
