# As full.py with the larger scales that IDOL uses for OVIS.
_base_ = './box.py'
train_short_edges = tuple(range(480, 801, 32))
train_long_edge = 1333
test_scale = (1333, 720)

train_pipeline = _base_.train_pipeline
train_pipeline[1]['transforms'][1]['with_mask'] = True
train_pipeline[3]['transforms'][2]['box_source'] = 'mask'
train_pipeline[3]['transforms'][0]['scales'] = [
    (train_long_edge, s) for s in train_short_edges
]
test_pipeline = _base_.test_pipeline
test_pipeline[0]['transforms'][1]['scale'] = test_scale
