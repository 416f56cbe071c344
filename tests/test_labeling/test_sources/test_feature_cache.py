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
