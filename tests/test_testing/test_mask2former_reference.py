"""Parts of the reference that its comparison with mmdet leaves open."""

import pytest
import torch

from pmvis_mm.testing.mask2former_backbones import _places
from pmvis_mm.testing.mask2former_reference import (
    _centers,
    _deformable,
    _hidden,
    _sine,
)
from pmvis_mm.testing.mask2former_weights import (
    mask2former_weights,
    resnet_shapes,
    swin_shapes,
)


def test_queries_without_a_mask_see_everything():
    masks = torch.tensor([[[[-1.0, 2.0]]], [[[-1.0, -2.0]]]])[None]
    assert masks.shape == (1, 2, 1, 1, 2)
    hidden = _hidden(masks, (1, 2))
    assert hidden.tolist() == [[[True, False], [False, False]]]


def test_positions_are_sines_of_one_turn():
    # Half a turn and a turn; the second pair turns 100 times slower.
    found = _sine(2, 4)
    expected = [[0, -1, 0.031411, 0.999507], [0, 1, 0.062791, 0.998027]]
    torch.testing.assert_close(
        found, torch.tensor(expected), rtol=0, atol=1e-5
    )


def test_centers_are_parts_of_the_size():
    expected = [[0.25, 0.5], [0.75, 0.5]]
    assert _centers(1, 2).tolist() == expected  # x first


def test_sampling_without_offsets_reads_the_pixel_itself():
    names = ('sampling_offsets', 'attention_weights')
    weights = {}
    for name, size in zip(names, (2 * 2 * 3, 2 * 3)):
        weights[f'self_attn.{name}.weight'] = torch.zeros(size, 4)
        weights[f'self_attn.{name}.bias'] = torch.zeros(size)
    for name in ('value_proj', 'output_proj'):
        weights[f'self_attn.{name}.weight'] = torch.eye(4)
        weights[f'self_attn.{name}.bias'] = torch.zeros(4)
    tokens = torch.arange(24.0).view(1, 6, 4)
    sizes = [(2, 3)]
    found = _deformable(
        weights, tokens, torch.zeros(6, 4), _centers(2, 3), sizes, 2
    )
    torch.testing.assert_close(found, tokens)
    # One pixel to the right, in all of the samples; zeros outside.
    weights['self_attn.sampling_offsets.bias'][::2] = 1
    found = _deformable(
        weights, tokens, torch.zeros(6, 4), _centers(2, 3), sizes, 2
    )
    assert found[0, :, 0].round().tolist() == [4, 8, 0, 16, 20, 0]


def test_shifted_windows_leave_a_strip():
    rows, columns = _places(torch.Size((4, 1)), 2, 1)
    assert rows.tolist() == [[-1, 0, 0, 1], [1, 0, 1, 0]]
    assert columns.tolist() == [[-1] * 4, [1] * 4]
    rows, _ = _places(torch.Size((4, 1)), 2, 0)
    assert rows.tolist() == [[0, 0, 1, 1], [0, 1, 0, 1]]


def test_index_of_a_window_of_two():
    weights = mask2former_weights(swin_shapes(8, (1,), (1,), 2))
    index = weights['backbone.layers.0.blocks.0.attn.relative_position_index']
    assert index.tolist() == [
        [4, 3, 1, 0],
        [5, 4, 2, 1],
        [7, 6, 4, 3],
        [8, 7, 5, 4],
    ]


@pytest.mark.parametrize(
    ('depths', 'count'), [((3, 4, 6, 3), 265), ((3, 4, 23, 3), 520)]
)
def test_resnets_have_as_many_weights(depths, count):
    # 53 and 104 convolutions, each with a kernel and four of its norm.
    assert len(resnet_shapes(depths)) == count
