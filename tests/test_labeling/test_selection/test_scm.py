"""SCM and the assignment of predictions; P4, P6, P18."""

import numpy as np
import pytest

from pmvis_mm.labeling.selection import (
    assign_predictions,
    box_fit,
    box_iou,
    cross_scm,
    pairwise_scm,
)
from pmvis_mm.structures.rle import box_rle, encode
from pmvis_mm.testing.masks import block

P4_BOX = (10, 10, 40, 30)
P6_BOXES = [(8, 8, 28, 32), (24, 10, 52, 40)]
METHODS = ['hungarian', 'greedy', 'argmax', 'union']


def p4_masks():
    return [
        block(10, 29, 10, 39),
        block(12, 31, 10, 39),
        block(10, 27, 14, 39),
    ]


def p6_references():
    return [block(8, 31, 8, 27), block(12, 39, 26, 51)]


def p6_predictions():
    return [
        block(9, 30, 9, 26),
        block(8, 39, 10, 49),
        block(11, 39, 24, 50),
    ]


def assign(predictions, method='hungarian', **options):
    return assign_predictions(
        predictions, p6_references(), P6_BOXES, method, **options
    )


# ------------------------------------------------------------------- boxes
def test_box_iou_by_hand():
    one = (0, 0, 4, 4)
    others = [(2, 0, 6, 4), (0, 0, 4, 4), (5, 0, 9, 4), (2, 2, 2, 4)]
    # 8 of 24 pixels; equal; apart; empty.
    assert box_iou(one, others).tolist() == [8 / 24, 1, 0, 0]
    # Hull 6 x 4 = union: no penalty. Apart: hull 9 x 4, clamped at 0.
    assert box_iou(one, others, 'giou').tolist() == [8 / 24, 1, 0, 0]
    # 9 of 23 pixels shared, hull 25 of which 2 are in neither.
    diagonal = box_iou(one, (1, 1, 5, 5), 'giou')
    assert diagonal == pytest.approx(9 / 23 - 2 / 25)


def test_box_iou_broadcasts():
    boxes = np.random.default_rng(0).uniform(0, 9, (3, 4))
    table = box_iou(boxes[:, None], boxes[None, :2])
    assert table.shape == (3, 2)
    assert table[2, 1] == box_iou(boxes[2], boxes[1])
    assert box_iou(np.zeros((0, 4)), boxes[0]).shape == (0,)


def test_box_fit_of_empty_masks_and_rules():
    full, empty = block(2, 5, 2, 9), encode(np.zeros((64, 64)))
    box = (2, 2, 10, 6)
    assert box_fit([full, None, empty], box).tolist() == [1, 0, 0]
    # The last row and column are not counted: 3 x 7 of 4 x 8 pixels.
    inclusive = box_fit([full, None, empty], box, box_rule='inclusive')
    assert inclusive.tolist() == [21 / 32, 0, 0]
    diagonal = (4, 4, 12, 8)  # 2 x 6 shared, hull 6 x 10
    expected = 12 / 52 - 8 / 60
    assert box_fit([full], diagonal, 'giou')[0] == pytest.approx(expected)
    assert box_fit([], box).shape == (0,)


# --------------------------------------------------------------------- SCM
@pytest.mark.parametrize(
    'box_rule, box_term, expected',
    [
        ('half_open', 'iou', [0.66942, 0.60840, 0.40718]),
        ('half_open', 'giou', [0.66942, 0.60840, 0.40718]),
        ('inclusive', 'iou', [0.62355, 0.50738, 0.37506]),
        ('inclusive', 'giou', [0.62236, 0.50738, 0.37434]),
    ],
)
def test_p4_scm(box_rule, box_term, expected):
    options = dict(box_term=box_term, box_rule=box_rule)
    scores = pairwise_scm(p4_masks(), P4_BOX, **options)
    found = [scores[0, 1], scores[0, 2], scores[1, 2]]
    assert found == pytest.approx(expected, abs=1e-5)
    assert (scores == scores.T).all()
    fit = box_fit(p4_masks(), P4_BOX, **options)
    assert np.diag(scores) == pytest.approx(fit**2)
    crossed = cross_scm(p4_masks(), p4_masks(), [P4_BOX] * 3, **options)
    assert (crossed == scores).all()


def test_scm_is_zero_without_a_mask_and_one_at_best():
    perfect, empty = block(10, 29, 10, 39), encode(np.zeros((64, 64)))
    scores = pairwise_scm([perfect, None, empty, perfect], P4_BOX)
    expected = np.outer([1, 0, 0, 1], [1, 0, 0, 1])
    assert (scores == expected).all()
    assert pairwise_scm([], P4_BOX).shape == (0, 0)
    assert cross_scm([], [perfect], [P4_BOX]).shape == (0, 1)


@pytest.mark.parametrize('masks', [[], [None], [block(1, 2, 1, 2)]])
def test_unknown_options_are_named(masks):
    for call in (
        lambda **k: box_fit(masks, P4_BOX, **k),
        lambda **k: pairwise_scm(masks, P4_BOX, **k),
        lambda **k: cross_scm(masks, masks, [P4_BOX] * len(masks), **k),
        lambda **k: assign_predictions(masks, [], [], **k),
    ):
        with pytest.raises(ValueError, match="box_term .*'diou'"):
            call(box_term='diou')
        with pytest.raises(ValueError, match="box_rule .*'closed'"):
            call(box_rule='closed')
    with pytest.raises(ValueError, match="box_term .*'diou'"):
        box_iou(P4_BOX, P4_BOX, 'diou')
    with pytest.raises(ValueError, match="method .*hungarian.*'best'"):
        assign([], 'best')


# -------------------------------------------------------------- assignment
def test_p6_scores():
    scores = cross_scm(p6_predictions(), p6_references(), P6_BOXES)
    expected = [[0.68062, 0.00080], [0.10582, 0.25375], [0.00508, 0.69729]]
    assert scores == pytest.approx(np.array(expected), abs=1e-5)


@pytest.mark.parametrize('method', METHODS[:3])
def test_p6_assignment(method):
    p0, p1, p2 = p6_predictions()
    (first, score0), (second, score1) = assign([p0, p1, p2], method)
    assert first is p0 and second is p2
    assert [score0, score1] == pytest.approx([0.68062, 0.69729], abs=1e-5)
    (first, score0), (second, score1) = assign([p0, p1], method)
    assert first is p0 and second is p1
    assert [score0, score1] == pytest.approx([0.68062, 0.25375], abs=1e-5)


def test_p6_union_adds_the_mask_that_covers_both():
    p0, p1, p2 = p6_predictions()
    (first, score0), (second, score1) = assign([p0, p1, p2], 'union')
    # p1 fits g1 better than g0; rows 8-39 cols 10-49 and 11-39 cols 24-50.
    expected = np.zeros((64, 64), bool)
    expected[8:40, 10:50] = expected[11:40, 24:51] = True
    assert first == p0 and second == encode(expected)
    assert [score0, score1] == pytest.approx([0.68062, 0.69729], abs=1e-5)
    assert assign([p0, p2], 'union')[1][0] == p2


@pytest.mark.parametrize('method', METHODS)
def test_p18_duplicates_change_nothing(method):
    p0, p1, p2 = p6_predictions()
    expected = assign([p0, p1, p2], method)
    for predictions in ([p0, p1, p2, dict(p0)], [dict(p0), p0, p1, p2]):
        assert assign(predictions, method) == expected


def test_p18_copies_go_to_two_instances_only_without_a_better_option():
    _, p1, p2 = p6_predictions()
    (first, _), (second, score) = assign([p1, dict(p1)])
    assert first == second == p1
    assert score == pytest.approx(0.25375, abs=1e-5)
    (first, _), (second, _) = assign([p1, dict(p1), p2])
    assert first == p1 and second == p2


def test_one_mask_serves_twice_only_with_argmax():
    (_, p1, _) = p6_predictions()
    found = {m: [x is not None for x, _ in assign([p1], m)] for m in METHODS}
    assert found['argmax'] == [True, True]
    for method in ('hungarian', 'greedy', 'union'):
        assert found[method] == [False, True]


def test_hungarian_takes_the_highest_total_greedy_the_highest_first():
    def rows(first, last):
        return box_rle((0, first, 10, last + 1), 10, 10)

    references, boxes = [rows(0, 6), rows(4, 9)], [(0, 0, 10, 10)] * 2
    both, upper = rows(2, 7), rows(0, 3)
    scores = cross_scm([both, upper], references, boxes)
    # 5/8 * .6 * .7, 4/8 * .6 * .6; 4/7 * .4 * .7, nothing shared.
    expected = np.array([[0.2625, 0.18], [0.16, 0]])
    assert scores == pytest.approx(expected)
    found = {
        method: assign_predictions([both, upper], references, boxes, method)
        for method in METHODS
    }
    masks = {method: [m for m, _ in pairs] for method, pairs in found.items()}
    assert masks['hungarian'] == [upper, both]
    assert masks['greedy'] == [both, None]
    assert masks['argmax'] == [both, both]
    assert masks['union'] == [rows(0, 7), None]
    assert found['union'][0][1] == pytest.approx(0.2625)


def test_min_scm_must_be_exceeded():
    p0, p1, _ = p6_predictions()
    score = cross_scm([p1], p6_references(), P6_BOXES)[0, 1]
    for method in METHODS:
        found = assign([p0, p1], method, min_scm=float(score))
        assert [m for m, _ in found] == [p0, None]
        assert found[1] == (None, 0.0)
        below = assign([p0, p1], method, min_scm=float(score) - 1e-9)
        assert below[1][0] == p1


@pytest.mark.parametrize('method', METHODS)
def test_labels_forbid_other_classes(method):
    predictions = p6_predictions()
    right = dict(prediction_labels=[3, 3, 5], labels=[3, 5])
    found = assign(predictions, method, **right)
    expected = [predictions[0], predictions[2]]
    if method == 'union':  # p1 may not join g1, so that it joins g0
        expected[0] = encode(union_of(predictions[:2]))
    assert [m for m, _ in found] == expected
    swapped = dict(prediction_labels=[3, 3, 5], labels=[5, 3])
    found = assign(predictions, method, **swapped)
    # p2 fits g0 a little; g1 takes p1 of its class.
    expected = [predictions[2], predictions[1]]
    if method == 'union':
        expected[1] = encode(union_of(predictions[:2]))
    assert [m for m, _ in found] == expected
    # One of both alone says nothing.
    assert assign(predictions, method, labels=[9, 9]) == assign(
        predictions, method
    )


def union_of(masks):
    from pmvis_mm.structures.rle import decode

    return np.any([decode(m) for m in masks], axis=0)


def test_options_reach_the_scores():
    p0, p1, _ = p6_predictions()
    for options in (
        dict(box_rule='inclusive'),
        dict(box_term='giou'),
        dict(box_rule='inclusive', box_term='giou'),
    ):
        scores = cross_scm([p0, p1], p6_references(), P6_BOXES, **options)
        found = [score for _, score in assign([p0, p1], **options)]
        assert found == np.diag(scores).tolist()
        assert found != [score for _, score in assign([p0, p1])]


@pytest.mark.parametrize('method', METHODS)
def test_nothing_to_assign(method):
    references = p6_references()
    nothing = [(None, 0.0)] * 2
    assert assign([], method) == nothing
    assert assign([block(50, 60, 50, 60)], method) == nothing
    found = assign_predictions(
        p6_predictions(), [None, references[1]], P6_BOXES, method
    )
    assert found[0] == (None, 0.0) and found[1][0] is not None
    assert assign_predictions(p6_predictions(), [], [], method) == []
    assert assign_predictions([], [], [], method) == []
    labels = dict(prediction_labels=[], labels=[1, 2])
    assert assign([], method, **labels) == nothing
