# As tube_box.py, tested on larger frames: Swin-L.
_base_ = './tube_box.py'
test_scale = (1333, 480)

test_pipeline = _base_.test_pipeline
test_pipeline[0]['transforms'][1]['scale'] = test_scale
