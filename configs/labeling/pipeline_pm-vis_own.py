# PM-VIS on a set of one's own, from the boxes to the trained model, with
# models that a small machine can train.
_base_ = '../_base_/labeling_pipeline.py'
# ===Frequently modified parameters===
ann_file = 'data/own/train/boxes.json'
img_prefix = 'data/own/train/JPEGImages/'
# Real masks of the same videos, if there are any: only judged by, and with
# supervision='pixel' trained on.
truth_file = None
val_ann_file = 'data/own/val/instances.json'  # None: no test
val_img_prefix = 'data/own/val/JPEGImages/'
hqsam_arch = 'vit_tiny'
hqsam_checkpoint = 'checkpoints/sam_hq_vit_tiny.pth'
keyframe_interval = 10

# ===Unmodified in most cases===
boxinst_config = 'idol_boxinst/idol-boxinst_r18_1xb4-2k_own-box.py'
pseudo_config = 'pm_vis/pm-vis_r18_1xb4-2k_own-pseudo.py'
pixel_config = 'pm_vis/pm-vis_r18_1xb4-2k_own-pixel.py'
