import pytest
import torch
import torch.nn.functional as F

from pmvis_mm.models.utils.box_points import (
    inclusive_boxes,
    sample_boxes,
    tight_boxes,
)

# Whole, at borders, one pixel, one row, empty, half outside.
BOXES = [
    (0, 0, 20, 16),
    (5, 2, 9, 12),
    (17, 10, 20, 16),
    (6, 3, 7, 4),
    (0, 8, 20, 9),
    (0, 0, 0, 0),
    (4, 4, 4, 9),
    (-3, -2, 5, 6),
    (15, 12, 30, 40),
]
SIZE = (16, 20)


def draw(boxes, size=SIZE):
    masks = torch.zeros(len(boxes), *size)
    for mask, (x1, y1, x2, y2) in zip(masks, boxes):
        mask[max(y1, 0) : max(y2, 0), max(x1, 0) : max(x2, 0)] = 1
    return masks


def read(masks, points):
    """The slow way: rasterised masks, bilinear sampling."""
    grid = (points * 2 - 1)[None, None].expand(len(masks), -1, -1, -1)
    found = F.grid_sample(
        masks[:, None], grid, padding_mode='zeros', align_corners=False
    )
    return found[:, 0, 0]


def test_samples_are_those_of_rasterised_boxes():
    points = torch.rand(3000, 2, generator=torch.Generator().manual_seed(0))
    corners = torch.tensor([[0.0, 0.0], [1.0, 1.0], [0.0, 1.0], [0.5, 0.0]])
    points = torch.cat((points, corners))
    found = sample_boxes(torch.tensor(BOXES), points, SIZE)
    expected = read(draw(BOXES), points)
    torch.testing.assert_close(found, expected, atol=2e-6, rtol=0)
    # There are values in between, and none for empty boxes.
    assert ((found > 0) & (found < 1)).any(1).tolist() == [
        any(box) and box[0] < box[2] for box in BOXES
    ]


def test_samples_by_hand():
    boxes = torch.tensor([[[1, 0, 3, 2]], [[0, 0, 0, 0]]])
    # Columns 1 and 2 of 4, rows 0 and 1 of 2; pixel centres and between.
    points = torch.tensor([[0.375, 0.25], [0.25, 0.25], [0.5, 0.75], [1, 0.5]])
    found = sample_boxes(boxes, points, (2, 4))
    assert found.shape == (2, 1, 4)
    assert found[0, 0].tolist() == [1, 0.5, 1, 0]
    assert not found[1].any()


def test_tight_boxes_against_indices():
    generator = torch.Generator().manual_seed(1)
    masks = torch.rand(40, 3, 7, 9, generator=generator) > 0.97
    found = tight_boxes(masks)
    assert found.shape == (40, 3, 4) and found.dtype == torch.float32
    empty = 0
    for mask, box in zip(masks.flatten(0, 1), found.flatten(0, 1)):
        y, x = mask.nonzero(as_tuple=True)
        expected = [0, 0, 0, 0]
        if len(x):
            expected = [x.min(), y.min(), x.max() + 1, y.max() + 1]
        empty += not len(x)
        assert box.tolist() == [int(value) for value in expected]
    assert 0 < empty < 60


def test_g8_filled_boxes():
    maps = torch.zeros(4, 6, 8, dtype=torch.bool)
    maps[0, 1, 2] = maps[0, 4, 5] = True
    maps[2, 0, 0] = True
    maps[3, 1, 1] = maps[3, 3, 4] = True
    y, x = torch.meshgrid(torch.arange(6), torch.arange(8), indexing='ij')
    centres = torch.stack(((x + 0.5) / 8, (y + 0.5) / 6), -1).view(-1, 2)
    filled = sample_boxes(tight_boxes(maps), centres, (6, 8))
    torch.testing.assert_close(
        filled.sum(1), torch.tensor([16.0, 0.0, 1.0, 12.0])
    )
    torch.testing.assert_close(
        filled[0].view(6, 8), draw([(2, 1, 6, 5)], (6, 8))[0]
    )


def test_g9_normalised_boxes_include_their_last_pixel():
    found = inclusive_boxes(torch.tensor([[3, 2, 9, 8]]), (16, 16))
    assert found.tolist() == [[0.1875, 0.125, 0.5, 0.4375]]
    found = inclusive_boxes(torch.tensor([[12, 8, 36, 32]]), (64, 64))
    assert found.tolist() == [[0.1875, 0.125, 0.546875, 0.484375]]


def test_normalised_boxes_at_borders():
    boxes = torch.tensor(BOXES)
    found = inclusive_boxes(boxes, SIZE)
    assert found[5].tolist() == found[6].tolist() == [0, 0, 0, 0]
    assert found[0].tolist() == pytest.approx([0, 0, 19 / 20, 15 / 16])
    assert found[7].tolist() == pytest.approx([0, 0, 4 / 20, 5 / 16])
    assert found[8].tolist() == pytest.approx([0.75, 0.75, 0.95, 15 / 16])
    # One pixel has no extent, but a place.
    assert found[3].tolist() == pytest.approx([0.3, 3 / 16, 0.3, 3 / 16])


def test_nothing_to_do():
    none = torch.zeros(0, 3, 4)
    assert sample_boxes(none, torch.rand(5, 2), SIZE).shape == (0, 3, 5)
    assert sample_boxes(none, torch.rand(0, 2), SIZE).shape == (0, 3, 0)
    assert inclusive_boxes(none, SIZE).shape == (0, 3, 4)
    masks = torch.zeros(0, 3, 8, 8, dtype=torch.bool)
    assert tight_boxes(masks).shape == (0, 3, 4)
