import numpy as np
import pytest
import torch
import torch.nn.functional as F

from pmvis_mm.models.utils import full_size_masks, mask_upsampling
from pmvis_mm.utils.errors import FrameError, PMVISError


def _in_reference_order(logits, img_shape, ori_shape) -> torch.Tensor:
    """All instances at once, threshold last, nearest on probabilities."""
    canvas = F.interpolate(
        logits[None], scale_factor=4.0, mode='bilinear', align_corners=False
    )
    prob = canvas.sigmoid()[..., : img_shape[0], : img_shape[1]]
    return F.interpolate(prob, size=ori_shape, mode='nearest')[0] > 0.5


@pytest.mark.parametrize(
    'size, img_shape, ori_shape',
    [
        ((120, 216), (480, 853), (720, 1280)),
        ((30, 48), (120, 180), (96, 144)),
        ((16, 24), (61, 93), (37, 211)),
    ],
)
def test_case_20_equals_the_reference_order(size, img_shape, ori_shape):
    torch.manual_seed(0)
    logits = torch.randn(3, *size)
    masks = full_size_masks(logits, img_shape, ori_shape)
    assert masks.dtype == torch.bool
    assert torch.equal(
        masks, _in_reference_order(logits, img_shape, ori_shape)
    )


def test_by_hand():
    # One row of logits -1, 1 at stride 4: between their centres at 1.5 and
    # 5.5 the value is (x - 3.5) / 2, so columns 4 to 7 are inside.
    logits = torch.tensor([[[-1.0, 1.0]]])
    masks = full_size_masks(logits, (4, 8), (4, 8))
    expected = np.zeros((1, 4, 8), bool)
    expected[..., 4:] = True
    assert np.array_equal(masks.numpy(), expected)
    # Crop to 6 columns, then nearest to 4: columns 0, 1, 3, 4 (floor of
    # 1.5 i), rows 0 and 2.
    masks = full_size_masks(logits, (4, 6), (2, 4))
    assert masks.tolist() == [[[False, False, False, True]] * 2]


def test_other_stride_and_longer_shapes():
    logits = torch.tensor([[[-1.0, 1.0]]])
    masks = full_size_masks(logits, (2, 4, 3), (2, 4, 3), stride=2)
    assert masks.tolist() == [[[False, False, True, True]] * 2]


def test_chunks_change_nothing(monkeypatch):
    torch.manual_seed(0)
    logits = torch.randn(7, 8, 8)
    whole = full_size_masks(logits, (30, 32), (50, 60))
    sizes = []
    resize = mask_upsampling._resize

    def count(chunk, *args):
        sizes.append(len(chunk))
        return resize(chunk, *args)

    monkeypatch.setattr(mask_upsampling, '_resize', count)
    # Two masks of 50 x 60 at once; the original is the larger size.
    monkeypatch.setattr(mask_upsampling, '_CHUNK_PIXELS', 6500)
    assert torch.equal(full_size_masks(logits, (30, 32), (50, 60)), whole)
    assert sizes == [2, 2, 2, 1]
    sizes.clear()
    monkeypatch.setattr(mask_upsampling, '_CHUNK_PIXELS', 10)
    assert torch.equal(full_size_masks(logits, (30, 32), (50, 60)), whole)
    assert sizes == [1] * 7


def test_no_instances():
    masks = full_size_masks(torch.zeros(0, 8, 8), (32, 30), (64, 50))
    assert masks.shape == (0, 64, 50)
    assert masks.dtype == torch.bool


def test_half_precision():
    logits = torch.tensor([[[-1.0, 1.0]]])
    expected = full_size_masks(logits, (4, 8), (9, 9))
    with torch.autocast('cpu', dtype=torch.bfloat16):
        masks = full_size_masks(logits.bfloat16(), (4, 8), (9, 9))
    assert torch.equal(masks, expected)


@pytest.mark.parametrize(
    'shape, img_shape, ori_shape, message',
    [
        ((1, 8, 8), (33, 32), (8, 8), r'\(33, 32\) does not fit .*\(32, 32'),
        ((1, 8, 8), (32, 33), (8, 8), 'does not fit into the padded canvas'),
        ((1, 8, 8), (0, 32), (8, 8), r'img_shape=\(0, 32\) is no frame size'),
        ((1, 8, 8), (32, 32), (8, 0), r'ori_shape=\(8, 0\) is no frame size'),
        ((1, 8, 8), (32, 32), (8,), r'ori_shape=\(8,\) is no frame size'),
        ((8, 8), (32, 32), (8, 8), r'mask logits of shape \(8, 8\) at'),
        ((1, 0, 8), (32, 32), (8, 8), r'mask logits of shape \(1, 0, 8\)'),
    ],
)
def test_bad_sizes(shape, img_shape, ori_shape, message):
    with pytest.raises(FrameError, match=message) as error:
        full_size_masks(torch.zeros(shape), img_shape, ori_shape)
    assert isinstance(error.value, PMVISError)
    assert error.value.fix
