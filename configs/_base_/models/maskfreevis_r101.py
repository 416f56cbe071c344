# MaskFreeVIS with ResNet-101.
_base_ = './maskfreevis_r50.py'
model = dict(backbone=dict(depth=101))
