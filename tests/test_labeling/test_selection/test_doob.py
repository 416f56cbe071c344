"""DOOB (golden P7 of the paper's spec)."""

import numpy as np
import pytest

from pmvis_mm.labeling.selection import doob
from pmvis_mm.structures.rle import area, decode, encode, tight_boxes
from pmvis_mm.testing.masks import block

A, B = block(10, 29, 8, 35), block(20, 43, 30, 53)
BOXES = [(10, 10, 34, 30), (30, 20, 54, 44)]


def test_p7_overlap_then_crop():
    assert [area(A), area(B)] == [560, 576]
    # Without the crop: the overlap (60 pixels) goes to B.
    whole = doob([A, B], [(0, 0, 44, 44), (30, 20, 54, 44)])
    assert [area(m) for m in whole] == [500, 576]
    assert [area(m) for m in doob([A, B], BOXES)] == [440, 576]


def test_p7_nested_overlap_goes_to_the_inner_box():
    found = doob(
        [block(2, 37, 2, 37), block(22, 33, 22, 33)],
        [(0, 0, 40, 40), (20, 20, 36, 36)],
    )
    assert [area(m) for m in found] == [36 * 36 - 144, 144]


def test_crop_first_decides_on_the_rest():
    # Cropped, the overlap is 40 pixels: IoU 40/480 with A, 40/576 with B.
    found = doob([A, B], BOXES, crop_first=True)
    assert [area(m) for m in found] == [480, 536]
    # A mask that reaches over is cut before it can take anything.
    reach = block(10, 29, 10, 60)
    boxes = [(10, 10, 30, 30), (40, 10, 60, 62)]
    other = block(10, 50, 40, 59)
    first = doob([reach, other], boxes, crop_first=True)
    assert [area(m) for m in first] == [400, 820]
    later = doob([reach, other], boxes)
    assert [area(m) for m in later] == [400, 820]


def test_margin_and_truncation():
    # int() of the box: rows 10-29, columns 10-33.
    found = doob([block(0, 63, 0, 63)], [(10.9, 10.9, 34.9, 30.9)])
    assert tight_boxes(found).tolist() == [[10, 10, 34, 30]]
    found = doob([block(0, 63, 0, 63)], [(10, 10, 34, 30)], margin=2)
    assert tight_boxes(found).tolist() == [[8, 8, 36, 32]]
    found = doob([block(0, 63, 0, 63)], [(1, 1, 63, 63)], margin=2)
    assert area(found[0]) == 64 * 64


def test_tie_goes_to_the_smaller_box_then_to_the_first():
    mask = block(0, 9, 0, 9)
    small, large = (0, 0, 20, 10), (0, 0, 10, 40)
    # Overlap 10x10: IoU 1/2 with one, 1/4 with the other; no tie yet.
    assert doob([mask, mask], [large, small])[0] is None
    # Same IoU, same size: the first keeps it.
    found = doob([mask, mask], [small, (0, 0, 10, 20)])
    assert found[0] == mask and found[1] is None
    # Same IoU 1/2 with different sizes: the smaller box wins.
    overlap = block(0, 9, 0, 9)
    inside, around = (0, 0, 10, 5), (0, 0, 10, 20)
    found = doob([overlap, overlap], [around, inside])
    assert found[0] is None and area(found[1]) == 50


def test_whole_overlap_against_components():
    # Two overlaps, one near each box; together their hull covers both.
    first = np.zeros((64, 64), bool)
    first[10:20, 0:10] = first[10:20, 40:50] = True
    boxes = [(0, 10, 10, 20), (40, 10, 50, 20)]
    masks = [encode(first), encode(first)]
    parts = doob(masks, boxes, overlap='component')
    assert [area(m) for m in parts] == [100, 100]
    assert decode(parts[0])[15, 5] and decode(parts[1])[15, 45]
    # As one: a tie of equal boxes, the first keeps all, cropped to its box.
    whole = doob(masks, boxes)
    assert area(whole[0]) == 100 and whole[1] is None


def test_missing_masks_and_boxes():
    found = doob([None, A, B], [BOXES[0], None, BOXES[1]])
    assert found[0] is None and found[1] is None and area(found[2]) == 576
    assert doob([], []) == []
    outside = doob([block(0, 5, 0, 5)], [(30, 30, 40, 40)])
    assert outside == [None]


def test_masks_that_fit_are_left_as_they_are():
    mask = block(10, 29, 10, 33)
    assert doob([mask], BOXES[:1])[0] is mask


def test_results_are_disjoint_and_inside_on_random_masks():
    rng = np.random.default_rng(0)
    for _ in range(50):
        boxes, masks = [], []
        for _ in range(4):
            x, y = rng.integers(0, 40, 2)
            w, h = rng.integers(4, 24, 2)
            boxes.append((x, y, x + w, y + h))
            noise = np.zeros((64, 64), bool)
            noise[y - 2 if y > 2 else 0 : y + h + 2, x : x + w + 2] = True
            masks.append(encode(noise & (rng.random((64, 64)) < 0.7)))
        found = doob(masks, boxes)
        dense = [decode(m) for m in found if m is not None]
        assert np.sum(dense, axis=0).max() <= 1
        for mask, box in zip(found, boxes):
            if mask is not None:
                x0, y0, x1, y1 = tight_boxes([mask])[0]
                assert x0 >= box[0] and y0 >= box[1]
                assert x1 <= box[2] and y1 <= box[3]


@pytest.mark.parametrize(
    'call, message',
    [
        (lambda: doob([A], [], margin=1), '1 masks but 0 boxes'),
        (lambda: doob([A], BOXES[:1], overlap='pixel'), 'overlap'),
    ],
)
def test_bad_arguments(call, message):
    with pytest.raises(ValueError, match=message):
        call()
