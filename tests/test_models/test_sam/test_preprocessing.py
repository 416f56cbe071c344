import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from pmvis_mm.models.sam.preprocessing import (
    boxes_to_input,
    input_shape,
    normalize_and_pad,
    resize_frame,
)
from pmvis_mm.utils.errors import AnnotationError, FrameError


@pytest.mark.parametrize(
    'shape, expected',
    [
        ((720, 1280), (576, 1024)),
        ((333, 500), (682, 1024)),
        ((480, 853), (576, 1024)),
        ((1080, 608), (1024, 576)),
        ((1024, 1024), (1024, 1024)),
        ((1, 5000), (1, 1024)),
    ],
)
def test_case_14_longer_side(shape, expected):
    assert input_shape(*shape, 1024) == expected


def test_frame_is_scaled_with_antialiasing_and_becomes_rgb():
    # Stripes of one pixel: without antialiasing they would survive.
    image = np.zeros((8, 16, 3), np.uint8)
    image[:, ::2] = (40, 80, 240)
    small = resize_frame(image, 4)
    assert small.shape == (2, 4, 3) and small.dtype == np.uint8
    inner = small[:, 1:3].reshape(-1, 3).astype(int)
    assert np.abs(inner - [120, 40, 20]).max() <= 1
    # Twice as large: 3/4 and 1/4 of the neighbours.
    image = np.zeros((2, 2, 3), np.uint8)
    image[:, 1] = 200
    large = resize_frame(image, 4)
    assert large[1, :, 0].tolist() == [0, 50, 150, 200]


def test_frame_of_that_size_is_kept():
    rng = np.random.default_rng(0)
    image = rng.integers(0, 255, (16, 12, 3), dtype=np.uint8)
    np.testing.assert_array_equal(resize_frame(image, 16), image[..., ::-1])


def test_numbers_of_the_network_input():
    rgb = torch.tensor([[[255, 0, 103]]], dtype=torch.uint8)
    x = normalize_and_pad(rgb, 2)
    assert x.shape == (3, 2, 2) and x.dtype == torch.float32
    expected = [
        (255 - 123.675) / 58.395,
        -116.28 / 57.12,
        (103 - 103.53) / 57.375,
    ]
    np.testing.assert_allclose(x[:, 0, 0], expected, rtol=1e-5)
    x[:, 0, 0] = 0
    assert not x.any()  # zeros after the normalisation


@pytest.mark.parametrize(
    'image, message',
    [
        (np.zeros((4, 4), np.uint8), r'got uint8 \(4, 4\)'),
        (np.zeros((4, 4, 4), np.uint8), r'got uint8 \(4, 4, 4\)'),
        (np.zeros((4, 4, 3), np.float32), r'got float32 \(4, 4, 3\)'),
        (np.zeros((0, 4, 3), np.uint8), r'got uint8 \(0, 4, 3\)'),
        (torch.zeros(3, 4, 4), 'got Tensor'),
    ],
)
def test_bad_frames(image, message):
    with pytest.raises(FrameError, match=message):
        resize_frame(image, 16)


def test_boxes_are_clipped_then_scaled_each_way():
    boxes = [[-5, 10, 250, 333], [500, 0, 600, 400]]
    moved = boxes_to_input(boxes, (333, 500), (682, 1024))
    y = 682 / 333  # not 1024 / 500, for the height was rounded
    expected = [[0, 10 * y, 512, 682], [1024, 0, 1024, 682]]
    assert moved.dtype == np.float32
    np.testing.assert_allclose(moved, expected, rtol=1e-6)
    same = boxes_to_input(torch.tensor(boxes), (333, 500), (682, 1024))
    np.testing.assert_array_equal(same, moved)


@pytest.mark.parametrize('boxes', [[], np.zeros((0, 4)), torch.zeros(0, 4)])
def test_no_boxes(boxes):
    assert boxes_to_input(boxes, (4, 4), (16, 16)).shape == (0, 4)


@pytest.mark.parametrize(
    'boxes, message',
    [
        ([1, 2, 3, 4], r'must be \(n, 4\), got \(4,\)'),
        ([[1, 2, 3]], r'must be \(n, 4\), got \(1, 3\)'),
        ([[0, 0, 1, 1], [0, 0, np.nan, 1]], r'box 1 is \[0.0, 0.0, nan'),
        ([[3, 0, 1, 1]], 'box 0 is .*Fix: give finite x0 <= x1'),
    ],
)
def test_bad_boxes(boxes, message):
    with pytest.raises(AnnotationError, match=message):
        boxes_to_input(boxes, (4, 4), (16, 16))
