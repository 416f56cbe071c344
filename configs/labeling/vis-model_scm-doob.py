# Masks of a trained VIS model ("IDOL-BoxInst-masks" in PM-VIS): predictions
# on the training videos, assigned to the boxes by SCM, cleaned by DOOB.
_base_ = ['../_base_/labeling.py']
test_dataloader = dict(
    dataset=dict(priors=dict(prompted='work_dirs/grabcut_doob/masks.json'))
)
model = dict(
    type='VISModelSource',
    config='{{fileDirname}}/../mask2former_video/'
    'mask2former-video_r18_1xb4-1k_shapesvis-pseudo.py',
    checkpoint='work_dirs/teacher/latest.pth',
    reference='prompted',
    clip_length=8,  # frames that the model sees at once
)
custom_hooks = [dict(type='DOOBHook')]
