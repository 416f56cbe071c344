"""Names of the public DeAOT become ours, all of them."""

import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.registry import MODELS
from pmvis_mm.testing.golden_deaot import golden_weights, official_shapes
from pmvis_mm.utils.deaot_names import (
    is_official,
    official_to_mm,
    to_our_name,
)
from pmvis_mm.utils.errors import CheckpointError


@pytest.mark.parametrize(
    ('arch', 'count'),
    [
        ('deaott', 325),
        ('deaots', 362),
        ('deaotb', 399),
        ('deaotl', 399),
        ('r50_deaotl', 354),
        ('swinb_deaotl', 463),
    ],
)
def test_case_9_all_names_and_shapes(default_scope, arch, count):
    shapes = official_shapes(arch)
    assert len(shapes) == count
    zeros = {name: torch.zeros(shape) for name, shape in shapes.items()}
    weights, report = official_to_mm(zeros)
    network = MODELS.build(dict(type='DeAOT', arch=arch))
    ours = {
        name: value.shape
        for name, value in network.state_dict().items()
        if not name.endswith('num_batches_tracked')
    }
    assert {name: value.shape for name, value in weights.items()} == ours
    assert str(report) == f'{count} of {count} keys used'


@pytest.mark.parametrize(
    ('official', 'ours'),
    [
        ('encoder.layer1.0.bn1.weight', 'backbone.layer1.0.bn1.weight'),
        (
            'encoder.features.2.conv.1.0.weight',
            'backbone.features.2.conv.1.0.weight',
        ),
        (
            'encoder.layers.2.blocks.17.mlp.fc2.bias',
            'backbone.stages.2.blocks.17.ffn.layers.1.bias',
        ),
        ('encoder_projector.bias', 'projector.bias'),
        ('patch_wise_id_bank.weight', 'id_bank.conv.weight'),
        ('id_norm.bias', 'id_bank.norm.bias'),
        (
            'LSTT.layers.1.id_norm1.weight',
            'gpm.layers.1.id_norm1.weight',
        ),
        (
            'LSTT.layers.2.linear_ID_V.weight',
            'gpm.layers.2.linear_id_v.weight',
        ),
        (
            'LSTT.layers.0.self_attn.dw_conv.conv.weight',
            'gpm.layers.0.self_attn.dw_conv.weight',
        ),
        ('LSTT.decoder_norms.0.gn.weight', 'gpm.out_norm.weight'),
        ('decoder.conv_in.gn.bias', 'mask_head.conv_in.gn.bias'),
        ('encoder.layers.0.blocks.0.new.weight', None),
        ('something.else', None),
    ],
)
def test_single_names(official, ours):
    assert to_our_name(official) == ours


def test_patch_merging_is_reordered():
    """Pixels of the public Swin go column by column, mmdet's row by row."""
    value = torch.arange(8.0)  # 4 pixels of 2 channels
    name = 'encoder.layers.0.downsample.norm.weight'
    weights, _ = official_to_mm({name: value, 'LSTT.x': torch.zeros(1)})
    (found,) = weights.values()
    assert found.tolist() == [0, 4, 2, 6, 1, 5, 3, 7]


def test_unknown_names_are_reported():
    weights = golden_weights('deaott')
    weights['head.weight'] = torch.zeros(1)
    found, report = official_to_mm(weights)
    assert report.dropped == ('head.weight',)
    assert len(found) == report.num_used == 325


def test_other_weights_are_refused():
    assert is_official({'LSTT.layers.0.norm1.weight': torch.zeros(1)})
    assert not is_official({'gpm.out_norm.weight': torch.zeros(1)})
    message = r'no weights of the public DeAOT.*conv.weight.*file a.pth'
    with pytest.raises(CheckpointError, match=message):
        official_to_mm({'conv.weight': torch.zeros(1)}, file='a.pth')
