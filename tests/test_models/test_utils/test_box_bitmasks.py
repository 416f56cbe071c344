import pytest
import torch
import torch.nn.functional as F

from pmvis_mm.models.utils import box_bitmasks, downsample_masks
from pmvis_mm.models.utils.box_bitmasks import box_limits
from pmvis_mm.testing.sample_s import sample_s
from pmvis_mm.utils.errors import ConfigError


def _filled(rows: slice, cols: slice, size=(64, 64)) -> torch.Tensor:
    mask = torch.zeros(size)
    mask[rows, cols] = 1
    return mask


def test_b1_bitmask_areas():
    boxes = sample_s().boxes
    full = box_bitmasks(boxes, (64, 64), stride=1)
    assert full.sum((1, 2)).tolist() == [768, 468, 190]
    assert torch.equal(full[0], _filled(slice(16, 40), slice(12, 44)))
    sampled = box_bitmasks(boxes, (64, 64))
    assert sampled.sum((1, 2)).tolist() == [48, 28, 15]
    assert torch.equal(sampled, full[:, 2::4, 2::4])


def test_p12_box_bitmask_width_by_rule():
    box = torch.tensor([10.0, 0.0, 20.0, 8.0])  # tight around cols 10 to 19
    wide = box_bitmasks(box, (32, 32), stride=1, rule='inclusive')
    exact = box_bitmasks(box, (32, 32), stride=1, rule='exact')
    assert wide[0].nonzero().flatten().tolist() == list(range(10, 21))
    assert exact[0].nonzero().flatten().tolist() == list(range(10, 20))
    assert (wide.any(1).sum(), exact.any(1).sum()) == (9, 8)


def test_exact_covers_every_pixel_that_the_box_touches():
    box = torch.tensor([3.2, 1.0, 5.1, 2.5])
    mask = box_bitmasks(box, (8, 8), stride=1, rule='exact')
    assert torch.equal(mask, _filled(slice(1, 3), slice(3, 6), (8, 8)))


def test_g5_bilinear_by_hand():
    box = torch.tensor([5.0, 3.0, 12.0, 9.0])  # rows 3-8, cols 5-11
    mask = box_bitmasks(box, (16, 16), rule='exact', downsample='bilinear')
    assert torch.equal(mask, _filled(slice(1, 2), slice(1, 3), (4, 4)))
    shifted = box_bitmasks(
        box + 1, (16, 16), rule='exact', downsample='bilinear'
    )
    # Rows 4-9 and cols 6-12: half of column 1, half of row 2.
    assert shifted[1].tolist() == [0, 0.5, 1, 0]
    assert shifted[2].tolist() == [0, 0.25, 0.5, 0]


@pytest.mark.parametrize('stride', [1, 2, 3, 4, 8])
@pytest.mark.parametrize('rule', ['inclusive', 'exact'])
def test_bilinear_equals_interpolation_of_the_full_mask(rule, stride):
    size = (48, 72)
    corners = torch.rand(20, 2, 2) * torch.tensor([72.0, 48.0])
    corners = corners.sort(1).values
    boxes = corners.flatten(1)
    full = box_bitmasks(boxes, size, stride=1, rule=rule)
    expected = F.interpolate(
        full[None],
        (size[0] // stride, size[1] // stride),
        mode='bilinear',
        align_corners=False,
    )[0]
    ours = box_bitmasks(boxes, size, stride, rule, 'bilinear')
    assert torch.allclose(ours, expected, atol=1e-6)
    assert torch.allclose(
        downsample_masks(full, stride, 'bilinear'), expected, atol=1e-6
    )


def test_masks_are_sampled_as_boxes_are():
    masks = torch.rand(2, 3, 16, 24) > 0.5
    ours = downsample_masks(masks)
    assert ours.dtype == torch.float32
    assert torch.equal(ours, masks[..., 2::4, 2::4].float())


@pytest.mark.parametrize('rule', ['inclusive', 'exact'])
@pytest.mark.parametrize('stride', [1, 4])
def test_absent_frames_stay_empty(rule, stride):
    boxes = torch.tensor([[[0.0, 0, 0, 0], [0.0, 0, 8, 8]]])
    masks = box_bitmasks(boxes, (16, 16), stride, rule)
    assert masks[0, 0].sum() == 0
    assert masks[0, 1].sum() > 0


def test_boxes_beyond_the_image_are_clipped():
    box = torch.tensor([-5.0, -9.0, 99.0, 7.0])
    mask = box_bitmasks(box, (16, 16), stride=1, rule='exact')
    assert torch.equal(mask, _filled(slice(0, 7), slice(0, 16), (16, 16)))


def test_no_boxes_give_no_masks():
    assert box_bitmasks(torch.zeros(0, 2, 4), (16, 8)).shape == (0, 2, 4, 2)
    assert downsample_masks(torch.zeros(0, 2, 16, 8)).shape == (0, 2, 4, 2)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(rule='tight'), "rule='tight' is unknown.*inclusive"),
        (dict(downsample='area'), "downsample='area'.*sample2"),
        (dict(size=(18, 16)), '16x18 does not divide by the mask stride 4'),
        (dict(stride=0), 'mask stride 0'),
    ],
)
def test_bad_options_are_refused(options, message):
    options = dict(dict(size=(16, 16)), **options)
    with pytest.raises(ConfigError, match=message):
        box_bitmasks(torch.zeros(1, 4), **options)


def test_limits_are_the_pixels_that_are_filled():
    boxes = torch.tensor(
        [[3.2, 4.0, 9.0, 10.7], [0, 0, 0, 0], [-2.5, 0, 70, 64]]
    )
    exact = box_limits(boxes, 'exact')
    assert exact.tolist() == [[3, 4, 9, 11], [0, 0, 0, 0], [-3, 0, 70, 64]]
    wide = box_limits(boxes, 'inclusive')
    assert wide.tolist() == [[3, 4, 10, 11], [0, 0, 0, 0], [-2, 0, 71, 65]]
    for rule, limits in (('exact', exact), ('inclusive', wide)):
        filled = box_bitmasks(boxes, (64, 64), 1, rule)
        sides = (limits.clamp(0, 64)[:, 2:] - limits.clamp(0, 64)[:, :2]).prod(
            1
        )
        assert torch.equal(filled.sum((1, 2)), sides)
    with pytest.raises(ConfigError, match='rule'):
        box_limits(boxes, 'loose')
