# PM-VIS on OVIS, from the boxes to the trained model.
_base_ = '../_base_/labeling_pipeline.py'
# ===Frequently modified parameters===
ann_file = 'data/ovis/annotations_train.json'
img_prefix = 'data/ovis/train/'
# Its masks are judged by, and with supervision='pixel' trained on.
truth_file = ann_file
val_ann_file = 'data/ovis/annotations_valid.json'
val_img_prefix = 'data/ovis/valid/'
keyframe_interval = 100

# ===Unmodified in most cases===
boxinst_config = 'idol_boxinst/idol-boxinst_r50_8xb2-12k_ovis-box.py'
pseudo_config = 'pm_vis/pm-vis_r50_8xb2-12k_ovis-pseudo.py'
pixel_config = 'pm_vis/pm-vis_r50_8xb2-12k_ovis-pixel.py'
