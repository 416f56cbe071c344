"""SCM and the assignment by it (golden P4, P6 and P18 of the paper's spec)."""

import numpy as np
import pytest

from pmvis_mm.labeling.selection import (
    assign_predictions,
    box_fit,
    box_iou,
    cross_scm,
    pairwise_scm,
)
from pmvis_mm.structures.rle import area, union
from pmvis_mm.testing.masks import block

M1, M2, M3 = (
    block(10, 29, 10, 39),
    block(12, 31, 10, 39),
    block(10, 27, 14, 39),
)
BOX = (10, 10, 40, 30)

BOXES = [(8, 8, 28, 32), (24, 10, 52, 40)]
PROMPTED = [block(8, 31, 8, 27), block(12, 39, 26, 51)]
PREDICTED = [
    block(9, 30, 9, 26),
    block(8, 39, 10, 49),
    block(11, 39, 24, 50),
]


@pytest.mark.parametrize(
    'options, expected',
    [
        ({}, (0.66942, 0.60840, 0.40718)),
        (dict(box_term='giou'), (0.66942, 0.60840, 0.40718)),
        (dict(box_rule='inclusive'), (0.62355, 0.50738, 0.37506)),
        (
            dict(box_rule='inclusive', box_term='giou'),
            (0.62236, 0.50738, 0.37434),
        ),
    ],
)
def test_p4_scm(options, expected):
    scores = pairwise_scm([M1, M2, M3], BOX, **options)
    found = scores[0, 1], scores[0, 2], scores[1, 2]
    assert found == pytest.approx(expected, abs=1e-5)
    np.testing.assert_array_equal(scores, scores.T)


def test_perfect_masks_score_one_and_missing_ones_zero():
    scores = pairwise_scm([M1, None, M1], BOX)
    assert scores[0, 2] == 1
    assert not scores[1].any() and not scores[:, 1].any()
    assert pairwise_scm([], BOX).shape == (0, 0)


def test_box_terms_by_hand():
    # Overlap 5x5 of two 10x10 boxes: 25/175; hull 15x15 leaves 50 free.
    boxes = np.array([[0, 0, 10, 10]]), np.array([[5, 5, 15, 15]])
    assert box_iou(*boxes)[0] == pytest.approx(1 / 7)
    # 1/7 - 50/225 is negative, so clamped.
    assert box_iou(*boxes, term='giou')[0] == 0
    shifted = np.array([[0, 2, 10, 12]])
    # Overlap 80 of 120; hull 10x12 has nothing free.
    assert box_iou(boxes[0], shifted, 'giou')[0] == pytest.approx(2 / 3)
    assert box_iou(boxes[0], np.zeros((1, 4)))[0] == 0


def test_box_fit_by_hand():
    # Columns 14-39, rows 10-27: 26*18 of 30*20.
    assert box_fit([M3, None], BOX) == pytest.approx([468 / 600, 0])


@pytest.mark.parametrize(
    'call, message',
    [
        (lambda: box_iou(np.zeros(4), np.zeros(4), 'diou'), 'box_term'),
        (lambda: box_fit([M1], BOX, box_rule='closed'), 'box_rule'),
        (lambda: pairwise_scm([M1], BOX, box_rule='closed'), 'box_rule'),
        (lambda: assign_predictions([], [], [], 'best'), 'method'),
    ],
)
def test_unknown_options_are_refused(call, message):
    with pytest.raises(ValueError, match=message):
        call()


def test_p6_scores():
    expected = [[0.68062, 0.00080], [0.10582, 0.25375], [0.00508, 0.69729]]
    scores = cross_scm(PREDICTED, PROMPTED, BOXES)
    np.testing.assert_allclose(scores, expected, atol=1e-5)


@pytest.mark.parametrize('method', ['hungarian', 'greedy', 'argmax'])
def test_p6_assignment(method):
    first, second = assign_predictions(PREDICTED, PROMPTED, BOXES, method)
    assert first[0] is PREDICTED[0] and second[0] is PREDICTED[2]
    assert (first[1], second[1]) == pytest.approx((0.68062, 0.69729), abs=1e-5)
    first, second = assign_predictions(PREDICTED[:2], PROMPTED, BOXES, method)
    assert first[0] is PREDICTED[0] and second[0] is PREDICTED[1]
    assert second[1] == pytest.approx(0.25375, abs=1e-5)


def test_one_to_one_keeps_a_mask_from_serving_twice():
    # Only the mask that covers both: the better score gets it.
    only = PREDICTED[1:2]
    for method in ('hungarian', 'greedy'):
        first, second = assign_predictions(only, PROMPTED, BOXES, method)
        assert first == (None, 0.0) and second[0] is only[0]
    first, second = assign_predictions(only, PROMPTED, BOXES, 'argmax')
    assert first[0] is second[0] is only[0]


def test_hungarian_maximises_the_total_where_greedy_does_not():
    # Instance 0 could take either mask, instance 1 only the first one.
    boxes = [(0, 0, 20, 20), (0, 0, 20, 22)]
    prompted = [block(0, 19, 0, 19), block(0, 21, 0, 19)]
    both, second = block(0, 20, 0, 19), block(0, 18, 0, 19)
    scores = cross_scm([both, second], prompted, boxes)
    total = {}
    for method in ('hungarian', 'greedy'):
        found = assign_predictions([both, second], prompted, boxes, method)
        total[method] = sum(score for _, score in found)
    best = max(scores[0, 0] + scores[1, 1], scores[0, 1] + scores[1, 0])
    assert total['hungarian'] == pytest.approx(best)
    assert total['greedy'] <= total['hungarian']


def test_union_unites_what_belongs_to_one_instance():
    left, right = block(8, 31, 8, 17), block(8, 31, 18, 27)
    found = assign_predictions([left, right], PROMPTED[:1], BOXES[:1], 'union')
    assert area(found[0][0]) == area(union([left, right])) == 24 * 20
    assert (
        assign_predictions([], PROMPTED, BOXES, 'union') == [(None, 0.0)] * 2
    )


def test_min_scm_is_exclusive():
    scores = cross_scm(PREDICTED, PROMPTED, BOXES)
    found = assign_predictions(
        PREDICTED, PROMPTED, BOXES, min_scm=scores[0, 0]
    )
    assert found[0] == (None, 0.0) and found[1][0] is PREDICTED[2]


def test_labels_restrict_the_assignment():
    found = assign_predictions(
        PREDICTED,
        PROMPTED,
        BOXES,
        prediction_labels=[7, 5, 9],
        labels=[7, 5],
    )
    assert found[0][0] is PREDICTED[0] and found[1][0] is PREDICTED[1]


def test_p18_duplicates_change_nothing():
    found = assign_predictions([*PREDICTED, PREDICTED[0]], PROMPTED, BOXES)
    assert [score for _, score in found] == pytest.approx(
        [0.68062, 0.69729], abs=1e-5
    )


def test_missing_reference_gets_nothing():
    found = assign_predictions(PREDICTED, [None, PROMPTED[1]], BOXES)
    assert found[0] == (None, 0.0) and found[1][0] is PREDICTED[2]
    assert assign_predictions([], PROMPTED, BOXES) == [(None, 0.0)] * 2
