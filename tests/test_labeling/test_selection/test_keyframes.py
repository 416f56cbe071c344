"""Keyframes; P8 and every option."""

import numpy as np
import pytest

from pmvis_mm.labeling.selection import num_keyframes, select_keyframes

SCORES = [0.2, 0.9, 0.85, 0.1, 0.3, 0.4, 0.8, 0.7, 0, 0.6, 0.5, 0.55]


@pytest.mark.parametrize(
    'length, interval, number',
    [
        (36, 10, 3),
        (27, 10, 2),
        (20, 10, 2),
        (9, 10, 1),
        (69, 100, 1),
        (292, 100, 2),
        (500, 100, 5),
        (180, 100, 1),
        (500, None, 1),
        (5, 1, 5),
    ],
)
def test_p8_number(length, interval, number):
    assert num_keyframes(length, interval) == number


@pytest.mark.parametrize('interval', [0, -10])
def test_bad_interval(interval):
    with pytest.raises(ValueError, match=f'at least 1, got {interval}'):
        num_keyframes(36, interval)


def test_p8_choice():
    assert select_keyframes(SCORES, 3) == [1, 2, 6]
    assert select_keyframes(SCORES, 3, 'top') == [1, 2, 6]
    assert select_keyframes(SCORES, 3, 'per_segment') == [1, 6, 9]
    assert select_keyframes(np.array(SCORES), 1) == [1]


@pytest.mark.parametrize('mode', ['top', 'per_segment'])
def test_frames_without_mask_are_never_chosen(mode):
    assert select_keyframes([0, 0, 0], 2, mode) == []
    assert select_keyframes([], 2, mode) == []
    assert select_keyframes([0, 0.1, 0, 0], 2, mode) == [1]
    assert select_keyframes([0, 0.1, 0.2, 0], 2, mode) == [1, 2]


def test_ties_go_to_the_earlier_frame():
    scores = [0.5, 0.7, 0.5, 0.7, 0.7]
    assert select_keyframes(scores, 2) == [1, 3]
    assert select_keyframes(scores, 1) == [1]
    assert select_keyframes([0.5] * 6, 2, 'per_segment') == [0, 3]


def test_more_keyframes_than_frames():
    assert select_keyframes([0.1, 0.2], 5) == [0, 1]
    assert select_keyframes([0.1, 0.2], 5, 'per_segment') == [0, 1]


def test_result_is_plain_integers():
    for mode in ('top', 'per_segment'):
        assert {type(t) for t in select_keyframes(SCORES, 3, mode)} == {int}


def test_unknown_mode():
    with pytest.raises(ValueError, match="'top', 'per_segment'.*'best'"):
        select_keyframes(SCORES, 3, 'best')
