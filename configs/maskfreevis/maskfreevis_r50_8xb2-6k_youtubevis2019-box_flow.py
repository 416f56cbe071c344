# Table 2, "Flow-based Matching": pairs along optical flow instead of patches.
# DIS of OpenCV; for RAFT, as in the paper, set its estimator and weights.
_base_ = './maskfreevis_r50_8xb2-6k_youtubevis2019-box.py'
model = dict(
    track_head=dict(
        mask_losses=dict(
            tk=dict(matcher=dict(_delete_=True, type='FlowMatcher'))
        )
    )
)
val_evaluator = dict(
    outfile_prefix='work_dirs/maskfreevis_r50_8xb2-6k_youtubevis2019-box_flow/val'
)
test_evaluator = val_evaluator
