"""RLE geometry against dense masks; P15."""

import re
import subprocess
import sys

import numpy as np
import pytest
from pycocotools import mask as coco_mask

from pmvis_mm.structures import rle


def random_masks(number, seed):
    """Small masks of many sizes: noise, blocks, full and empty ones."""
    rng = np.random.default_rng(seed)
    for _ in range(number):
        height, width = rng.integers(1, 9, 2)
        mask = rng.random((height, width)) < rng.choice([0, 0.1, 0.5, 0.9, 1])
        if rng.random() < 0.3:
            mask = np.zeros((height, width), bool)
            y0, x0 = rng.integers(0, [height, width])
            mask[y0 : y0 + 4, x0 : x0 + 4] = True
        yield rng, mask


def dense_box(mask):
    """Half-open xyxy box by indices; zeros for an empty mask."""
    rows, columns = np.nonzero(mask)
    if not len(rows):
        return [0, 0, 0, 0]
    return [columns.min(), rows.min(), columns.max() + 1, rows.max() + 1]


def test_p15_rle():
    mask = np.zeros((16, 16), bool)
    mask[3:7, 2:9] = True
    found = rle.encode(mask)
    assert found == dict(size=[16, 16], counts='S14<00000000000]3')
    assert type(found['counts']) is str
    assert rle.area(found) == 28
    # (x, y, w, h) = (2, 3, 7, 4)
    assert rle.tight_boxes([found]).tolist() == [[2, 3, 9, 7]]
    assert (rle.decode(found) == mask).all()
    assert rle.box_rle((2, 3, 9, 7), 16, 16) == found


@pytest.mark.parametrize('dtype', [bool, np.uint8, np.int64])
def test_encode_takes_any_integer_and_layout(dtype):
    mask = np.zeros((5, 7), dtype)
    mask[1:3, 2:6] = 1 if dtype is bool else 7
    expected = rle.box_rle((2, 1, 6, 3), 5, 7)
    assert rle.encode(mask) == expected
    assert rle.encode(np.asfortranarray(mask)) == expected
    assert rle.encode(mask[::-1, ::-1]) == rle.box_rle((1, 2, 5, 4), 5, 7)
    assert rle.decode(expected).dtype == bool


def test_operations_equal_those_of_dense_masks():
    for rng, one in random_masks(3000, seed=0):
        two = rng.random(one.shape) < rng.random()
        a, b = rle.encode(one), rle.encode(two)
        assert (rle.decode(a) == one).all()
        for found, expected in (
            (rle.complement(a), ~one),
            (rle.subtract(a, b), one & ~two),
            (rle.intersect([a, b]), one & two),
            (rle.union([a, b]), one | two),
        ):
            # Not only the same mask: the canonical text of that mask.
            assert found == rle.encode(expected)
        assert rle.areas([a, b]).tolist() == [one.sum(), two.sum()]
        assert rle.tight_boxes([a])[0].tolist() == dense_box(one)
        total = (one | two).sum()
        iou = (one & two).sum() / total if total else 0
        assert rle.mask_iou([a], [b])[0, 0] == pytest.approx(iou)


def test_complement_of_a_large_mask():
    # Counts of several characters, negative differences included.
    rng = np.random.default_rng(1)
    mask = rng.random((700, 40)) < 0.5
    mask[:, 5:20] = False
    mask[100:, 25] = True
    assert rle.complement(rle.encode(mask)) == rle.encode(~mask)
    twice = rle.complement(rle.complement(rle.encode(mask)))
    assert twice == rle.encode(mask)


def test_box_rle_equals_slices():
    rng = np.random.default_rng(2)
    for _ in range(3000):
        height, width = rng.integers(1, 9, 2)
        box = rng.uniform(-3, 12, 4)
        if rng.random() < 0.3:
            box = np.array([0, 0, width, height])
        x0, y0, x1, y1 = (int(max(v, 0)) for v in box)
        expected = np.zeros((height, width), bool)
        expected[y0:y1, x0:x1] = True
        found = rle.box_rle(box, height, width)
        assert found == rle.encode(expected), (box, height, width)


def test_boxes_are_truncated_not_rounded():
    mask = rle.decode(rle.box_rle((1.9, 0.2, 3.99, 2.5), 4, 6))
    assert dense_box(mask) == [1, 0, 3, 2]


def test_nothing_in():
    empty = rle.encode(np.zeros((4, 5), bool))
    assert rle.area(empty) == 0
    assert rle.areas([]).shape == (0,)
    assert rle.tight_boxes([]).shape == (0, 4)
    assert rle.tight_boxes([None, empty]).tolist() == [[0] * 4] * 2
    assert rle.mask_iou([], [empty]).shape == (0, 1)
    assert rle.mask_iou([empty], []).shape == (1, 0)
    assert rle.mask_iou([empty], [empty]).tolist() == [[0]]


def test_tight_boxes_keep_their_row_beside_none():
    mask = rle.box_rle((1, 2, 4, 3), 5, 6)
    boxes = rle.tight_boxes([None, mask, None])
    assert boxes.tolist() == [[0] * 4, [1, 2, 4, 3], [0] * 4]


def test_from_any_reads_every_form():
    box = rle.box_rle((1, 2, 4, 5), 8, 6)
    as_bytes = dict(box, counts=box['counts'].encode())
    # Columns 1, 2 and 3, rows 2 to 4: 8 + 2 zeros, 3 ones, 5 zeros, ...
    plain = dict(size=[8, 6], counts=[10, 3, 5, 3, 5, 3, 19])
    polygon = [[1, 2, 4, 2, 4, 5, 1, 5]]
    two = [[1, 2, 3, 2, 3, 5, 1, 5], [3, 2, 4, 2, 4, 5, 3, 5]]
    for form in (box, as_bytes, plain, polygon, two):
        assert rle.from_any(form, 8, 6) == box
    assert rle.from_any(dict(box, size=(8, 6)), 8, 6) == box


@pytest.mark.parametrize(
    'empty',
    [
        None,
        [],
        dict(size=[4, 4], counts=[16]),
        dict(size=[4, 4], counts='`0'),
        dict(size=[4, 4], counts=[0, 0, 16]),
        [[0, 0, 0, 0, 0, 0]],
    ],
)
def test_from_any_returns_none_for_nothing(empty):
    assert rle.from_any(empty, 4, 4) is None


def test_from_any_drops_runs_of_length_zero():
    # The same two pixels, rows 1-2 of column 1, told in roundabout ways.
    for counts in (
        [5, 2, 5, 0, 4],
        [2, 0, 3, 2, 9],
        [5, 1, 0, 1, 9],
        [0, 0, 5, 2, 9, 0],
        [5, 0, 0, 2, 9],
    ):
        plain = dict(size=[4, 4], counts=counts)
        for form in (coco_mask.frPyObjects(plain, 4, 4), plain):
            found = rle.from_any(form, 4, 4)
            assert found == rle.box_rle((1, 1, 2, 3), 4, 4)
            assert rle.tight_boxes([found]).tolist() == [[1, 1, 2, 3]]


def test_from_any_drops_random_empty_runs():
    rng = np.random.default_rng(5)
    for _ in range(2000):
        counts = rng.integers(0, 3, rng.integers(1, 14))
        counts[-1] += 1
        dense = np.repeat(np.arange(len(counts)) % 2, counts)[:, None] > 0
        plain = dict(size=[len(dense), 1], counts=counts.tolist())
        expected = rle.encode(dense) if dense.any() else None
        assert rle.from_any(plain, len(dense), 1) == expected


def test_from_any_keeps_canonical_text():
    for _, mask in random_masks(1000, seed=3):
        found = rle.encode(mask)
        expected = found if mask.any() else None
        assert rle.from_any(found, *mask.shape) == expected
        plain = np.flatnonzero(np.diff(mask.ravel('F'))) + 1
        edges = [0, *plain.tolist(), mask.size]
        runs = np.diff(edges).tolist()
        if mask[0, 0]:
            runs = [0, *runs]
        plain_form = dict(size=list(mask.shape), counts=runs)
        assert rle.from_any(plain_form, *mask.shape) == expected


BAD = [
    (5, 'not a segmentation: int'),
    ('S1', 'not a segmentation: str'),
    (dict(size=[4, 4]), 'not a segmentation: dict'),
    (
        dict(size=[4, 5], counts=[20]),
        r'mask size \[4, 5\] differs from .*4, 4',
    ),
    (dict(counts=[16]), 'mask size None differs'),
    (dict(size=[4, 4], counts=[3, 4]), 'counts add up to 7, not to the 16'),
    (dict(size=[4, 4], counts=[-4, 20]), 'negative run'),
    (dict(size=[4, 4], counts=[4.5, 11.5]), 'no integer'),
    (dict(size=[4, 4], counts=['a']), 'no integer'),
    (dict(size=[4, 4], counts=None), 'neither a list nor a COCO string'),
    (dict(size=[4, 4], counts=''), 'neither a list nor a COCO string'),
    (dict(size=[4, 4], counts='P'), 'neither a list nor a COCO string'),
    (dict(size=[4, 4], counts='zz'), 'neither a list nor a COCO string'),
    (dict(size=[4, 4], counts='é1'), 'neither a list nor a COCO string'),
    (dict(size=[4, 4], counts=b'\xff1'), 'neither a list nor a COCO string'),
    (dict(size=[4, 4], counts='442'), 'counts add up to 10, not to the 16'),
    (dict(size=[4, 4], counts='4O='), 'negative run'),
    ([[1, 2, 3, 4]], 'at least 6 coordinates, got 4'),
    ([[1, 2, 3, 4, 5, 6, 7]], 'even number .* got 7'),
    ([1, 2, 3, 4, 5, 6], 'should hold polygons'),
    ([['a'] * 6], 'coordinate that is no number'),
    ([[float('nan')] * 6], 'coordinate that is no number'),
]


@pytest.mark.parametrize('segmentation, message', BAD)
def test_from_any_refuses(segmentation, message):
    with pytest.raises(ValueError, match=message):
        rle.from_any(segmentation, 4, 4)


def test_counts_are_read_as_written():
    for _, mask in random_masks(500, seed=4):
        found = rle._read_counts(rle.encode(mask)['counts'])
        values = np.arange(len(found)) % 2
        dense = np.repeat(values, found).reshape(mask.shape, order='F')
        assert (dense == mask).all()


def test_importing_needs_no_compiled_ops():
    code = (
        'import sys\n'
        'for name in ("torch", "torchvision", "mmcv", "mmdet"):\n'
        '    sys.modules[name] = None\n'
        'import pmvis_mm.structures\n'
        'import pmvis_mm.labeling.selection\n'
        'import pmvis_mm.labeling.filtering\n'
        'import pmvis_mm.evaluation.functional\n'
        'print(pmvis_mm.structures.rle.box_rle((0, 0, 1, 1), 2, 2))\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert re.search("'counts': '013'", done.stdout), done.stderr


def test_coverage_is_the_share_of_the_first_mask():
    whole, left = (
        rle.box_rle((0, 0, 4, 2), 2, 8),
        rle.box_rle((0, 0, 1, 2), 2, 8),
    )
    away, empty = (
        rle.box_rle((4, 0, 8, 2), 2, 8),
        rle.box_rle((0, 0, 0, 0), 2, 8),
    )
    found = rle.mask_coverage([whole, left, empty], [whole, left, away])
    np.testing.assert_allclose(found, [[1, 0.25, 0], [1, 1, 0], [0, 0, 0]])
    assert rle.mask_coverage([], [whole]).shape == (0, 1)
    assert rle.mask_coverage([whole], []).shape == (1, 0)


def test_areas_of_more_masks_than_fit_a_byte():
    masks = [rle.box_rle((0, 0, 1 + i % 5, 2), 4, 6) for i in range(600)]
    expected = [2 * (1 + i % 5) for i in range(600)]
    assert rle.areas(masks).tolist() == expected


def test_run_lengths_of_many_masks_at_once():
    rng = np.random.default_rng(4)
    dense = [rng.random((13, 17)) < share for share in rng.random(20)]
    dense += [np.zeros((13, 17), bool), np.ones((13, 17), bool)]
    dense += [np.ones((13, 17), bool), np.eye(13, 17, dtype=bool)]
    masks = [rle.encode(mask) for mask in dense]
    lengths, numbers = rle.run_lengths(masks)
    assert lengths.sum() == len(dense) * 13 * 17
    for runs, mask in zip(np.split(lengths, np.cumsum(numbers)), dense):
        values = np.arange(len(runs)) % 2
        np.testing.assert_array_equal(
            np.repeat(values, runs), mask.ravel(order='F')
        )
    assert numbers[-4:-1].tolist() == [1, 2, 2]


def test_run_lengths_of_nothing():
    lengths, numbers = rle.run_lengths([])
    assert lengths.shape == numbers.shape == (0,)


@pytest.mark.parametrize('far', [1e308, -1e9, 1101, 10**400])
def test_far_corners_are_refused(far):
    # pycocotools crashes the interpreter, or takes all memory.
    with pytest.raises(ValueError, match='far outside the 10x8 frame'):
        rle.from_any([[0, 0, far, 0, 4, 4]], 8, 10)
    assert rle.from_any(
        [[0, 0, 1000, 0, 1000, 8, 0, 8]], 8, 10
    ) == rle.box_rle((0, 0, 10, 8), 8, 10)


def test_polygons_in_a_frame_beyond_the_counts_of_coco():
    with pytest.raises(ValueError, match='frame is too large'):
        rle.from_any([[0, 0, 4, 0, 4, 4]], 2**16, 2**16)
