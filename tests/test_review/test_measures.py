"""How suspicious a track is, on masks made by hand."""

import math

import numpy as np
import pytest

from pmvis_mm.review.measures import (
    HALF_TRUST,
    FrameMeasures,
    combine,
    family,
    mean_agreement,
    measure_frames,
    measure_track,
    worst,
)
from pmvis_mm.review.track_runs import TrackRuns
from pmvis_mm.structures import MaskTrack
from pmvis_mm.structures.rle import box_rle

SIZE = 64
BOX = (10.0, 10.0, 20.0, 30.0)  # 200 pixels
NAN = float('nan')


def measure(masks, boxes, agreement=None):
    masks = [mask and box_rle(mask, SIZE, SIZE) for mask in masks]
    if agreement is None:
        agreement = np.full(len(masks), NAN)
    return measure_frames(TrackRuns(masks, SIZE, SIZE), boxes, agreement)


# ------------------------------------------------------------------ agreement
def test_agreement_leaves_the_own_source_out():
    ious = dict(
        a=np.array([1.0, 0.4]), b=np.array([0.6, 1.0]), c=np.array([0.2, 0.8])
    )
    found = mean_agreement(ious, ['a', 'b'])
    np.testing.assert_allclose(found, [(0.6 + 0.2) / 2, (0.4 + 0.8) / 2])


def test_agreement_leaves_variants_of_the_own_source_out():
    ious = {'a': np.array([1.0]), 'a, raw': np.array([0.9])}
    assert family('a, raw') == 'a'
    assert np.isnan(mean_agreement(ious, ['a'])).all()
    ious['b'] = np.array([0.3])
    assert mean_agreement(ious, ['a']).tolist() == [0.3]
    assert mean_agreement(ious, ['a, raw']).tolist() == [0.3]


def test_agreement_of_a_source_with_another_name_goes_by_equal_masks():
    ious = dict(a=np.array([1.0, 0.7]), b=np.array([0.5, 0.5]))
    # In frame 0 it is a copy of 'a'; in frame 1 it is neither of them.
    found = mean_agreement(ious, ['merged', 'merged'])
    np.testing.assert_allclose(found, [0.5, 0.6])


def test_agreement_is_nan_without_another_mask():
    ious = dict(a=np.array([1.0, NAN]), b=np.array([NAN, 0.5]))
    found = mean_agreement(ious, ['a', 'a'])
    assert np.isnan(found[0]) and found[1] == 0.5
    assert np.isnan(mean_agreement({}, ['a'])).all()
    assert mean_agreement({}, []).shape == (0,)


# --------------------------------------------------------------------- frames
def test_overflow_is_the_share_outside_of_the_box():
    # 20 x 20 at (10, 10): the box holds its left half.
    found = measure([(10, 10, 30, 30), BOX, None, BOX], [BOX, BOX, BOX, None])
    np.testing.assert_array_equal(found.overflow, [0.5, 0, NAN, 1])


def test_a_pixel_that_the_box_covers_in_part_is_inside():
    box = (10.5, 10.5, 19.5, 29.5)
    assert measure([BOX], [box]).overflow.tolist() == [0]


def test_area_jump_is_no_growth_of_the_object():
    boxes = [(10.0, 10.0, 20.0, 20.0), (10.0, 10.0, 30.0, 30.0)]
    found = measure([(10, 10, 20, 15), (10, 10, 30, 20)], boxes)
    assert np.isnan(found.area_jump[0])
    assert found.area_jump[1] == pytest.approx(0)
    found = measure([(10, 10, 20, 15), (10, 10, 30, 30)], boxes)
    assert found.area_jump[1] == pytest.approx(math.log(2))
    found = measure([(10, 10, 20, 20), (10, 10, 30, 20)], boxes)
    assert found.area_jump[1] == pytest.approx(math.log(2))


def test_area_jump_needs_two_masks_with_boxes_in_a_row():
    found = measure([BOX, None, BOX, BOX], [BOX, BOX, BOX, None])
    assert np.isnan(found.area_jump).all()


def test_flicker_follows_motion_and_zoom():
    # The left half of a box that moves and doubles.
    boxes = [(0.0, 0.0, 24.0, 24.0), (10.0, 5.0, 58.0, 53.0)]
    found = measure([(0, 0, 12, 24), (10, 5, 34, 53)], boxes)
    assert np.isnan(found.flicker[0]) and found.flicker[1] == 0
    # Then the right half: nothing in common.
    found = measure([(0, 0, 12, 24), (34, 5, 58, 53)], boxes)
    assert found.flicker[1] == 1
    # Then everything: IoU 1/2.
    found = measure([(0, 0, 12, 24), (10, 5, 58, 53)], boxes)
    assert found.flicker[1] == 0.5


def test_flicker_when_the_mask_comes_or_goes_while_the_box_stays():
    masks, boxes = [BOX, None, None, BOX, None], [BOX] * 4 + [None]
    found = measure(masks, boxes)
    np.testing.assert_array_equal(found.flicker, [NAN, 1, NAN, 1, NAN])
    assert found.missing.tolist() == [False, True, True, False, False]


def test_measures_of_nothing():
    found = measure([], [])
    assert found.overflow.shape == found.flicker.shape == (0,)
    found = measure([None], [BOX])
    assert found.missing.tolist() == [True]
    assert np.isnan(found.overflow).all() and np.isnan(found.flicker).all()


# ---------------------------------------------------------------------- track
def test_worst_forgives_one_frame_of_many():
    assert worst(np.array([0.0] * 19 + [1.0])) == 0
    assert worst(np.array([0.0, 1.0])) == pytest.approx(0.9)
    assert worst(np.array([NAN, 0.25])) == 0.25
    assert math.isnan(worst(np.array([NAN])))


def track_of(scores, masks=None):
    length = len(scores)
    mask = box_rle(BOX, SIZE, SIZE)
    masks = masks or [mask] * length
    sources = [mask and 's' for mask in masks]
    return MaskTrack(1, 1, 1, masks, [BOX] * length, sources, scores)


def frames_of(length, **values):
    nothing = dict.fromkeys(
        ('agreement', 'overflow', 'area_jump', 'flicker'),
        np.full(length, NAN),
    )
    values.setdefault('missing', np.zeros(length, bool))
    return FrameMeasures(**{**nothing, **values})


def test_track_sums_its_frames_up():
    frames = frames_of(
        4,
        agreement=np.array([0.2, NAN, 0.6, NAN]),
        flicker=np.array([NAN, 0.1, 0.1, 0.1]),
        missing=np.array([True, False, False, False]),
    )
    found = measure_track(track_of([0.5, None, 0.7, None]), frames)
    assert found.score == pytest.approx(0.6)
    assert found.agreement == pytest.approx(0.4)
    assert found.flicker == pytest.approx(0.1)
    assert found.missing == 0.25
    assert math.isnan(found.overflow) and math.isnan(found.area_jump)
    # Basis: the mean of 1 - 0.6 and 1 - 0.4.
    trust = 0.5 * 0.5 / (0.5 + 0.1) * 0.5 / (0.5 + 0.25)
    assert found.suspicion == pytest.approx(1 - trust)


def test_track_with_boxes_and_no_mask_is_the_most_suspicious():
    frames = frames_of(2, missing=np.ones(2, bool))
    found = measure_track(track_of([None] * 2, [None] * 2), frames)
    assert found.suspicion == 1
    assert math.isnan(found.score)


def test_track_of_which_nothing_is_known_is_not_suspicious():
    found = measure_track(track_of([None]), frames_of(1))
    assert found.suspicion == 0


NOTHING = dict.fromkeys(('agreement', *HALF_TRUST), NAN)


@pytest.mark.parametrize('name', HALF_TRUST)
def test_every_measure_halves_the_trust_at_its_value(name):
    values = {**NOTHING, name: HALF_TRUST[name]}
    assert combine(0.2, values) == pytest.approx(1 - 0.8 / 2)
    values[name] = 0.0
    assert combine(0.2, values) == pytest.approx(0.2)


def test_suspicion_stays_in_its_range():
    assert combine(NAN, NOTHING) == 0
    assert combine(1.5, NOTHING) == 1  # a score below zero
    assert combine(-1, NOTHING) == 0  # a score above one
    assert combine(0.0, {**NOTHING, 'area_jump': 1e6}) <= 1
