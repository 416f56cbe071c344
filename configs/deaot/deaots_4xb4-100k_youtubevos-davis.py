# DeAOT-S, second stage: YouTube-VOS and DAVIS.
_base_ = './deaott_4xb4-100k_youtubevos-davis.py'
# Weights of the first stage.
load_from = 'work_dirs/deaots_4xb4-100k_static/iter_100000.pth'
model = dict(network=dict(arch='deaots'))
