# Table 2, "Learnable Pixel Matching".
_base_ = './maskfreevis_r50_8xb2-6k_youtubevis2019-box.py'
model = dict(
    track_head=dict(
        mask_losses=dict(
            tk=dict(
                matcher=dict(
                    _delete_=True, type='LearnedMatcher', patch_size=1
                )
            )
        )
    )
)
val_evaluator = dict(
    outfile_prefix='work_dirs/maskfreevis_r50_8xb2-6k_youtubevis2019-box_learned-pixel/val'
)
test_evaluator = val_evaluator
