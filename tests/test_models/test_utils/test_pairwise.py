import math

import pytest
import torch

from pmvis_mm.models.utils import (
    bottom_rows,
    color_similarity,
    image_validity,
    neighbor_offsets,
    pairwise_similarity,
)
from pmvis_mm.testing.sample_s import sample_s
from pmvis_mm.utils.errors import ConfigError, PMVISError


def _grey(level: int, size: int = 32) -> torch.Tensor:
    return torch.full((1, 3, size, size), level, dtype=torch.uint8)


def test_b13_g1_neighbour_order():
    # Lightness 10 * row + column; the similarity tells which neighbour it is.
    ramp = torch.zeros(3, 5, 5)
    ramp[0] = 10.0 * torch.arange(5)[:, None] + torch.arange(5)
    similarity = pairwise_similarity(ramp)
    distance = -2 * similarity[:, 2, 2].log()
    neighbors = torch.tensor([0, 2, 4, 20, 24, 40, 42, 44.0])
    assert torch.allclose(distance, (neighbors - 22).abs(), atol=1e-4)
    corner = -2 * similarity[:, 0, 0].log()
    expected = torch.tensor([0, 0, 0, 0, 2, 0, 20, 22.0])
    assert torch.allclose(corner, expected, atol=1e-4)


def test_neighbor_k_seen_back_is_the_mirrored_one():
    offsets = neighbor_offsets(5, 3)
    assert len(offsets) == 24
    assert offsets[0] == (-6, -6)
    for there, back in zip(offsets, reversed(offsets)):
        assert (-there[0], -there[1]) == back


@pytest.mark.parametrize('size, dilation', [(2, 1), (1, 1), (3, 0)])
def test_impossible_neighborhoods_are_refused(size, dilation):
    with pytest.raises(ConfigError, match=f'size={size} and dilation='):
        pairwise_similarity(torch.zeros(3, 4, 4), size, dilation)


def test_b7_similarities_at_one_pixel():
    expected = torch.tensor(
        [0.01122, 0.01041, 0.00882, 0.04138, 0.50380, 0.14521, 0.26702]
        + [0.20581]
    )
    ours = sample_s().similarity()[0, 0, :, 5, 4]
    assert torch.allclose(ours, expected, atol=1e-5)


def test_b12_constant_images():
    grey = color_similarity(_grey(128))[0]
    assert torch.all(grey[:, 2:-2, 2:-2] == 1)
    assert math.isclose(grey[0, 0, 0], 2.313e-12, rel_tol=1e-3)
    assert math.isclose(grey[0, 0, 0], math.exp(-0.5 * 53.585), rel_tol=1e-3)
    # Without validity, a black border is linked to the padding.
    black = color_similarity(_grey(0))
    assert torch.all(black == 1)
    masked = color_similarity(_grey(0), [(32, 32)])[0]
    assert masked[0, 0, 0] == 0
    assert torch.all(masked[:, 2:-2, 2:-2] == 1)


def test_only_the_neighbor_must_be_valid():
    lab = torch.zeros(3, 3, 3)
    valid = torch.ones(3, 3)
    valid[1, 1] = 0
    similarity = pairwise_similarity(lab, dilation=1, valid=valid)
    assert torch.all(similarity[:, 1, 1] == 1)
    assert similarity[-1, 0, 0] == 0  # its lower right neighbour
    assert similarity[4, 0, 0] == 1  # its right neighbour


@pytest.mark.parametrize(
    'augmented, original, rows',
    [(56, 112, 5), (480, 720, 6), (480, 512, 9), (56, 64, 8)],
)
def test_b3_bottom_rows(augmented, original, rows):
    assert bottom_rows(augmented, original) == rows


@pytest.mark.parametrize(
    'augmented, original, rows',
    [(480, 720, 6), (360, 720, 5), (320, 1080, 2)],
)
def test_p11_bottom_rows(augmented, original, rows):
    assert bottom_rows(augmented, original) == rows


def test_p11_bottom_rows_after_a_crop():
    # A crop of 400 rows of a 720 video, resized to 480: the divisor is the
    # height of the video, the crop does not matter.
    assert bottom_rows(h_aug=480, h_orig=720) == 6
    assert bottom_rows(480, 720, removed=0) == 0


def test_validity_samples_the_full_size_mask():
    shapes, size = [(56, 60, 3), (64, 33, 3)], (64, 64)
    full = torch.zeros(2, 64, 64, dtype=torch.bool)
    full[0, :51, :60] = True  # 5 rows of 10 at half the height
    full[1, :54, :33] = True
    ours = image_validity(shapes, size, ori_heights=[112, 64])
    assert torch.equal(ours, full[:, 2::4, 2::4])
    assert image_validity([], size).shape == (0, 16, 16)


def test_lists_of_another_length_are_refused():
    with pytest.raises(PMVISError, match='2 img_shapes for 1 frames'):
        color_similarity(_grey(0), [(32, 32), (32, 32)])
    with pytest.raises(PMVISError, match='2 ori_heights for 1 frames'):
        color_similarity(_grey(0), [(32, 32)], [32, 32])
    with pytest.raises(PMVISError, match='without img_shapes'):
        color_similarity(_grey(0), ori_heights=[32])


def test_no_frames_give_no_similarity():
    empty = torch.zeros(0, 3, 32, 32, dtype=torch.uint8)
    assert color_similarity(empty, []).shape == (0, 8, 8, 8)
