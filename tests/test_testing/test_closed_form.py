import math
import zlib

import numpy as np
import pytest
import torch

from pmvis_mm.testing.closed_form import (
    SAM_BOXES,
    det,
    fill,
    sam_image,
    vos_frame,
    vos_label,
)


def scalar_det(name, index, scale):
    """The formula, one number at a time."""
    seed = zlib.crc32(name.encode()) % 10007
    value = math.sin((index + 1) * 12.9898 + seed * 78.233) * 43758.5453
    return scale * ((value - math.floor(value)) * 2 - 1)


def test_det_follows_the_formula_row_by_row():
    values = det('some.weight', (2, 3), 0.5)
    assert values.dtype == torch.float32 and values.shape == (2, 3)
    expected = [scalar_det('some.weight', i, 0.5) for i in range(6)]
    np.testing.assert_allclose(values.flatten(), expected, atol=1e-6)
    assert det('x', (), 2.0).item() == pytest.approx(
        scalar_det('x', 0, 2.0), abs=1e-6
    )
    assert det('x', (0, 4), 1.0).shape == (0, 4)


@pytest.mark.parametrize(
    'name, shape, middle, scale',
    [
        ('a.bn.running_var', (3,), 1, 0.5),
        ('a.bn.running_mean', (3,), 0, 0.1),
        ('a.norm.weight', (3,), 1, 0.1),
        ('a.bias', (3,), 0, 0.1),
        ('a.conv.weight', (2, 3, 5, 5), 0, (3 / 75) ** 0.5),
        ('a.rel_pos_h', (3, 12), 0, 0.5),
    ],
)
def test_each_rule(name, shape, middle, scale):
    (value,) = fill({name: shape}).values()
    expected = middle + det(name, shape, 1.0) * scale
    torch.testing.assert_close(value, expected, atol=1e-6, rtol=0)


def test_counters_are_zero_and_indices_are_left_out():
    names = {
        'bn.num_batches_tracked': (),
        'attn.relative_position_index': (49, 49),
        'attn.attention_bias_idxs': (49, 49),
        'w': (2, 2),
    }
    weights = fill(names)
    assert list(weights) == ['bn.num_batches_tracked', 'w']
    counter = weights['bn.num_batches_tracked']
    assert counter.dtype == torch.long and counter.item() == 0
    assert fill({}) == {}


def test_frames_are_smooth_noise():
    frame = vos_frame(2, 12, 14)
    assert frame.shape == (1, 3, 12, 14)
    noise = det('img2', (1, 3, 12, 14), 1.5)
    # Away from the border: four times the mean of the 9 x 9 neighbours.
    mean = noise[0, 1, 1:10, 2:11].mean()
    torch.testing.assert_close(frame[0, 1, 5, 6], 4 * mean)
    # At the corner the neighbours are mirrored.
    index = [4, 3, 2, 1, 0, 1, 2, 3, 4]
    mean = noise[0, 0][index][:, index].mean()
    torch.testing.assert_close(frame[0, 0, 0, 0], 4 * mean)


def test_labels_are_a_grid():
    label = vos_label(5, 8, 2)
    assert label.shape == (1, 1, 5, 8) and label.dtype == torch.float32
    assert label[0, 0, 0].tolist() == [0, 0, 1, 1, 2, 2, 0, 0]
    assert label[0, 0, 1].tolist() == [1, 1, 2, 2, 0, 0, 1, 1]
    assert vos_label(65, 81, 13).max() == 13


def test_image_and_boxes():
    image = sam_image()
    assert image.shape == (96, 160, 3) and image.dtype == np.uint8
    for y, x, c in ((0, 0, 0), (50, 91, 1), (95, 159, 2)):
        value = 127.5 + 127.5 * math.sin(x / 9 + c) * math.cos(y / 7 - c)
        assert image[y, x, c] == int(value)
    for x0, y0, x1, y1 in SAM_BOXES:
        assert 0 <= x0 < x1 <= 160 and 0 <= y0 < y1 <= 96
