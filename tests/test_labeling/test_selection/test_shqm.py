"""SHQM (golden P5 and P14 of the paper's spec)."""

import numpy as np
import pytest

from pmvis_mm.labeling.selection import (
    agreement,
    pairwise_scm,
    select_track,
    shqm,
)
from pmvis_mm.structures import MaskTrack
from pmvis_mm.structures.rle import encode
from pmvis_mm.testing.masks import block

M1, M2, M3 = (
    block(10, 29, 10, 39),
    block(12, 31, 10, 39),
    block(10, 27, 14, 39),
)
BOX = (10, 10, 40, 30)


def track(masks, boxes=None):
    boxes = boxes or [BOX] * len(masks)
    result = MaskTrack(
        3,
        1,
        2,
        list(masks),
        boxes,
        [None] * len(masks),
        [None] * len(masks),
    )
    return result


def test_p5_three_candidates():
    totals = agreement([M1, M2, M3], BOX)
    assert totals == pytest.approx([1.27782, 1.07660, 1.01558], abs=1e-5)
    winner, score = shqm([M1, M2, M3], BOX)
    assert winner == 0 and score == pytest.approx(1.27782 / 2, abs=1e-5)


def test_p5_four_candidates():
    fourth = block(11, 29, 10, 38)
    totals = agreement([M1, M2, M3, fourth], BOX)
    expected = [2.12116, 1.70015, 1.52809, 1.97939]
    assert totals == pytest.approx(expected, abs=1e-5)
    assert shqm([M1, M2, M3, fourth], BOX)[0] == 0


def test_p5_empty_candidate_leaves_a_tie():
    totals = agreement([M1, M2, None], BOX)
    assert totals == pytest.approx([0.66942, 0.66942, 0], abs=1e-5)
    assert shqm([M1, M2, None], BOX)[0] == 1  # the later is trusted more
    winner, score = shqm([M1, M2, None], BOX, priority=[0, 1, 2])
    assert winner == 0 and score == pytest.approx(0.66942, abs=1e-5)


def test_p5_winner_is_not_in_the_least_agreeing_pair():
    rng = np.random.default_rng(1)
    checked = 0
    for _ in range(200):
        masks = []
        for _ in range(3):
            dense = np.zeros((40, 40), bool)
            y, x = rng.integers(2, 12, 2)
            h, w = rng.integers(10, 25, 2)
            dense[y : y + h, x : x + w] = True
            masks.append(encode(dense))
        scores = pairwise_scm(masks, (5, 5, 30, 30))
        pairs = {2: scores[0, 1], 1: scores[0, 2], 0: scores[1, 2]}
        ordered = sorted(pairs.values())
        if ordered[1] - ordered[0] > 1e-9:
            checked += 1
            expected = min(pairs, key=pairs.get)
            assert shqm(masks, (5, 5, 30, 30))[0] == expected
    assert checked > 150


def test_single_and_no_candidate():
    assert shqm([None, None], BOX) == (None, 0.0)
    assert shqm([None, M1], BOX) == (1, 0.0)


def test_giou_and_inclusive_reach_the_score():
    _, score = shqm([M1, M2], BOX, box_term='giou', box_rule='inclusive')
    assert score == pytest.approx(0.62236, abs=1e-5)


def test_select_track_names_winners_and_scores():
    base = track([None] * 3, [BOX, BOX, None])
    found = select_track(
        base,
        dict(
            a=track([M1, None, M1]),
            b=track([M2, M2, M2]),
            c=track([M3, None, M3]),
        ),
    )
    assert (found.id, found.video_id, found.category_id) == (3, 1, 2)
    assert found.masks == [M1, M2, None]
    assert found.sources == ['a', 'b', None]
    assert found.scores == [pytest.approx(0.63891, abs=1e-5), 0.0, None]
    assert base.masks == [None] * 3


def test_select_track_tie_orders():
    candidates = dict(a=track([M1]), b=track([M2]))
    assert select_track(track([None]), candidates).sources == ['b']
    ordered = select_track(track([None]), candidates, priority=['a'])
    assert ordered.sources == ['a']


def test_p14_require_gives_the_count_of_the_required_source():
    predicted = track([M2] * 8 + [None] * 2)
    tracked = track([M1] * 10)
    found = select_track(
        track([None] * 10),
        dict(predicted=predicted, tracked=tracked),
        require=['predicted'],
    )
    assert found.num_masks == 8 and found.masks[8:] == [None, None]
    nothing = select_track(
        track([None] * 10), dict(tracked=tracked), require=['predicted']
    )
    assert nothing.num_masks == 0
