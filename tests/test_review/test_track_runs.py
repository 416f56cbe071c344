"""Intervals of all masks of a track, against dense masks."""

import numpy as np
import pytest

from pmvis_mm.review.track_runs import TrackRuns
from pmvis_mm.structures.rle import encode

H, W, T = 11, 17, 6


def random_masks(seed, empty=()):
    rng = np.random.default_rng(seed)
    dense = rng.random((T, H, W)) < rng.uniform(0.2, 0.9, (T, 1, 1))
    dense[list(empty)] = False
    return dense


def runs_of(dense):
    masks = [encode(mask) if mask.any() else None for mask in dense]
    return TrackRuns(masks, H, W)


def test_runs_by_hand():
    first = np.zeros((3, 4), bool)
    first[1:, 1] = first[0, 2] = True  # pixels 4, 5 and 6: one run
    second = np.zeros((3, 4), bool)
    second[0, 0] = second[2, 3] = True  # pixels 0 and 11 of its frame
    runs = TrackRuns([encode(first), None, encode(second)], 3, 4)
    assert runs.starts.tolist() == [4, 24, 35]
    assert runs.stops.tolist() == [7, 25, 36]
    assert runs.frames.tolist() == [0, 2, 2]
    assert runs.areas.tolist() == [3, 0, 2]
    found = runs.contains(np.array([3, 4, 6, 7, 23, 24, 25, 35]))
    assert found.tolist() == [False, True, True] + [False] * 2 + [
        True,
        False,
        True,
    ]


@pytest.mark.parametrize('seed', range(5))
def test_ious_equal_those_of_dense_masks(seed):
    first, second = random_masks(seed, [1]), random_masks(seed + 9, [1, 3])
    common = (first & second).sum((1, 2))
    union = (first | second).sum((1, 2))
    mine, other = runs_of(first), runs_of(second)
    assert mine.intersections(other).tolist() == common.tolist()
    ious = mine.ious(other)
    assert np.isnan(ious[[1, 3]]).all()
    rest = [0, 2, 4, 5]
    np.testing.assert_allclose(ious[rest], common[rest] / union[rest])
    np.testing.assert_array_equal(ious, other.ious(mine))


@pytest.mark.parametrize('seed', range(5))
def test_areas_in_boxes_equal_those_of_dense_masks(seed):
    rng = np.random.default_rng(seed)
    dense = random_masks(seed, [2])
    corner = rng.uniform(-2, 10, (T, 2))
    boxes = np.concatenate([corner, corner + rng.uniform(0, 9, (T, 2))], 1)
    boxes[4] = 0
    expected = []
    for mask, (x0, y0, x1, y1) in zip(dense, boxes):
        rows = slice(max(int(np.floor(y0)), 0), max(int(np.ceil(y1)), 0))
        cols = slice(max(int(np.floor(x0)), 0), max(int(np.ceil(x1)), 0))
        expected.append(mask[rows, cols].sum())
    assert runs_of(dense).areas_in_boxes(boxes).tolist() == expected


def test_samples_are_the_pixels_below_the_grid():
    dense = random_masks(3)
    boxes = np.array([[2.0, 1.0, 10.0, 9.0]] * T)
    cells = runs_of(dense).sample_boxes(boxes, 8)
    # Eight cells on eight pixels: each samples one of them.
    np.testing.assert_array_equal(
        cells, dense[:, 1:9, 2:10].transpose(0, 2, 1)
    )


def test_track_without_any_mask():
    runs = TrackRuns([None] * T, H, W)
    boxes = np.array([[0.0, 0.0, 5.0, 5.0]] * T)
    assert runs.areas.tolist() == [0] * T
    assert runs.areas_in_boxes(boxes).tolist() == [0] * T
    assert not runs.sample_boxes(boxes, 4).any()
    other = runs_of(random_masks(0))
    assert np.isnan(runs.ious(other)).all()
    assert np.isnan(other.ious(runs)).all()


def test_no_frame_at_all():
    runs = TrackRuns([], H, W)
    assert runs.areas.shape == (0,)
    assert runs.ious(runs).shape == (0,)


def test_one_pixel_and_a_full_frame():
    point = np.zeros((H, W), bool)
    point[-1, -1] = True
    full = np.ones((H, W), bool)
    mine = TrackRuns([encode(point), encode(full)], H, W)
    other = TrackRuns([encode(full), encode(full)], H, W)
    np.testing.assert_allclose(mine.ious(other), [1 / (H * W), 1])
