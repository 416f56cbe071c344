# IDOL with ResNet-101.
_base_ = './idol_r50.py'
model = dict(detector=dict(backbone=dict(depth=101)))
