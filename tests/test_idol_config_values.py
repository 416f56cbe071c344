"""What the configs of IDOL build, against numbers of the reference."""

from pathlib import Path

import pytest
import torch
from mmengine.config import Config
from mmengine.optim import build_optim_wrapper
from mmengine.registry import DefaultScope

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.registry import MODELS, PARAM_SCHEDULERS

CONFIGS = Path(__file__).resolve().parents[1] / 'configs'
R50 = CONFIGS / 'idol/idol_r50_8xb4-12k_youtubevis2019.py'


@pytest.fixture(scope='module')
def config():
    return Config.fromfile(R50)


@pytest.fixture
def scope():
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        yield


def test_case_15_positional_encoding(config):
    from mmdet.models.layers import SinePositionalEncoding

    cfg = dict(config.model.detector.positional_encoding, num_feats=2)
    mask = torch.zeros(1, 2, 3, dtype=torch.bool)
    mask[..., 2] = True  # padded
    found = SinePositionalEncoding(**cfg)(mask)
    assert found.shape == (1, 4, 2, 3)
    expected = torch.tensor(
        [
            [[1, 1, -0.0962609], [-1, -1, -0.0962609]],
            [[1, -1, -1], [1, -1, -1]],
        ]
    )
    assert torch.allclose(found[0, [0, 2]], expected, atol=1e-5)


@pytest.fixture(scope='module')
def model(config):
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        return MODELS.build(config.model)


def test_case_27_optimiser_groups(config, model, scope):
    wrapper = build_optim_wrapper(model, config.optim_wrapper)
    groups = wrapper.optimizer.param_groups
    backbone = {
        id(p)
        for name, p in model.named_parameters()
        if name.startswith('detector.backbone.') and p.requires_grad
    }
    slow = {
        id(p)
        for group in groups
        for p in group['params']
        if group['lr'] == pytest.approx(1e-5) and p.requires_grad
    }
    # ResNet-50: 53 convolutions, 11 of them (stem, first stage) frozen.
    assert len(backbone) == 42
    assert slow == backbone
    other = {
        id(p)
        for group in groups
        for p in group['params']
        if group['lr'] == pytest.approx(1e-4)
    }
    trainable = {id(p) for p in model.parameters() if p.requires_grad}
    assert slow | other >= trainable and not slow & other
    assert {group['lr'] for group in groups} == {1e-4, 0.1 * 1e-4}
    assert {group['weight_decay'] for group in groups} == {1e-4}
    assert wrapper.clip_grad_kwargs == dict(max_norm=0.01, norm_type=2)


def test_case_27_learning_rate_drops_before_iteration_8000(config, scope):
    parameter = torch.nn.Parameter(torch.zeros(1))
    optimizer = torch.optim.SGD([parameter], lr=1e-4)
    (cfg,) = config.param_scheduler
    scheduler = PARAM_SCHEDULERS.build(dict(cfg, optimizer=optimizer))
    rates = []
    for _ in range(8002):
        rates.append(optimizer.param_groups[0]['lr'])
        optimizer.step()
        scheduler.step()
    # Index 8000, counted from 0, is the first with a tenth.
    assert set(rates[:8000]) == {1e-4}
    assert rates[8000:] == pytest.approx([1e-5, 1e-5])
    assert config.train_cfg.max_iters == 12000
