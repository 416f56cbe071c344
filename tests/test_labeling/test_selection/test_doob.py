"""DOOB; P7 and every option."""

import numpy as np
import pytest

from pmvis_mm.labeling.selection import doob
from pmvis_mm.structures.rle import area, box_rle, decode, encode
from pmvis_mm.testing.masks import block


def sizes(masks):
    return [None if mask is None else area(mask) for mask in masks]


def p7():
    masks = [block(10, 29, 8, 35), block(20, 43, 30, 53)]
    return masks, [(10, 10, 34, 30), (30, 20, 54, 44)]


def test_p7_overlap_goes_to_the_better_box():
    masks, boxes = p7()
    assert sizes(masks) == [560, 576]
    # A margin that reaches everywhere leaves the overlap step alone.
    assert sizes(doob(masks, boxes, margin=64)) == [500, 576]
    cleaned = doob(masks, boxes)
    assert sizes(cleaned) == [440, 576]
    expected = np.zeros((64, 64), bool)
    expected[10:30, 10:34] = True
    expected[20:30, 30:36] = False
    assert (decode(cleaned[0]) == expected).all()
    assert cleaned[1] == masks[1]
    # The order of the instances plays no part.
    assert doob(masks[::-1], boxes[::-1]) == cleaned[::-1]


def test_p7_nested_the_smaller_box_wins():
    masks = [block(2, 37, 2, 37), block(22, 33, 22, 33)]
    boxes = [(0, 0, 40, 40), (20, 20, 36, 36)]
    cleaned = doob(masks, boxes)
    assert sizes(cleaned) == [36 * 36 - 144, 144]
    assert cleaned[1] == masks[1]


def test_crop_first_removes_false_overlaps():
    # P7: cropped to columns 10-33, A shares 40 pixels: IoU 40 / 480 with
    # its box, 40 / 576 with B's.
    assert sizes(doob(*p7(), crop_first=True)) == [480, 536]
    # A leaks out of its box into B and fits the shared part better.
    masks = [block(0, 9, 0, 9), block(0, 9, 6, 29)]
    boxes = [(0, 0, 6, 10), (6, 0, 30, 10)]
    # Shared columns 6-9: in box B alone, so that B keeps them anyhow.
    assert sizes(doob(masks, boxes)) == [60, 240]
    boxes = [(0, 0, 8, 10), (7, 0, 30, 10)]
    # Shared 40 px, rectangle (6, 0, 10, 10): IoU 20 / 100 with A's box,
    # 30 / 240 with B's. A takes all, then loses columns 8-9 to nobody.
    assert sizes(doob(masks, boxes)) == [80, 200]
    # Cropped, they share column 7 alone: IoU 10 / 80 and 10 / 230.
    assert sizes(doob(masks, boxes, crop_first=True)) == [80, 220]


def test_margin_leaves_a_rim():
    mask, box = block(10, 39, 10, 39), (15.9, 15.2, 34.9, 34.0)
    assert doob([mask], [box]) == [block(15, 33, 15, 33)]
    assert doob([mask], [box], margin=2) == [block(13, 35, 13, 35)]
    assert doob([mask], [box], margin=2, crop_first=True) == doob(
        [mask], [box], margin=2
    )
    # Beyond the frame there is nothing to leave.
    corner = block(0, 5, 0, 5)
    assert doob([corner], [(0, 0, 4, 4)], margin=50) == [corner]


def test_overlap_by_component():
    # Two bars cross one wide block, at its left and at its right end.
    wide = block(0, 9, 0, 49)
    bars = np.zeros((64, 64), bool)
    bars[0:10, 0:4] = bars[0:60, 40:50] = True
    masks, boxes = [wide, encode(bars)], [(0, 0, 50, 10), (38, 0, 50, 60)]
    # As a whole: rectangle (0, 0, 50, 10) is the box of the block.
    whole = doob(masks, boxes, margin=64)
    assert whole[0] == wide
    assert sizes(whole) == [500, 500]
    # By part: (0, 0, 4, 10) lies in the block's box alone; (40, 0, 50, 10)
    # has IoU 100 / 500 with it and 100 / 720 with the other.
    parts = doob(masks, boxes, margin=64, overlap='component')
    assert parts == whole
    boxes = [(0, 0, 50, 10), (38, 0, 50, 20)]
    # Now the right part has IoU 100 / 240 with the second box.
    parts = doob(masks, boxes, margin=64, overlap='component')
    assert sizes(parts) == [400, 600]
    assert sizes(doob(masks, boxes, margin=64)) == [500, 500]


def test_components_touch_at_corners():
    diagonal = np.zeros((64, 64), bool)
    diagonal[0:2, 0:2] = diagonal[2:4, 2:4] = True
    masks = [block(0, 9, 0, 9), encode(diagonal)]
    boxes = [(0, 0, 10, 10), (0, 0, 4, 4)]
    parts = doob(masks, boxes, overlap='component')
    assert parts == doob(masks, boxes)  # eight neighbours: one component


def test_ties_go_to_the_smaller_box_then_to_the_first():
    # The rectangle (4, 0, 6, 2) is outside of both boxes: IoU 0 and 0.
    masks = [block(0, 1, 0, 5), block(0, 1, 4, 9)]
    boxes = [(0, 0, 4, 2), (7, 0, 9, 2)]
    assert sizes(doob(masks, boxes, margin=9)) == [8, 12]
    assert sizes(doob(masks[::-1], boxes[::-1], margin=9)) == [12, 8]
    # Equal boxes: the first keeps.
    masks = [block(0, 9, 0, 9), block(5, 14, 0, 9)]
    boxes = [(0, 0, 10, 15)] * 2
    assert sizes(doob(masks, boxes)) == [100, 50]
    assert doob(masks[::-1], boxes)[0] == masks[1]


def test_three_masks_in_ascending_pairs():
    # All share columns 4-5 of two rows; the smallest box takes them.
    masks = [block(0, 1, 0, 5), block(0, 1, 4, 9)]
    masks.append(block(0, 1, 4, 5))
    boxes = [(0, 0, 6, 2), (4, 0, 10, 2), (4, 0, 6, 2)]
    cleaned = doob(masks, boxes)
    assert sizes(cleaned) == [8, 8, 4]
    total = sum(decode(m).astype(int) for m in cleaned)
    assert total.max() == 1 and total.sum() == 20


@pytest.mark.parametrize('overlap', ['whole', 'component'])
@pytest.mark.parametrize('crop_first', [False, True])
def test_no_pixel_twice_none_outside_none_new(overlap, crop_first):
    rng = np.random.default_rng(0)
    for _ in range(60):
        dense = rng.random((4, 12, 14)) < 0.4
        x0, y0 = rng.uniform(0, 8, (2, 4))
        boxes = [(x, y, x + 6, y + 4) for x, y in zip(x0, y0)]
        cleaned = doob(
            [encode(m) for m in dense],
            boxes,
            crop_first=crop_first,
            overlap=overlap,
        )
        found = [
            np.zeros((12, 14), bool) if m is None else decode(m)
            for m in cleaned
        ]
        assert np.sum(found, axis=0).max() <= 1
        for before, after, box in zip(dense, found, boxes):
            limits = decode(box_rle(box, 12, 14))
            assert not (after & ~(before & limits)).any()
        if crop_first:  # then every pixel finds an owner
            inside = [
                m & decode(box_rle(b, 12, 14)) for m, b in zip(dense, boxes)
            ]
            assert (np.any(found, axis=0) == np.any(inside, axis=0)).all()


def test_masks_that_vanish_become_none():
    mask = block(0, 4, 0, 4)
    assert doob([mask], [(20, 20, 30, 30)]) == [None]
    assert doob([mask], [None]) == [None]
    assert doob([None, mask], [(0, 0, 5, 5), None]) == [None, None]
    assert doob([encode(np.zeros((64, 64)))], [(0, 0, 9, 9)]) == [None]
    # Swallowed by the owner of the overlap.
    masks, boxes = [mask, mask], [(0, 0, 5, 5), (0, 0, 30, 30)]
    assert doob(masks, boxes) == [mask, None]


def test_a_mask_without_box_takes_nothing_away():
    masks = [block(0, 9, 0, 9), block(0, 9, 5, 9)]
    cleaned = doob(masks, [(0, 0, 10, 10), None])
    assert cleaned == [masks[0], None]


def test_input_stays_as_it_is():
    masks, boxes = p7()
    before = [dict(m) for m in masks]
    doob(masks, boxes)
    assert masks == before
    lone = block(3, 4, 3, 4)
    assert doob([lone, None], [(3, 3, 5, 5), None])[0] is lone


def test_nothing_in_and_bad_input():
    assert doob([], []) == []
    assert doob([None], [None]) == [None]
    with pytest.raises(ValueError, match="overlap .*'whole'.*'pixel'"):
        doob([], [], overlap='pixel')
    with pytest.raises(ValueError, match='1 masks but 2 boxes'):
        doob([None], [None, None])
