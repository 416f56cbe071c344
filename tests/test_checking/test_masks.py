"""Defects of masks, and boxes and areas that disagree with them."""

import math

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from pmvis_mm.structures.rle import box_rle

SIZE = (32, 48)


def put(data, mask, frame=2, area=None):
    entry = data['annotations'][0]
    entry['segmentations'][frame] = mask
    if area is not None:
        entry['areas'][frame] = area
    return data


def test_other_size(data, one):
    mask = box_rle((8, 6, 16, 14), 31, 48)
    place, problem = one(put(data, mask), 'mask-size')
    assert place == (1, 2, 1)
    assert problem == (
        'mask size [31, 48] differs from the frame size [32, 48] (height, '
        'width)'
    )


@pytest.mark.parametrize(
    'mask',
    [
        dict(size=[32, 48], counts='?\x7f'),
        dict(size=[32, 48], counts=''),
        dict(size=[32, 48], counts=box_rle((0, 0, 5, 5), 40, 48)['counts']),
        dict(size=[32, 48], counts=[10, 20]),
        dict(size=[32, 48], counts=[-1, 32 * 48 + 1]),
        dict(size=[32, 48], counts=None),
        dict(counts=[32 * 48], size=[32, 48, 1]),
        dict(size=[32, 48]),
        'mask',
        7,
    ],
)
def test_malformed(data, found_in, mask):
    sized = not isinstance(mask, dict) or mask['size'] == [32, 48]
    code = 'mask-malformed' if sized else 'mask-size'
    (finding,) = found_in(put(data, mask), code)
    assert (finding.video, finding.frame, finding.instance) == (1, 2, 1)
    assert finding.severity == 'error' and finding.repaired


@pytest.mark.parametrize(
    'mask',
    [
        box_rle((0, 0, 0, 0), *SIZE),
        dict(size=[32, 48], counts=[32 * 48]),
    ],
)
def test_empty(data, one, mask):
    place, _ = one(put(data, mask, area=0), 'mask-empty')
    assert place == (1, 2, 1)


def test_other_ways_to_write_a_mask(data, found_in):
    mask = box_rle((8, 6, 16, 14), *SIZE)
    dense = coco_mask.decode(mask)
    runs = np.flatnonzero(np.diff(dense.ravel('F'), prepend=0)).tolist()
    counts = np.diff([0, *runs, dense.size]).tolist()
    for other in (
        dict(size=[32, 48], counts=counts),
        dict(size=[32, 48], counts=[*counts[:-1], counts[-1] - 2, 0, 2]),
        [[8, 6, 16, 6, 16, 14, 8, 14]],
    ):
        found_in(put(data, other))


def test_mask_without_box(data, one):
    data['annotations'][0]['bboxes'][2] = None
    place, _ = one(data, 'mask-without-box')
    assert place == (1, 2, 1)


def test_box_without_mask(data, one):
    put(data, None)
    put(data, [], frame=3)
    data['annotations'][0]['areas'][2:] = [None, None]
    place, problem = one(data, 'box-without-mask')
    assert place == (1, 2, 1) and problem.endswith('no mask in 2 frames')


def test_box_of_something_else(data, one):
    # The mask covers 8..16, 6..14; 2 x 8 of 8 x 8 in common: 16 / 112.
    data['annotations'][0]['bboxes'][2] = [14, 6, 8, 8]
    place, problem = one(data, 'box-mask-mismatch')
    assert place == (1, 2, 1)
    assert 'tight box [8.0, 6.0, 8.0, 8.0]' in problem
    assert problem.endswith('overlap by 0.14 (IoU)')
    # A loose box is one: 64 of 100.
    data['annotations'][0]['bboxes'][2] = [7, 5, 10, 10]
    with pytest.raises(AssertionError):
        one(data, 'box-mask-mismatch')


@pytest.mark.parametrize('area', [60, 68.5, None, 'x', math.nan, True])
def test_area(data, one, area):
    data['annotations'][0]['areas'][2] = area
    place, problem = one(data, 'area-mismatch')
    assert place == (1, 2, 1)
    assert problem.endswith(
        'the first of 1 frames, but the mask has 64 pixels'
    )


def test_rounded_areas(data, found_in):
    data['annotations'][0]['areas'] = [64.0, 63.5, 65, 64]
    found_in(data)


def test_area_of_an_absent_mask(data, one):
    data['annotations'][1]['areas'][3] = 5
    assert one(data, 'area-mismatch')[0] == (1, 3, 2)


@pytest.mark.parametrize(
    'polygons',
    [
        [[8, 6, 16, 6]],
        [[8, 6, 16, 6, 16, 14, 8]],
        [[8, 6, 16, 6, 16, math.nan]],
        [[8, 6, 16, 6, 16, '14']],
        [[8, 6, 16, 6, 16, 1e9]],
        [8, 6, 16, 6, 16, 14],
    ],
)
def test_polygons(data, one, polygons):
    place, problem = one(put(data, polygons), 'polygon-malformed')
    assert place == (1, 2, 1) and problem.startswith('polygon ')


def test_flat_polygon(data, one):
    polygons = [[8, 6, 16, 6, 16, 14, 8, 14], [8, 6, 10, 6, 16, 6]]
    place, problem = one(put(data, polygons), 'polygon-degenerate')
    assert place == (1, 2, 1)
    assert problem == 'polygon [8, 6, 10, 6, 16, 6] encloses nothing'
