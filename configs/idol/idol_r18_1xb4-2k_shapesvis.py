# The same on ShapesVIS, whose frames (160x96) stay as they are.
_base_ = ['./idol_r18_1xb4-2k_own.py']
data_root = 'data/shapesvis/'
scale = (160, 96)

train_pipeline = _base_.train_pipeline
train_pipeline[1]['transforms'][2]['scale'] = scale
test_pipeline = _base_.test_pipeline
test_pipeline[0]['transforms'][1]['scale'] = scale
train_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=train_pipeline)
)
val_dataloader = dict(
    dataset=dict(data_root=data_root, pipeline=test_pipeline)
)
test_dataloader = val_dataloader
val_evaluator = dict(ann_file=data_root + _base_.val_ann_file)
test_evaluator = val_evaluator
