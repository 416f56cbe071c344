# R50-DeAOT-L as PM-VIS retrains it: of YouTube-VOS without the 2,238 videos
# that are in YouTube-VIS 2019, 1,233 are left.
_base_ = ['./r50-deaotl_4xb4-100k_youtubevos-davis.py']
# ===Frequently modified parameters===
# The videos of this file are left out.
exclude = 'data/youtube_vis_2019/train.json'

# ===Unmodified in most cases===
train_dataloader = dict(
    dataset=dict(
        dataset=dict(
            datasets=[
                dict(
                    _base_.clip_datasets[0],
                    exclude=exclude,
                    pipeline=_base_.clip_pipeline,
                )
            ]
        )
    )
)
