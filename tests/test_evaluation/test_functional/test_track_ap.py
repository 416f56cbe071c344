import copy
import math
import subprocess
import sys

import numpy as np
import pytest

from pmvis_mm.evaluation.functional import evaluate_tracks, track_iou
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


def random_case(seed, num_videos=4, length=3):
    rng = np.random.default_rng(seed)

    def blob():
        if rng.random() < 0.2:
            return None
        mask = np.zeros(SIZE, bool)
        y, x = rng.integers(0, 5, 2)
        mask[y : y + rng.integers(3, 6), x : x + rng.integers(3, 6)] = True
        return encode(mask)

    def path():
        masks = [blob() for _ in range(length)]
        return masks if any(masks) else [box(0, 3)] * length

    def noisy(masks):
        return [blob() if rng.random() < 0.3 else mask for mask in masks]

    tracks, found = [], []
    for video in range(num_videos):
        for _ in range(rng.integers(0, 5)):
            category, masks = int(rng.integers(1, 4)), path()
            tracks.append((video, category, masks, int(rng.random() < 0.2)))
            for _ in range(rng.integers(0, 4)):
                score = round(float(rng.random()), 1)  # ties on purpose
                found.append(guess(video, category, score, noisy(masks)))
        for _ in range(rng.integers(0, 14)):
            found.append(guess(video, 1, float(rng.random()), path()))
    real = truth(
        *tracks, length=length, num_videos=num_videos, categories=(1, 2, 3)
    )
    return tracks, found, real


@pytest.mark.parametrize('seed', range(6))
def test_equals_the_public_evaluation(seed, monkeypatch):
    functional = pytest.importorskip('mmdet.evaluation.functional')
    if not hasattr(np, 'float'):  # mmdet 3.3 asks for what numpy removed
        monkeypatch.setattr(np, 'float', float, raising=False)
    tracks, found, real = random_case(seed)
    data = dict(
        videos=[video.to_json() for video in real.videos.values()],
        categories=real.categories,
        annotations=[
            dict(
                id=i + 1,
                video_id=video,
                category_id=category,
                segmentations=list(masks),
                areas=[None if m is None else area(m) for m in masks],
                iscrowd=iscrowd,
            )
            for i, (video, category, masks, iscrowd) in enumerate(tracks)
        ],
    )
    public = functional.YTVIS(data)
    judge = functional.YTVISeval(
        public, public.loadRes(copy.deepcopy(found)), 'segm'
    )
    judge.evaluate()
    judge.accumulate()
    judge.summarize()
    summary = evaluate_tracks(found, real).summary()
    expected = [judge.stats[i] for i in (0, 1, 2, 6, 7)]
    got = [summary[k] for k in ('AP', 'AP50', 'AP75', 'AR1', 'AR10')]
    assert got == pytest.approx(expected, abs=1e-12)
    assert 0 < summary['AP'] < 1


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
