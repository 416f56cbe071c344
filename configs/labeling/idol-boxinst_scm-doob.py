# "IDOL-BoxInst-masks" of PM-VIS: a trained IDOL-BoxInst segments its training
# videos; SCM with the HQ-SAM masks tells which mask belongs to which box.
# Cleaned by DOOB. R-50 is the cheaper model; the authors' files speak of
# Swin-L: idol-boxinst_swin-l_8xb4-12k_youtubevis2019-box.py, with its weights.
_base_ = ['../_base_/labeling.py']
# ===Frequently modified parameters===
model_config = (
    '{{fileDirname}}/../idol_boxinst/'
    'idol-boxinst_r50_8xb4-12k_youtubevis2019-box.py'
)
# Trained on the boxes of the very videos that are labelled.
checkpoint = (
    'work_dirs/idol-boxinst_r50_8xb4-12k_youtubevis2019-box/iter_12000.pth'
)
prompted = 'work_dirs/hq-sam_doob/masks.json'

# ===Unmodified in most cases===
test_dataloader = dict(dataset=dict(priors=dict(prompted=prompted)))
model = dict(
    type='VISModelSource',
    config=model_config,
    checkpoint=checkpoint,
    reference='prompted',
    # IDOL goes on from call to call; ten frames pass the network at once.
    clip_length=10,
    # Masks of tracks that IDOL itself stands by at the end of the video.
    mode='tracks',
    assign=dict(method='hungarian', min_scm=0.0, require_label=False),
)
custom_hooks = [dict(type='DOOBHook')]
