"""Errors of predicted tracks, one hand-made track for each kind."""

import math

import pytest

from pmvis_mm.evaluation.functional import (
    evaluate_tracks,
    find_track_errors,
)
from pmvis_mm.evaluation.functional.track_errors import KINDS, MISSED
from pmvis_mm.structures import parse_annotations
from pmvis_mm.structures.rle import box_rle

WIDTH, LENGTH = 40, 10


def bar(x0, x1):
    """Full-height columns x0 ... x1 - 1."""
    return box_rle((x0, 0, x1, 4), 4, WIDTH)


A, B, C = [bar(0, 10)] * LENGTH, [bar(12, 22)] * LENGTH, [bar(30, 40)] * LENGTH


def truth(*tracks):
    """Tracks are (category, masks) or with a third, iscrowd."""
    return parse_annotations(
        dict(
            videos=[
                dict(
                    id=3,
                    width=WIDTH,
                    height=4,
                    file_names=[f'{t}.png' for t in range(LENGTH)],
                )
            ],
            categories=[dict(id=k, name=f'c{k}') for k in (1, 2)],
            annotations=[
                dict(
                    id=i,
                    video_id=3,
                    category_id=track[0],
                    iscrowd=int(len(track) > 2),
                    bboxes=[m and [0, 0, 1, 1] for m in track[1]],
                    segmentations=track[1],
                )
                for i, track in enumerate(tracks)
            ],
        ),
        with_masks=True,
    )


def guess(category, score, masks):
    return dict(
        video_id=3, category_id=category, score=score, segmentations=masks
    )


def errors(found, real):
    result = find_track_errors(found, real)
    plain = evaluate_tracks(found, real).summary()['AP50']
    assert result.ap50 == pytest.approx(plain, abs=1e-12, nan_ok=True)
    return result


def only(result, **counts):
    """Whether these are all errors there are."""
    expected = {**dict.fromkeys((*KINDS, MISSED), 0), **counts}
    assert result.counts == expected


def test_nothing_is_wrong():
    result = errors(
        [guess(1, 0.9, A), guess(2, 0.8, B)], truth((1, A), (2, B))
    )
    only(result)
    assert result.ap50 == pytest.approx(1)
    assert all(abs(gain) < 1e-12 for gain in result.gains.values())


def test_duplicate():
    found = [guess(1, 0.9, A), guess(1, 0.8, A), guess(1, 0.7, B)]
    result = errors(found, truth((1, A), (1, B)))
    only(result, duplicate=1)
    # Hit, miss, hit: precision 1 up to recall 0.5, then 2/3.
    assert result.ap50 == pytest.approx((51 + 50 * 2 / 3) / 101)
    assert result.gains['duplicate'] == pytest.approx(1 - result.ap50)


def test_classification():
    found = [guess(2, 0.9, A), guess(2, 0.8, B)]
    result = errors(found, truth((1, A), (2, B)))
    only(result, classification=1, missed=1)
    # Class 1: nothing. Class 2: miss, hit: 1/2 everywhere.
    assert result.ap50 == pytest.approx(0.25)
    assert result.gains['classification'] == pytest.approx(0.75)
    # Found ahead of all others: class 1 is whole, class 2 as it was.
    assert result.gains['missed'] == pytest.approx(0.5)


def test_classification_of_what_is_found_already_goes_away():
    found = [guess(1, 0.5, A), guess(2, 0.9, A), guess(2, 0.8, B)]
    result = errors(found, truth((1, A), (2, B)))
    only(result, classification=1)
    assert result.ap50 == pytest.approx(0.75)
    assert result.gains['classification'] == pytest.approx(0.25)


def test_localization_in_time():
    # Right masks in 4 of 10 frames: an IoU of 0.4, but 1 where both are.
    part = A[:4] + [None] * 6
    result = errors([guess(1, 0.9, part)], truth((1, A)))
    only(result, localization_time=1, missed=1)
    assert result.gains['localization_time'] == pytest.approx(1)


def test_far_too_short_is_still_time():
    # One frame of ten: an IoU of 0.1; less is no background either.
    part = [bar(1, 10)] + [None] * 9
    result = errors([guess(1, 0.9, part)], truth((1, A)))
    only(result, localization_time=1, missed=1)


def test_localization_in_space():
    # Half beside it in every frame: 5 of 15 columns.
    beside = [bar(5, 15)] * LENGTH
    result = errors([guess(1, 0.9, beside)], truth((1, A)))
    only(result, localization_space=1, missed=1)
    assert result.gains['localization_space'] == pytest.approx(1)
    assert result.gains['background'] == 0


def test_background():
    # One column of 19 is too little, and so is another class nearby.
    found = [
        guess(1, 0.9, [bar(9, 19)] * LENGTH),
        guess(2, 0.8, [bar(5, 15)] * LENGTH),
        guess(1, 0.7, A),
    ]
    result = errors(found, truth((1, A)))
    only(result, background=2)
    assert result.ap50 == pytest.approx(0.5)
    assert result.gains['background'] == pytest.approx(0.5)


def test_identity_switch():
    # Half of the frames on each of two: an IoU of 1/3 with both.
    switched = A[:5] + B[5:]
    result = errors([guess(1, 0.9, switched)], truth((1, A), (1, B)))
    only(result, identity_switch=1, missed=2)
    # One of two is found then: recall 0 ... 0.5.
    assert result.gains['identity_switch'] == pytest.approx(51 / 101)


def test_one_frame_elsewhere_is_no_switch_of_a_long_track():
    # On A in 4 frames, on B in none of the rest: absent.
    found = [guess(1, 0.9, A[:4] + [None] * 6)]
    only(errors(found, truth((1, A), (1, B))), localization_time=1, missed=2)


def test_switch_needs_masks_of_its_class_that_are_right():
    switched = A[:5] + B[5:]
    found = [guess(1, 0.9, switched)]
    # The other half is of another class: only half of it is right.
    result = errors(found, truth((1, A), (2, B)))
    only(result, localization_space=1, missed=2)
    # Masks that are too wide on both: 10 of 30 columns.
    wide = [bar(0, 30)] * LENGTH
    result = errors([guess(1, 0.9, wide)], truth((1, A), (1, B)))
    only(result, localization_space=1, missed=2)


def test_crowds_are_no_errors():
    found = [guess(1, 0.9, C), guess(1, 0.8, A)]
    result = errors(found, truth((1, A), (1, C, 'crowd')))
    only(result)
    assert result.ap50 == pytest.approx(1)


def test_empty():
    result = errors([], truth((1, A)))
    only(result, missed=1)
    assert result.gains['missed'] == pytest.approx(1)
    result = errors([guess(1, 0.9, A)], truth())
    only(result, background=1)
    assert math.isnan(result.ap50)
    assert all(math.isnan(gain) for gain in result.gains.values())
    only(errors([], truth()))


def test_only_chosen_categories_count():
    found = [guess(1, 0.9, C), guess(2, 0.9, C)]
    result = find_track_errors(found, truth((1, A), (2, B)), [2])
    only(result, background=1, missed=1)


def test_flat_names():
    flat = errors([], truth((1, A))).flat()
    assert flat['error_missed'] == pytest.approx(1)
    assert flat['error_missed_count'] == 1
    assert len(flat) == 2 * (len(KINDS) + 1)
