"""Distributions, choices and agreement, by hand on 8 x 20 pixels."""

import math

import numpy as np
import pytest

from pmvis_mm.evaluation.functional import (
    MaskQuality,
    choice_quality,
    iou_histogram,
    measure_masks,
    source_agreement,
)
from pmvis_mm.structures import (
    BoxTrack,
    MaskTrack,
    PseudoMaskSet,
    VideoAnnotations,
    VideoInfo,
)
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import MaskSetError

LENGTH = 4
BOX = (0.0, 0.0, 10.0, 8.0)
VIDEOS = {1: VideoInfo(1, 20, 8, tuple(f'{t}.png' for t in range(LENGTH)))}
CATEGORIES = [dict(id=1, name='thing')]


def columns(number):
    """A mask over the first columns of the box: IoU = number / 10."""
    return box_rle((0, 0, number, 8), 8, 20) if number else None


def make_set(widths, sources=None, scores=None):
    """One track; ``widths`` per frame, 0 for no mask."""
    result = PseudoMaskSet(VIDEOS, CATEGORIES, {1: []})
    track = MaskTrack.empty_like(BoxTrack(3, 1, 1, [BOX] * LENGTH))
    for t, width in enumerate(widths):
        source = sources[t] if sources else 'any'
        track.set(t, columns(width), source, scores and scores[t])
    result.tracks[1].append(track)
    return result


@pytest.fixture
def truth():
    """Frame 3 has no real mask."""
    masks = [columns(10)] * 3 + [None]
    real = BoxTrack(3, 1, 1, [BOX] * LENGTH, masks)
    return VideoAnnotations(VIDEOS, CATEGORIES, {1: [real]}, 'real')


# --------------------------------------------------------------- histogram
def test_masks_fall_into_the_ranges_of_figure_2():
    ious = [0.0, 0.49, 0.5, 0.59, 0.6, 0.75, 0.8999, 0.9, 1.0, 0.0]
    keys = [(1, t) for t in range(len(ious))]
    quality = MaskQuality(
        dict(zip(keys, ious)), dict.fromkeys(keys, True), {1: 1}
    )
    quality.present[1, 9] = False
    found = iou_histogram(quality)
    # A mask that misses everything is a mask; a missing one is none.
    assert found.missing == 1 and found.counts == [2, 2, 1, 1, 1, 2]
    assert found.total == 10
    assert iou_histogram(quality, [0.75]).counts == [5, 4]


def test_histogram_of_a_set(truth):
    quality = measure_masks(make_set([9, 5, 0, 10]), truth)
    found = iou_histogram(quality)
    assert (found.missing, found.counts) == (1, [0, 1, 0, 0, 0, 1])


def test_histogram_of_nothing():
    found = iou_histogram(MaskQuality())
    assert (found.missing, found.counts, found.total) == (0, [0] * 6, 0)


# ----------------------------------------------------------------- choices
def test_choices_are_judged_by_source(truth):
    one, two = make_set([9, 5, 6, 4]), make_set([8, 9, 2, 9])
    final = make_set([9, 5, 2, 9], ['one', 'one', 'two', 'two'])
    qualities = [measure_masks(masks, truth) for masks in (one, two)]
    found = choice_quality(final, measure_masks(final, truth), qualities)
    assert list(found) == ['one', 'two']
    # Frame 0 is the best, frame 1 is not (0.5 where 0.9 was to be had).
    assert (found['one'].masks, found['one'].judged) == (2, 2)
    assert found['one'].miou == pytest.approx(0.7)
    assert found['one'].best == pytest.approx(0.9)
    assert (found['one'].above_90, found['one'].hits) == (0.5, 0.5)
    # Frame 3 cannot be judged.
    assert (found['two'].masks, found['two'].judged) == (2, 1)
    assert found['two'].miou == pytest.approx(0.2)
    assert found['two'].best == pytest.approx(0.6)
    assert found['two'].hits == 0


def test_a_choice_without_real_masks_or_candidates(truth):
    final = make_set([0, 0, 0, 9], ['one'] * 4)
    found = choice_quality(final, measure_masks(final, truth), [])
    assert (found['one'].masks, found['one'].judged) == (1, 0)
    assert math.isnan(found['one'].miou) and math.isnan(found['one'].hits)
    final = make_set([9, 0, 0, 0], ['changed'] * 4)
    found = choice_quality(final, measure_masks(final, truth), [])
    # Better than all candidates, as there is none.
    assert found['changed'].best == found['changed'].miou == 0.9
    assert found['changed'].hits == 1
    empty = PseudoMaskSet(VIDEOS, CATEGORIES, {1: []})
    assert choice_quality(empty, measure_masks(empty, truth), []) == {}


# --------------------------------------------------------------- agreement
def test_agreement_is_the_mean_where_both_have_a_mask():
    sets = dict(
        a=make_set([10, 8, 0, 4]),
        b=make_set([5, 8, 9, 0]),
        c=make_set([0, 0, 3, 2]),
        none=PseudoMaskSet(VIDEOS, CATEGORIES, {1: []}),
    )
    found = source_agreement(sets)
    assert found.names == ['a', 'b', 'c', 'none']
    nan = math.nan
    expected = [
        [1, (5 / 10 + 1) / 2, 2 / 4, nan],
        [(5 / 10 + 1) / 2, 1, 3 / 9, nan],
        [2 / 4, 3 / 9, 1, nan],
        [nan] * 4,
    ]
    np.testing.assert_allclose(found.ious, expected)
    assert found.counts.tolist() == [
        [3, 2, 1, 0],
        [2, 3, 1, 0],
        [1, 1, 2, 0],
        [0, 0, 0, 0],
    ]


def test_agreement_of_nothing():
    found = source_agreement({})
    assert found.names == [] and found.ious.shape == (0, 0)


def test_agreement_needs_the_same_videos():
    other = PseudoMaskSet(
        {2: VideoInfo(2, 20, 8, ('0.png',))}, CATEGORIES, {2: []}
    )
    with pytest.raises(MaskSetError, match=r'videos \[1, 2\] are only in'):
        source_agreement(dict(a=make_set([1, 1, 1, 1]), b=other))
