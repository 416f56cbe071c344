"""Configs that train DeAOT: numbers of the recipe, a run of a few steps."""

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from torch import nn

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.apis import load_deaot_checkpoint
from pmvis_mm.models.vos import DeAOT
from pmvis_mm.registry import OPTIM_WRAPPERS, PARAM_SCHEDULERS
from pmvis_mm.testing.tiny_vis import write_tiny_vis

pytestmark = pytest.mark.usefixtures('default_scope')

ARCHS = ('deaott', 'deaots', 'deaotb', 'deaotl', 'r50-deaotl', 'swinb-deaotl')


def config(config_root, name):
    return Config.fromfile(config_root / 'deaot' / f'{name}.py')


@pytest.mark.parametrize('arch', ARCHS)
@pytest.mark.parametrize('stage', ['static', 'youtubevos-davis'])
def test_numbers_of_the_recipe(config_root, arch, stage):
    cfg = config(config_root, f'{arch}_4xb4-100k_{stage}')
    network = cfg.model.network
    assert network.arch == arch.replace('-', '_')
    assert cfg.train_dataloader.batch_size == 4
    assert cfg.train_cfg.max_iters == 100000
    first = stage == 'static'
    optimizer = cfg.optim_wrapper.optimizer
    assert optimizer.lr == (4e-4 if first else 2e-4)
    assert optimizer.weight_decay == (0.03 if first else 0.07)
    mixed = cfg.train_dataloader.dataset
    assert mixed.pipeline[0].prob == (1.0 if first else 0.3)
    for part in mixed.dataset.datasets:
        assert part.clip_length == 5
        (crop,) = [t for t in part.pipeline if t.type == 'RandomClipCrop']
        assert crop.crop_size == (464 if arch == 'swinb-deaotl' else 465)
        moves = [t.type for t in part.pipeline].count('RandomClipMotion')
        assert moves == first
    if not first:
        gaps = [part.max_gap for part in mixed.dataset.datasets]
        assert gaps == [3, 12]
        assert cfg.load_from.endswith(
            f'{arch}_4xb4-100k_static/iter_100000.pth'
        )
    average = cfg.custom_hooks[-1]
    assert average.type == 'EMAHook'
    assert average.momentum == pytest.approx(1e-4)


@pytest.mark.filterwarnings('ignore:Detected call of')
@pytest.mark.parametrize(
    'name, last',
    [
        ('deaott_4xb4-100k_static', 2e-5),
        ('deaotl_4xb4-100k_youtubevos-davis', 2e-5),
        ('r50-deaotl_4xb4-100k_static', 1e-5),
        ('swinb-deaotl_4xb4-100k_youtubevos-davis', 1e-5),
        ('r50-deaotl_4xb4-100k_youtubevos-pmvis', 1e-5),
    ],
)
def test_rates_warm_up_and_end_where_they_should(config_root, name, last):
    cfg = config(config_root, name)
    model = nn.ModuleDict(dict(backbone=nn.Linear(1, 1), gpm=nn.Linear(1, 1)))
    base = cfg.optim_wrapper.optimizer.lr
    optimizer = torch.optim.AdamW(
        [
            dict(params=model.backbone.parameters(), lr=0.1 * base),
            dict(params=model.gpm.parameters(), lr=base),
        ]
    )
    wrapper = OPTIM_WRAPPERS.build(
        dict(type='OptimWrapper', optimizer=optimizer)
    )
    schedulers = [
        PARAM_SCHEDULERS.build(
            dict(each), default_args=dict(optimizer=wrapper)
        )
        for each in cfg.param_scheduler
    ]
    rates = []
    for _ in range(cfg.train_cfg.max_iters):
        rates.append([group['lr'] for group in optimizer.param_groups])
        for scheduler in schedulers:
            scheduler.step()
    rates = np.array(rates)
    np.testing.assert_allclose(rates[:, 0], 0.1 * rates[:, 1])
    assert rates[0, 1] == pytest.approx(1e-3 * base)
    assert rates[:, 1].argmax() in range(4998, 5002)
    assert rates[-1, 1] == pytest.approx(last, rel=1e-3)
    assert (np.diff(rates[5002:, 1]) < 0).all()


def test_videos_that_pm_vis_leaves_out(config_root):
    cfg = config(config_root, 'r50-deaotl_4xb4-100k_youtubevos-pmvis')
    (part,) = cfg.train_dataloader.dataset.dataset.datasets
    assert part.source.type == 'YouTubeVOSSource'
    assert part.exclude.endswith('youtube_vis_2019/train.json')


def test_small_config_trains_and_its_weights_can_be_used(
    config_root, tmp_path
):
    write_tiny_vis(tmp_path / 'train', num_videos=3, size=(48, 64))
    cfg = config(config_root, 'deaott_1xb2-2k_own')
    cfg.model.network.backbone.init_cfg = None  # no file to start from
    clips = cfg.train_dataloader.dataset.dataset
    clips.source.dataset.data_root = str(tmp_path)
    clips.clip_length = 3
    clips.pipeline[0].transforms[0].scale = (4800, 48)
    for transform in clips.pipeline:
        if transform.type == 'RandomClipCrop':
            transform.update(crop_size=33, min_pixels=20)
    cfg.train_cfg.max_iters = 4
    cfg.default_hooks.logger.interval = 1
    cfg.work_dir = str(tmp_path / 'work')
    cfg.randomness = dict(seed=0)
    runner = Runner.from_cfg(cfg)
    runner.train()
    history = runner.message_hub.get_scalar('train/loss').data[0]
    assert len(history) == 4 and np.isfinite(history).all()
    network = DeAOT('deaott')
    load_deaot_checkpoint(network, str(tmp_path / 'work/iter_4.pth'))
    weight = network.state_dict()['mask_head.conv_out.weight']
    assert torch.isfinite(weight).all() and weight.abs().sum() > 0
