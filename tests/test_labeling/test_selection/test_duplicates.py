"""Equal masks under several classes become one."""

import numpy as np
import pytest

from pmvis_mm.labeling.selection import assign_predictions, merge_duplicates
from pmvis_mm.structures.rle import box_rle

ONE = box_rle((1, 1, 4, 4), 8, 8)
TWO = box_rle((1, 1, 4, 5), 8, 8)
BOX = (1.0, 1.0, 4.0, 4.0)


def test_copies_become_one_with_all_classes():
    masks, labels = merge_duplicates(
        [TWO, ONE, dict(ONE), TWO], [{5}, {1}, {2, 1}, (7,)]
    )
    assert masks == [TWO, ONE]
    assert labels == [{5, 7}, {1, 2}]


def test_masks_that_differ_in_a_pixel_or_size_stay():
    narrow = box_rle((1, 1, 4, 4), 8, 9)
    other = dict(ONE, size=[4, 16])  # same counts, another mask
    masks, labels = merge_duplicates([ONE, TWO, narrow, other], [[0]] * 4)
    assert masks == [ONE, TWO, narrow, other] and labels == [{0}] * 4


def test_nothing_stays_nothing():
    assert merge_duplicates([], []) == ([], [])


def test_numbers_must_fit():
    with pytest.raises(ValueError, match='2 masks have labels for 1 of them'):
        merge_duplicates([ONE, TWO], [{0}])


def test_any_class_of_a_prediction_may_fit():
    def best(classes, wanted):
        ((mask, _),) = assign_predictions(
            [ONE, TWO],
            [ONE],
            [BOX],
            prediction_labels=classes,
            labels=[wanted],
        )
        return mask

    assert best([{3, 4}, {5}], 4) == ONE
    assert best([{3, 4}, frozenset((5, 6))], 6) == TWO
    assert best([{3, 4}, {5}], 9) is None
    assert best([set(), {5}], 5) == TWO  # a mask without any class
    # One class each, as plain or numpy integers.
    assert best([3, 5], 5) == TWO
    assert best(np.array([3, 5]), 3) == ONE
