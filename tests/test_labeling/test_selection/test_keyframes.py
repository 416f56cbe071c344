"""Keyframes (golden P8 of the paper's spec)."""

import pytest

from pmvis_mm.labeling.selection import num_keyframes, select_keyframes

SCORES = [0.2, 0.9, 0.85, 0.1, 0.3, 0.4, 0.8, 0.7, 0, 0.6, 0.5, 0.55]


@pytest.mark.parametrize(
    'length, interval, expected',
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
    ],
)
def test_p8_number(length, interval, expected):
    assert num_keyframes(length, interval) == expected


def test_p8_choice():
    assert select_keyframes(SCORES, 3) == [1, 2, 6]
    assert select_keyframes(SCORES, 3, 'per_segment') == [1, 6, 9]


def test_frames_without_mask_are_never_chosen():
    assert select_keyframes([0, 0.5, 0], 3) == [1]
    assert select_keyframes([0, 0.5, 0, 0], 2, 'per_segment') == [1]
    assert select_keyframes([0, 0], 1) == []
    assert select_keyframes([], 2, 'per_segment') == []


def test_ties_go_to_the_earlier_frame():
    assert select_keyframes([0.5, 0.5, 0.5], 2) == [0, 1]
    assert select_keyframes([0.5] * 4, 2, 'per_segment') == [0, 2]


def test_bad_arguments():
    with pytest.raises(ValueError, match='interval should be at least 1'):
        num_keyframes(10, 0)
    with pytest.raises(ValueError, match='mode should be one of'):
        select_keyframes([1], 1, 'random')
