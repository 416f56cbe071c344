# As youtube_vis_2022.py for models of whole videos: Mask2Former, MaskFreeVIS.
_base_ = './youtube_vis_2022.py'
# ===Frequently modified parameters===
# Clips per GPU: 8 GPUs x 2 in MaskFreeVIS.
batch_size = 2

# ===Unmodified in most cases===
train_dataloader = dict(batch_size=batch_size)
val_dataloader = dict(
    batch_size=1,
    sampler=dict(
        _delete_=True, type='DefaultSampler', shuffle=False, round_up=False
    ),
)
test_dataloader = val_dataloader
