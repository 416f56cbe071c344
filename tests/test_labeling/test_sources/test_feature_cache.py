"""The cache of features: what is kept and what is computed again."""

from types import SimpleNamespace

import pytest

from pmvis_mm.labeling.sources.feature_cache import FeatureCache

FRAMES = list('abcdef')


@pytest.fixture
def cache():
    """Room for three frames."""
    return FeatureCache(lambda x: SimpleNamespace(image=x, nbytes=10), 35)


def fetch(cache, *indices, frames=FRAMES):
    before = cache.num_computed
    for index in indices:
        assert cache.get(frames, index).image == frames[index]
    return cache.num_computed - before


def test_there_and_back_again(cache):
    assert fetch(cache, 0, 1, 2, 3, 4, 5) == 6
    assert fetch(cache, 5, 4, 3) == 0
    # 0 ... 2 had to go, and drive out 5 ... 3 in turn.
    assert fetch(cache, 2, 1, 0) == 3
    assert fetch(cache, 0, 1, 2) == 0


def test_least_recently_used_goes_first(cache):
    fetch(cache, 0, 1, 2)
    fetch(cache, 0)
    fetch(cache, 3)
    assert fetch(cache, 0, 2, 3) == 0
    assert fetch(cache, 1) == 1


def test_another_video_and_clear(cache):
    fetch(cache, 0, 1)
    assert fetch(cache, 0, 1, frames=list('xyz')) == 2
    assert fetch(cache, 0) == 1
    cache.clear()
    assert fetch(cache, 0) == 1


def test_newest_is_held_without_any_room():
    cache = FeatureCache(lambda x: SimpleNamespace(image=x, nbytes=10), 0)
    assert fetch(cache, 1, 1, 1, 2, 1) == 3


# ------------------------------------------------------------------- planning
def test_what_is_not_needed_again_is_not_kept(cache):
    # There and back: the frames beyond 3 are needed once.
    cache.expect(FRAMES, {0: 2, 1: 2, 2: 2, 3: 2, 4: 1, 5: 1})
    assert fetch(cache, 0, 1, 2, 3, 4, 5) == 6
    assert list(cache._kept) == [1, 2, 3]
    assert fetch(cache, 3, 2, 1) == 0
    assert list(cache._kept) == []
    assert fetch(cache, 0) == 1
    assert list(cache._kept) == []


def test_more_uses_than_announced(cache):
    cache.expect(FRAMES, {0: 1})
    assert fetch(cache, 0, 0, 1, 1) == 4


def test_plan_of_another_video_is_dropped(cache):
    cache.expect(FRAMES, {0: 1})
    assert fetch(cache, 0, 0, frames=list('xyz')) == 1


# -------------------------------------------------------------------- spilling
class Spill(dict):
    """Room for some frames."""

    def __init__(self, room):
        super().__init__()
        self.room = room
        self.writes = []

    def put(self, index, features):
        self.writes.append(index)
        if index in self or len(self) < self.room:
            self[index] = features
            return True
        return False


def spilling(room):
    return FeatureCache(
        lambda x: SimpleNamespace(image=x, nbytes=10), 35, Spill(room)
    )


def test_spilled_frames_are_not_computed_again():
    cache = spilling(9)
    for _ in range(3):
        fetch(cache, *range(6))
        fetch(cache, *range(5, -1, -1))
    assert cache.num_computed == 6
    assert len(cache._kept) == 3


def test_plan_spares_writes():
    cache = spilling(9)
    cache.expect(FRAMES, dict.fromkeys(range(6), 2))
    fetch(cache, *range(6))
    assert cache.spill.writes == [0, 1, 2]
    fetch(cache, *range(5, -1, -1))
    assert cache.spill.writes == [0, 1, 2]
    assert cache.num_computed == 6


def test_what_fits_nowhere_is_computed_again():
    cache = spilling(2)
    fetch(cache, *range(6))
    assert sorted(cache.spill) == [0, 1]
    assert fetch(cache, *range(5, -1, -1)) == 1


def test_clear_and_another_video_empty_the_spill():
    cache = spilling(9)
    fetch(cache, *range(6))
    cache.clear()
    assert not cache.spill
    fetch(cache, *range(6))
    assert fetch(cache, 0, frames=list('xyz')) == 1
    assert not cache.spill
