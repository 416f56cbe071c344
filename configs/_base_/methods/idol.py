# IDOL: real masks. A base model with these weights halved is the "IDOL†" of
# the PM-VIS paper's Table VII (W2=0.5).
mask_losses = dict(
    focal=dict(type='MaskFocalLoss', loss_weight=2.0),
    dice=dict(type='MaskDiceLoss', loss_weight=5.0),
)
similarity = None
