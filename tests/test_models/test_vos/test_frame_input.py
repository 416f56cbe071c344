"""What the network reads: sizes, normalised frames, resized labels."""

import numpy as np
import pytest
import torch

from pmvis_mm.models.vos import network_size, prepare_frame, resize_labels


@pytest.mark.parametrize(
    ('size', 'aligned', 'other'),
    [
        ((480, 854), (481, 849), (480, 848)),
        ((720, 1280), (577, 1041), (592, 1040)),
        ((1080, 1920), (577, 1041), (592, 1040)),
        ((360, 640), (353, 641), (352, 640)),
        ((333, 500), (337, 497), (336, 496)),
        ((1080, 1080), (1041, 1041), (1040, 1040)),
        ((1, 40), (17, 33), (16, 32)),
    ],
)
def test_case_8_size_rule(size, aligned, other):
    assert network_size(*size) == aligned
    assert network_size(*size, align_corners=False) == other
    assert network_size(*size[::-1]) == aligned[::-1]


def test_case_8_short_side_and_scale():
    assert network_size(480, 854, max_short=624, scale=1.3) == (625, 1105)
    # 312 / 480 shrinks first; the longer side then fits.
    assert network_size(480, 854, max_short=312) == (305, 561)
    assert network_size(2000, 2000, max_long=None) == (2001, 2001)


def test_case_8_legacy_nearest():
    labels = torch.arange(7)[None].expand(7, 7)
    assert resize_labels(labels, (5, 5))[0].tolist() == [0, 1, 2, 4, 5]
    assert resize_labels(labels.T, (5, 5))[:, 0].tolist() == [0, 1, 2, 4, 5]
    assert resize_labels(labels, (7, 7)) is labels
    big = torch.full((2, 2), 255)
    assert resize_labels(big, (4, 4)).unique().tolist() == [255]
    assert resize_labels(big, (4, 4)).dtype == torch.int64


def test_frame_is_rgb_and_normalised():
    image = np.zeros((4, 6, 3), np.uint8)
    image[..., 2] = 255  # red in BGR
    x = prepare_frame(image, (4, 6))
    assert x.shape == (1, 3, 4, 6) and x.dtype == torch.float32
    expected = [(1 - 0.485) / 0.229, -0.456 / 0.224, -0.406 / 0.225]
    assert x[0, :, 0, 0].tolist() == pytest.approx(expected, abs=1e-6)


def test_enlarging_overshoots_and_is_not_clamped():
    image = np.zeros((8, 8, 3), np.uint8)
    image[:, 4:] = 255
    red = prepare_frame(image, (8, 33))[0, 0] * 0.229 + 0.485
    assert red.max() > 1.01 and red.min() < -0.01
