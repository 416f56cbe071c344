# Masks of HQ-SAM, prompted by the boxes ("HQ-SAM-masks" in PM-VIS), cleaned
# by DOOB.
_base_ = ['../_base_/labeling.py']
# From https://huggingface.co/lkeab/hq-sam; for a smaller one change both:
# vit_l, vit_b, vit_tiny.
arch = 'vit_h'
checkpoint = 'checkpoints/sam_hq_vit_h.pth'
model = dict(
    type='HQSAMSource',
    arch=arch,
    checkpoint=checkpoint,
    encoder_dtype='float32',  # 'bfloat16' is faster on a GPU
    frames_per_batch=4,
)
custom_hooks = [dict(type='DOOBHook')]
