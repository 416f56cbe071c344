"""The network: sizes, identities, what is kept of a frame."""

import pytest
import torch
from torch import nn

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.models.vos import DeAOT
from pmvis_mm.models.vos.id_bank import IDBank
from pmvis_mm.registry import MODELS
from pmvis_mm.testing.golden_deaot import golden_propagator
from pmvis_mm.utils.errors import ConfigError


def num_parameters(network):
    """Count as the public code does: its frozen norms have none."""
    frozen = {
        id(p)
        for module in network.modules()
        if isinstance(module, nn.BatchNorm2d)
        for p in module.parameters()
    }
    return sum(p.numel() for p in network.parameters() if id(p) not in frozen)


@pytest.mark.parametrize(
    ('arch', 'millions', 'gap', 'align'),
    [
        ('deaott', 7.24, 9999, True),
        ('deaots', 10.20, 9999, True),
        ('deaotb', 13.17, 9999, True),
        ('deaotl', 13.17, 5, True),
        ('r50_deaotl', 19.81, 5, True),
        ('swinb_deaotl', 70.30, 5, False),
    ],
)
def test_case_9_parameters(default_scope, arch, millions, gap, align):
    network = MODELS.build(dict(type='DeAOT', arch=arch))
    assert round(num_parameters(network) / 1e6, 2) == millions
    assert network.long_term_gap == gap
    assert network.align_corners is align


def test_unknown_arch():
    with pytest.raises(ConfigError, match=r"arch='deaotx' is unknown.*deaot"):
        DeAOT('deaotx')


def test_options_overrule_the_arch(default_scope):
    network = DeAOT('deaotl', num_layers=1, long_term_gap=2)
    assert len(network.gpm.layers) == 1
    assert network.long_term_gap == 2


def test_stays_in_eval_mode(default_scope):
    network = DeAOT('deaott')
    assert not any(module.training for module in network.modules())
    network.train()
    assert not any(module.training for module in network.modules())


def test_case_9_labels_outside_are_nothing_at_all():
    bank = IDBank().eval()
    labels = torch.tensor([[0, 1, 10], [11, 255, -1]])
    hot = bank.one_hot(labels, 1)
    assert hot.shape == (1, 11, 2, 3)
    assert hot[0, :, 0].argmax(0).tolist() == [0, 1, 10]
    assert hot[0].sum(0).tolist() == [[1, 1, 1], [0, 0, 0]]


@pytest.mark.parametrize(('align', 'size'), [(True, 33), (False, 32)])
def test_case_9_nothing_embeds_to_the_bias(align, size):
    torch.manual_seed(0)
    bank = IDBank(align_corners=align).eval()
    cells = 3 if align else 2
    with torch.no_grad():
        nothing = bank(torch.full((size, size), 255), 1)
        ground = bank(torch.zeros(size, size, dtype=torch.long), 1)
        expected = bank.norm(bank.conv.bias)
    assert nothing.shape == (1, cells**2, 256)
    torch.testing.assert_close(nothing, expected.expand_as(nothing))
    assert not torch.allclose(ground, nothing, atol=1e-3)


def test_case_9_groups_see_the_others_as_background():
    labels = torch.tensor([[0, 3, 11, 20, 23, 24, 31]])
    hot = IDBank().one_hot(labels, 3)
    expected = [
        [0, 3, 0, 0, 0, 0, None],
        [0, 0, 1, 10, 0, 0, None],
        [0, 0, 0, 0, 3, 4, None],
    ]
    for group, ids in zip(hot, expected):
        for column, value in enumerate(ids):
            place = group[:, 0, column]
            assert place.nonzero().flatten().tolist() == (
                [] if value is None else [value]
            )


@torch.no_grad()
@pytest.mark.parametrize(
    ('arch', 'size', 'channels'),
    [
        ('deaott', (33, 49), (24, 32, 96)),  # as they come
        ('r50_deaotl', (33, 49), (128, 256, 256)),  # adapted
        ('swinb_deaotl', (32, 48), (128, 256, 256)),
    ],
)
def test_features_keep_the_smaller_maps(default_scope, arch, size, channels):
    network = DeAOT(arch)
    features = network.extract_feat(torch.zeros(1, 3, *size), (40, 60))
    extra = size[0] % 2
    shapes = [
        (1, c, size[0] // s + extra, size[1] // s + extra)
        for c, s in zip((*channels, 256), (4, 8, 16, 16))
    ]
    found = [tuple(x.shape) for x in (*features.pyramid, features.x)]
    assert found == shapes
    assert features.nbytes == 4 * sum(c * h * w for _, c, h, w in shapes)
    assert features.input_shape == size
    assert features.ori_shape == (40, 60)


@torch.no_grad()
def test_mask_head_adapts_early_or_late_with_the_same_result():
    head = golden_propagator('deaott').network.mask_head
    torch.manual_seed(0)
    x = torch.randn(2, 512, 3, 4)
    maps = [
        torch.randn(1, c, 2**k * 2 + 1, 2**k * 3 + 1)
        for c, k in ((24, 2), (32, 1), (96, 0))
    ]
    late = head(x, head.compact(maps))
    head.adapts_early = (True, False, True)
    early = head(x, head.compact(maps))
    assert late.shape == (2, 11, 9, 13)
    torch.testing.assert_close(early, late)
