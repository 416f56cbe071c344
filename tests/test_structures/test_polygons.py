import json
from pathlib import Path

import cv2
import numpy as np
import pytest

from pmvis_mm.structures import rle as rles
from pmvis_mm.structures.polygons import (
    mask_polygons,
    outlines,
    ring_area,
    simplify_ring,
)

DAVIS = Path(__file__).parents[3] / 'shared/data/davis_mini'


def _mask(text):
    return np.array([[c == '#' for c in row] for row in text.split()])


def _fill(polygons, shape):
    """As pycocotools does, each polygon by itself."""
    parts = [
        rles.from_any([polygon.ravel().tolist()], *shape)
        for polygon in polygons
    ]
    assert None not in parts
    return rles.decode(rles.union(parts))


def _noise(rng, smooth):
    height, width = (int(n) for n in rng.integers(1, 40, 2))
    values = rng.random((height, width)).astype(np.float32)
    if smooth:
        values = cv2.GaussianBlur(values, (0, 0), 2)
    return values > np.quantile(values, rng.random())


def test_rectangle_by_hand():
    (ring,) = mask_polygons(rles.box_rle((2, 1, 6, 4), 8, 10))
    np.testing.assert_array_equal(ring, [[2, 1], [6, 1], [6, 4], [2, 4]])
    assert ring_area(ring) == 12


def test_full_frame_and_one_pixel():
    (ring,) = mask_polygons(rles.box_rle((0, 0, 5, 3), 3, 5), tolerance=0)
    np.testing.assert_array_equal(ring, [[0, 0], [5, 0], [5, 3], [0, 3]])
    # The tolerance would let a pixel vanish: it stays instead.
    (ring,) = mask_polygons(rles.box_rle((4, 2, 5, 3), 3, 5), tolerance=9)
    assert _fill([ring], (3, 5)).sum() == 1


def test_empty_mask_has_no_polygon():
    assert mask_polygons(rles.encode(np.zeros((4, 5), bool))) == []
    assert outlines(np.zeros((4, 5), bool)) == []


def test_outlines_by_hand():
    (ring,) = outlines(_mask('#.# ###'))
    np.testing.assert_array_equal(
        ring,
        [[0, 0], [1, 0], [1, 1], [2, 1], [2, 0], [3, 0], [3, 2], [0, 2]],
    )


def test_touching_corners_are_one_piece():
    for text in ('#. .#', '.# #.'):
        (ring,) = mask_polygons(rles.encode(_mask(text)), 0)
        assert len(ring) == 8
        np.testing.assert_array_equal(_fill([ring], (2, 2)), _mask(text))


def test_pieces_come_largest_first():
    mask = _mask('#....## #....## .......')
    first, second = mask_polygons(rles.encode(mask), 0)
    assert [ring_area(first), ring_area(second)] == [4, 2]
    assert first.min(0).tolist() == [5, 0]


def test_small_pieces_can_be_left_out():
    mask = rles.encode(_mask('#....## #....## .......'))
    assert len(mask_polygons(mask, 0, min_area=3)) == 1
    assert len(mask_polygons(mask, 0, min_area=99)) == 1  # never the largest


def test_hole_stays_empty():
    mask = np.ones((9, 9), bool)
    mask[2:7, 3:6] = False
    (ring,) = mask_polygons(rles.encode(mask))
    assert len(ring) == 4 + 4 + 2  # to the hole and back
    assert ring_area(ring) == 81 - 15
    np.testing.assert_array_equal(_fill([ring], (9, 9)), mask)
    # Another rule of filling: the sign of the winding does not matter.
    filled = np.zeros((90, 90), np.uint8)
    points = [(ring * 10).round().astype(np.int32)]
    cv2.fillPoly(filled, points, 1)
    assert not filled[35:55, 45:55].any()
    assert filled[5, 5] == filled[85, 85] == 1


def test_piece_in_a_hole():
    mask = np.ones((11, 11), bool)
    mask[2:9, 2:9] = False
    mask[4:7, 4:7] = True
    polygons = mask_polygons(rles.encode(mask), 0)
    assert len(polygons) == 2
    np.testing.assert_array_equal(_fill(polygons, (11, 11)), mask)


@pytest.mark.parametrize('smooth', [False, True])
@pytest.mark.parametrize('tolerance', [0, 0.5])
def test_up_to_half_a_pixel_every_mask_comes_back(smooth, tolerance):
    rng = np.random.default_rng(3)
    for _ in range(60):
        mask = _noise(rng, smooth)
        polygons = mask_polygons(rles.encode(mask), tolerance)
        count, _ = cv2.connectedComponents(mask.astype(np.uint8))
        assert len(polygons) == count - 1
        if mask.any():
            np.testing.assert_array_equal(_fill(polygons, mask.shape), mask)


def _distance(point, ring):
    """Distance from a closed polygon, segment by segment."""
    best = np.inf
    for start, stop in zip(ring, np.roll(ring, -1, axis=0)):
        along = stop - start
        t = np.clip((point - start) @ along / max(along @ along, 1e-9), 0, 1)
        best = min(best, np.linalg.norm(start + t * along - point))
    return best


@pytest.mark.parametrize('tolerance', [0.6, 1.0, 2.5])
def test_outline_keeps_the_tolerance(tolerance):
    rng = np.random.default_rng(5)
    for _ in range(10):
        for ring in outlines(_noise(rng, smooth=True)):
            kept = simplify_ring(ring, tolerance, keep=True)
            assert len(kept) <= len(ring)
            assert {*map(tuple, kept)} <= {*map(tuple, ring)}
            for corner in ring:
                assert _distance(corner, kept) <= tolerance + 1e-9


def test_larger_tolerance_needs_fewer_corners():
    yy, xx = np.mgrid[:200, :200]
    disk = rles.encode((xx - 100) ** 2 + (yy - 90) ** 2 < 80**2)
    rings = [mask_polygons(disk, t)[0] for t in (0, 0.5, 1, 2, 4)]
    sizes = [len(ring) for ring in rings]
    assert sizes == sorted(sizes, reverse=True) and sizes[2] < sizes[0] / 5
    ious = [
        rles.mask_iou([rles.encode(_fill([ring], (200, 200)))], [disk])[0, 0]
        for ring in rings
    ]
    assert ious[0] == ious[1] == 1.0 and ious[2] > 0.98 and ious[4] > 0.94


def test_line_folds_only_if_allowed():
    line = np.array([[0, 0], [9, 0], [9, 1], [0, 1]], float)
    assert len(simplify_ring(line, 2.0)) == 0
    np.testing.assert_array_equal(simplify_ring(line, 2.0, keep=True), line)


def test_real_masks():
    path = DAVIS / 'instances.json'
    if not path.is_file():
        pytest.skip('the clips of davis_mini are not there')
    data = json.loads(path.read_text())
    video = data['videos'][0]
    shape = video['height'], video['width']
    ious = []
    for annotation in data['annotations'][:3]:
        for raw in annotation['segmentations'][::8]:
            mask = rles.from_any(raw, *shape)
            if mask is None or annotation['video_id'] != video['id']:
                continue
            exact = _fill(mask_polygons(mask, 0), shape)
            np.testing.assert_array_equal(exact, rles.decode(mask))
            near = rles.encode(_fill(mask_polygons(mask), shape))
            ious.append(rles.mask_iou([near], [mask])[0, 0])
    assert len(ious) > 3 and min(ious) > 0.9 and np.mean(ious) > 0.95
