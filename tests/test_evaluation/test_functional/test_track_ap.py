import math
import subprocess
import sys

import numpy as np
import pytest

from pmvis_mm.evaluation.functional import (
    evaluate_tracks,
    judge_videos,
    likely_iou,
    track_iou,
)
from pmvis_mm.evaluation.functional.track_matching import match
from pmvis_mm.structures import parse_annotations
from pmvis_mm.structures.rle import area, box_rle, encode
from pmvis_mm.utils.errors import AnnotationError

SIZE = (10, 10)


def box(x0, x1):
    """Full-height columns x0 ... x1 - 1: 10 pixels each."""
    return box_rle((x0, 0, x1, 10), *SIZE)


def truth(*tracks, length=2, num_videos=1, categories=(1, 2)):
    """Tracks are (video, category, masks) or with a fourth, iscrowd."""
    return parse_annotations(
        dict(
            videos=[
                dict(
                    id=v,
                    width=10,
                    height=10,
                    file_names=[f'{t}.png' for t in range(length)],
                )
                for v in range(num_videos)
            ],
            categories=[dict(id=c, name=f'c{c}') for c in categories],
            annotations=[
                dict(
                    id=i + 1,
                    video_id=t[0],
                    category_id=t[1],
                    iscrowd=t[3] if len(t) > 3 else 0,
                    bboxes=[None if m is None else [0, 0, 1, 1] for m in t[2]],
                    segmentations=list(t[2]),
                    areas=[None if m is None else area(m) for m in t[2]],
                )
                for i, t in enumerate(tracks)
            ],
        ),
        with_masks=True,
    )


def guess(video, category, score, masks):
    return dict(
        video_id=video,
        category_id=category,
        score=score,
        segmentations=list(masks),
    )


def test_track_iou_sums_over_frames():
    first = [[box(0, 4), box(0, 4)], [None, box(2, 4)]]
    second = [[box(2, 4), None], [None, None]]
    # 20 shared pixels; 40 + 40 + 20 - 20 = 80 in the union.
    expected = [[20 / 80, 0], [0, 0]]
    assert track_iou(first, second).tolist() == expected
    assert track_iou([[None]], [[None]]).tolist() == [[0]]
    assert track_iou([], second).shape == (0, 2)


def test_perfect_predictions_score_one():
    masks = [box(0, 4), box(1, 5)]
    result = evaluate_tracks([guess(0, 1, 0.3, masks)], truth((0, 1, masks)))
    assert result.summary() == pytest.approx(
        dict(AP=1, AP50=1, AP75=1, AR1=1, AR10=1)
    )
    assert result.per_category() == pytest.approx({1: 1})  # 2 has no truth


def test_iou_of_a_half_missing_track_passes_one_threshold():
    real = truth((0, 1, [box(0, 4), box(0, 4)]))
    found = [guess(0, 1, 0.9, [box(0, 4), None])]  # IoU exactly 0.5
    summary = evaluate_tracks(found, real).summary()
    assert summary == pytest.approx(
        dict(AP=0.1, AP50=1, AP75=0, AR1=0.1, AR10=0.1)
    )


def test_false_positive_above_and_below():
    real = truth((0, 1, [box(0, 4)] * 2))
    good, bad = (
        guess(0, 1, 0.5, [box(0, 4)] * 2),
        guess(0, 1, 0.9, [box(6, 9)] * 2),
    )
    # Behind a false positive precision is 1/2 at every recall.
    summary = evaluate_tracks([good, bad], real).summary()
    assert summary['AP'] == pytest.approx(0.5)
    assert summary['AR1'] == 0 and summary['AR10'] == 1
    bad['score'] = 0.1
    summary = evaluate_tracks([good, bad], real).summary()
    assert summary['AP'] == pytest.approx(1)


def test_one_of_two_instances_found():
    real = truth((0, 1, [box(0, 4)] * 2), (0, 1, [box(6, 9)] * 2))
    found = [guess(0, 1, 0.9, [box(0, 4)] * 2)]
    summary = evaluate_tracks(found, real).summary()
    # Recall thresholds 0, 0.01 ... 0.5 are reached: 51 of 101.
    assert summary['AP'] == pytest.approx(51 / 101)
    assert summary['AR10'] == pytest.approx(0.5)


def test_crowd_is_neither_missed_nor_false():
    real = truth((0, 1, [box(0, 4)] * 2), (0, 1, [box(6, 9)] * 2, 1))
    found = [
        guess(0, 1, 0.9, [box(6, 9)] * 2),
        guess(0, 1, 0.8, [box(6, 9)] * 2),
        guess(0, 1, 0.7, [box(0, 4)] * 2),
    ]
    assert evaluate_tracks(found, real).summary()['AP'] == pytest.approx(1)


def test_nothing_predicted_and_nothing_real():
    real = truth((0, 1, [box(0, 4)] * 2))
    assert evaluate_tracks([], real).summary() == dict(
        AP=0, AP50=0, AP75=0, AR1=0, AR10=0
    )
    summary = evaluate_tracks([], truth()).summary()
    assert all(math.isnan(value) for value in summary.values())


def test_only_chosen_categories_count():
    masks = [box(0, 4)] * 2
    real = truth((0, 1, masks), (0, 2, masks))
    found = [guess(0, 2, 0.9, masks)]
    assert evaluate_tracks(found, real).summary()['AP'] == pytest.approx(0.5)
    chosen = evaluate_tracks(found, real, category_ids=[2])
    assert chosen.summary()['AP'] == pytest.approx(1)


def test_truth_without_masks_is_refused():
    real = truth((0, 1, [box(0, 4)] * 2))
    real.tracks[0][0].segmentations = None
    with pytest.raises(
        AnnotationError, match=r'no masks.*video 0, instance 1'
    ):
        evaluate_tracks([], real)


def test_sizes():
    # 40 and 10 pixels on average over the frames that show them.
    wide, thin = [box(0, 4), None], [box(6, 7), box(6, 7)]
    real = truth((0, 1, wide), (0, 1, thin))
    found = [
        guess(0, 1, 0.9, [box(8, 9)] * 2),  # false, 10 pixels
        guess(0, 1, 0.8, wide),
    ]
    judged = list(judge_videos(found, real))
    assert judged[0].tracks[1].real_areas.tolist() == [40, 10]
    assert judged[0].tracks[1].areas.tolist() == [10, 40]
    tracks = judged[0].tracks[1]
    # What is wide is hit, and the false one is too thin to count.
    large = match(tracks, (20, 100))
    assert large.num_real == 1
    assert large.matched[0].tolist() == [False, True]
    assert large.ignored[0].tolist() == [True, False]
    # What is thin is missed; the hit of what is wide does not count.
    small = match(tracks, (0, 20))
    assert small.num_real == 1
    assert small.ignored[0].tolist() == [False, True]
    # Both ends belong to the range.
    assert match(tracks, (10, 40)).num_real == 2
    summary = evaluate_tracks(found, real, sizes=True).summary()
    assert summary['AP_small'] == summary['AP'] == pytest.approx(51 / 101 / 2)
    assert summary['AR_small'] == pytest.approx(0.5)
    assert math.isnan(summary['AP_large'])


def test_an_instance_of_another_size_is_taken_once_a_crowd_often():
    wide = [box(0, 4)] * 2
    twice = [guess(0, 1, 0.9, wide), guess(0, 1, 0.8, wide)]
    for crowd, expected in ((0, [True, False]), (1, [True, True])):
        real = truth((0, 1, wide, crowd))
        tracks = next(judge_videos(twice, real)).tracks[1]
        # The second one has 40 pixels: out of range, so ignored anyway.
        found = match(tracks, (0, 20))
        assert found.matched[0].tolist() == expected
        assert found.ignored[0].tolist() == [True, True]
        assert found.num_real == 0


def test_short_and_long_videos():
    masks = [box(0, 4)] * 2
    real = truth((0, 1, masks), (1, 1, masks), num_videos=2)
    found = [guess(1, 1, 0.9, masks)]
    for long_videos in ([1], {1}, range(1, 2)):
        result = evaluate_tracks(found, real, long_videos=long_videos)
        summary = result.summary()
        assert summary['AP_short'] == 0
        assert summary['AP_long'] == pytest.approx(1)
        assert summary['AP_short_long'] == pytest.approx(0.5)
        assert summary['AP'] == pytest.approx(51 / 101)
    summary = evaluate_tracks(found, real, long_videos=2).summary()
    assert summary['AP_short'] == summary['AP']
    assert math.isnan(summary['AP_long'])


def test_other_processes_find_the_same():
    masks = [box(0, 4)] * 2
    real = truth((0, 1, masks), (1, 1, masks), num_videos=2)
    found = [guess(1, 1, 0.9, masks), guess(0, 1, 0.95, [box(2, 5)] * 2)]
    alone = evaluate_tracks(found, real, sizes=True)
    helped = evaluate_tracks(found, real, sizes=True, num_workers=1)
    np.testing.assert_array_equal(helped.precision, alone.precision)
    assert alone.summary()['AP50'] == pytest.approx(51 / 101 / 2)


def test_likely_iou_is_the_iou_where_it_matters():
    rng = np.random.default_rng(0)

    def path(still, length):
        masks = []
        for _ in range(length):
            mask = np.zeros((30, 40), bool)
            y, x = still + rng.integers(-1, 2, 2)
            mask[y : y + 8, x : x + 6] = rng.random((8, 6)) < 0.8
            masks.append(encode(mask) if rng.random() < 0.8 else None)
        return masks

    for length in (1, 7, 70):
        places = rng.integers(2, 20, (6, 2))
        second = [path(place, length) for place in places]
        first = [path(place, length) for place in places for _ in range(4)]
        exact = track_iou(first, second)
        for least in (0.5, 0.3, 0.1):
            likely = likely_iou(first, second, least)
            matters = exact >= least
            assert (likely[matters] == exact[matters]).all()
            others = likely[~matters]
            assert ((others == 0) | (others == exact[~matters])).all()
        assert (exact >= 0.3).any() and (exact < 0.1).any()
    assert likely_iou([], second, 0.5).shape == (0, 6)
    assert likely_iou([[None]], [[None]], 0.5).tolist() == [[0]]


def test_an_iou_of_just_a_half_is_not_lost():
    half = [box(0, 4), None]
    assert likely_iou([half], [[box(0, 4)] * 2], 0.5).tolist() == [[0.5]]


def test_imports_without_torch_and_mmdet():
    code = (
        'import sys\n'
        'for name in ("torch", "mmcv", "mmdet", "mmengine"):\n'
        '    sys.modules[name] = None\n'
        'import pmvis_mm.evaluation.functional as f\n'
        'print(f.track_iou([], []).shape)\n'
    )
    done = subprocess.run(
        [sys.executable, '-c', code], capture_output=True, text=True
    )
    assert done.stdout.strip() == '(0, 0)', done.stderr
