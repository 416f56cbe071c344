# PM-VIS on YouTube-VIS 2019, from the boxes to the trained model.
_base_ = '../_base_/labeling_pipeline.py'
# ===Frequently modified parameters===
ann_file = 'data/youtube_vis_2019/train.json'
img_prefix = 'data/youtube_vis_2019/train/JPEGImages/'
# Its masks are judged by, and with supervision='pixel' trained on.
truth_file = ann_file
val_ann_file = 'data/youtube_vis_2019/valid.json'
val_img_prefix = 'data/youtube_vis_2019/valid/JPEGImages/'
keyframe_interval = 10

# ===Unmodified in most cases===
boxinst_config = 'idol_boxinst/idol-boxinst_r50_8xb4-12k_youtubevis2019-box.py'
pseudo_config = 'pm_vis/pm-vis_r50_8xb4-12k_youtubevis2019-pseudo.py'
pixel_config = 'pm_vis/pm-vis_r50_8xb4-12k_youtubevis2019-pixel.py'
