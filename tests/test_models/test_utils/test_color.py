import numpy as np
import pytest
import torch

from pmvis_mm.models.utils import lab_features, rgb_to_lab
from pmvis_mm.utils.errors import PMVISError

MEAN = torch.tensor([123.675, 116.28, 103.53]).view(3, 1, 1)
STD = torch.tensor([58.395, 57.12, 57.375]).view(3, 1, 1)


@pytest.mark.parametrize(
    'rgb, lab',
    [
        ((0, 0, 0), (0, 0, 0)),
        ((255, 255, 255), (100, 0, 0)),
        ((128, 128, 128), (53.585, 0, 0)),
        ((255, 0, 0), (53.2406, 80.0923, 67.2028)),
        ((30, 200, 10), (70.5972, -69.8293, 68.4373)),
        ((10, 200, 30), (70.5001, -70.5138, 64.9408)),
    ],
)
def test_g3_lab_of_known_colors(rgb, lab):
    pixel = torch.tensor(rgb, dtype=torch.uint8).view(3, 1, 1)
    expected = torch.tensor(lab, dtype=torch.float32)
    assert torch.allclose(rgb_to_lab(pixel).flatten(), expected, atol=5e-3)


def test_lab_agrees_with_skimage():
    color = pytest.importorskip('skimage.color')
    levels = np.arange(0, 256, 15, dtype=np.uint8)
    rgb = np.stack(np.meshgrid(levels, levels, levels), -1).reshape(1, -1, 3)
    ours = rgb_to_lab(torch.from_numpy(rgb).permute(2, 0, 1))
    assert ours.dtype == torch.float32
    reference = torch.from_numpy(color.rgb2lab(rgb)).permute(2, 0, 1)
    assert (ours - reference).abs().max() < 1e-3


def test_blocks_are_averaged_then_truncated():
    image = torch.full((1, 3, 4, 4), 127, dtype=torch.uint8)
    image[..., ::2] = 128  # mean 127.5
    lab = lab_features(image)
    assert lab.shape == (1, 3, 1, 1)
    assert torch.equal(lab, rgb_to_lab(torch.full((1, 3, 1, 1), 127)))


def test_swap_rb_exchanges_first_and_last_channel():
    image = torch.randint(0, 256, (2, 5, 3, 8, 8), dtype=torch.uint8)
    swapped = lab_features(image, swap_rb=True)
    assert torch.equal(swapped, lab_features(image.flip(-3)))
    assert swapped.shape == (2, 5, 3, 2, 2)


def test_b14_normalised_images_are_no_source_of_colors():
    levels = torch.arange(256.0).expand(3, 1, 256)
    back = (levels - MEAN) / STD * STD + MEAN
    changed = (back.to(torch.uint8) != levels).sum((1, 2))
    assert changed.tolist() == [4, 1, 2]
    normalised = ((levels - MEAN) / STD).expand(1, 3, 4, 256)
    with pytest.raises(PMVISError, match='before images are normalised'):
        lab_features(normalised)


def test_float_levels_give_what_bytes_give():
    image = torch.randint(0, 256, (1, 3, 8, 8), dtype=torch.uint8)
    assert torch.equal(lab_features(image.float()), lab_features(image))


def test_no_image_gives_no_features():
    empty = torch.zeros(0, 3, 8, 8, dtype=torch.uint8)
    assert lab_features(empty).shape == (0, 3, 2, 2)


@pytest.mark.parametrize(
    'shape, message',
    [
        ((3, 8, 8), r'must be \(\.\.\., 3, H, W\)'),
        ((1, 1, 8, 8), r'must be \(\.\.\., 3, H, W\)'),
        ((1, 3, 8, 10), '10x8 do not divide by the stride 4'),
    ],
)
def test_bad_images_are_refused(shape, message):
    with pytest.raises(PMVISError, match=message):
        lab_features(torch.zeros(shape, dtype=torch.uint8))
