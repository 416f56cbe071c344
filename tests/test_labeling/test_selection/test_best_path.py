import itertools

import numpy as np
import pytest

from pmvis_mm.labeling.selection import best_path, suspicion
from pmvis_mm.structures import BoxTrack, MaskTrack
from pmvis_mm.structures.rle import box_rle


def exhaustive(quality, present, cost):
    """Total of the best sequence, by trying all."""
    frames = np.flatnonzero(present.any(0))
    totals = []
    for path in itertools.product(range(len(quality)), repeat=len(frames)):
        if not all(present[s, t] for s, t in zip(path, frames)):
            continue
        changes = sum(a != b for a, b in zip(path, path[1:]))
        total = sum(quality[s, t] for s, t in zip(path, frames))
        totals.append(total - cost * changes)
    return max(totals)


@pytest.mark.parametrize('seed', range(6))
def test_path_is_the_best_of_all(seed):
    rng = np.random.default_rng(seed)
    quality, present = rng.random((3, 6)), rng.random((3, 6)) < 0.7
    cost = float(rng.choice([0, 0.1, 0.5]))
    path = best_path(quality, present, cost)
    frames = np.flatnonzero(present.any(0))
    np.testing.assert_array_equal(path == -1, ~present.any(0))
    assert all(present[path[t], t] for t in frames)
    chosen = [int(path[t]) for t in frames]
    changes = sum(a != b for a, b in zip(chosen, chosen[1:]))
    total = quality[chosen, frames].sum() - cost * changes
    assert total == pytest.approx(exhaustive(quality, present, cost))


def test_one_noisy_frame_does_not_change_the_source():
    quality = np.array([[0.7, 0.7, 0.7], [0.6, 0.72, 0.6]])
    present = np.ones((2, 3), bool)
    assert best_path(quality, present, 0.0).tolist() == [0, 1, 0]
    assert best_path(quality, present, 0.03).tolist() == [0, 0, 0]


def test_ties_go_to_the_last_source():
    same = np.full((3, 2), 0.5)
    assert best_path(same, np.ones((3, 2), bool), 0.1).tolist() == [2, 2]
    assert best_path(same, np.ones((3, 2), bool), 0.0).tolist() == [2, 2]


def test_nothing_to_choose():
    nothing = np.zeros((2, 3), bool)
    assert best_path(np.zeros((2, 3)), nothing, 0.1).tolist() == [-1] * 3
    assert best_path(np.zeros((0, 2)), nothing[:0, :2], 0).tolist() == [-1] * 2


def test_suspicion_is_what_is_missing():
    track = MaskTrack.empty_like(BoxTrack(0, 1, 1, [(0, 0, 4, 4)] * 3))
    assert suspicion(track) == 1
    mask = box_rle((0, 0, 4, 4), 8, 8)
    track.set(0, mask, 'a', 0.9)
    track.set(1, mask, 'a', 0.5)
    assert suspicion(track) == pytest.approx(0.3)
    track.set(2, mask, 'a')  # without a score: not judged
    assert suspicion(track) == pytest.approx(0.3)
    unknown = MaskTrack.empty_like(track)
    unknown.set(0, mask, 'a')
    assert np.isnan(suspicion(unknown))
    absent = BoxTrack(0, 1, 1, [None] * 3)
    assert np.isnan(suspicion(MaskTrack.empty_like(absent)))
