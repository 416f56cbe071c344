"""Equality with mmdet's copy of the public YouTube-VIS evaluator."""

import json

import numpy as np
import pytest

from pmvis_mm.evaluation.functional import evaluate_tracks
from pmvis_mm.structures import VideoAnnotations, parse_annotations
from pmvis_mm.structures.rle import area, encode
from pmvis_mm.testing.public_evaluator import PLACES, judge_publicly

SIZE = (24, 32)
CATEGORIES = (2, 5, 9)


class Case:
    """Random truth and predictions.

    Few, small rectangles at few places, and scores with one digit: equal
    IoUs and equal scores come often.
    """

    def __init__(self, seed):
        self.rng = rng = np.random.default_rng(seed)
        num_videos = int(rng.integers(1, 5))
        self.data = dict(
            videos=[],
            categories=[dict(id=c, name=f'c{c}') for c in CATEGORIES],
            annotations=[],
        )
        self.found = []
        for number in range(num_videos):
            length = int(rng.choice([1, 2, 3, 6]))
            if seed % 50 == 7:
                length = 500
            self.video(10 * (num_videos - number), length, seed)
        if seed % 20 == 3:
            self.found = self.found[:1]

    def video(self, key, length, seed):
        names = [f'{key}/{t}.png' for t in range(length)]
        height, width = SIZE
        self.data['videos'].append(
            dict(
                id=key,
                height=height,
                width=width,
                length=length,
                file_names=names,
            )
        )
        rng = self.rng
        for _ in range(rng.integers(0, 5)):
            category, masks = int(rng.choice(CATEGORIES)), self.path(length)
            self.annotate(key, category, masks, rng.random() < 0.2)
            for _ in range(rng.integers(0, 4)):
                self.guess(key, category, self.noisy(masks, rng.random()))
        many = seed % 10 == 0 and length < 10
        for _ in range(130 if many else rng.integers(0, 12)):
            category = int(CATEGORIES[0] if many else rng.choice(CATEGORIES))
            self.guess(key, category, self.path(length))

    def annotate(self, video, category, masks, crowd):
        self.data['annotations'].append(
            dict(
                id=len(self.data['annotations']) + 1,
                video_id=video,
                category_id=category,
                iscrowd=int(crowd),
                segmentations=masks,
                areas=[m and area(m) for m in masks],
                bboxes=[m and [0, 0, 1, 1] for m in masks],
            )
        )

    def guess(self, video, category, masks):
        self.found.append(
            dict(
                video_id=video,
                category_id=category,
                score=round(float(self.rng.random()), 1),
                segmentations=masks,
            )
        )

    def blob(self):
        rng = self.rng
        y, x = rng.integers(0, 4, 2) * 4
        height, width = rng.integers(1, 6, 2) * (2 + 2 * rng.integers(0, 2))
        mask = np.zeros(SIZE, bool)
        mask[y : y + height, x : x + width] = True
        return encode(mask)

    def path(self, length):
        rng = self.rng
        still = self.blob()
        masks = [
            None
            if rng.random() < 0.2
            else (still if rng.random() < 0.7 else self.blob())
            for _ in range(length)
        ]
        if rng.random() < 0.05:
            masks = [None] * length
        return masks

    def noisy(self, masks, share):
        rng = self.rng
        return [
            (self.blob() if rng.random() < 0.6 else None)
            if rng.random() < 0.4 * share
            else mask
            for mask in masks
        ]


def test_the_cases_have_what_they_promise():
    cases = [Case(seed) for seed in range(200)]
    lengths = {v['length'] for c in cases for v in c.data['videos']}
    assert {1, 500} <= lengths
    assert any(t['iscrowd'] for c in cases for t in c.data['annotations'])
    assert any(not c.data['annotations'] for c in cases)
    per_group = [
        sum(e['video_id'] == v['id'] for e in c.found)
        for c in cases
        for v in c.data['videos']
    ]
    assert min(per_group) == 0 and max(per_group) > 130


@pytest.mark.parametrize('block', range(10))
def test_200_random_cases_are_equal(monkeypatch, block):
    # Frames are small: so shall be the limits between sizes.
    scale = 250.0
    from pmvis_mm.evaluation.functional import track_matching

    for name, (low, high) in list(track_matching.AREA_RANGES.items()):
        monkeypatch.setitem(
            track_matching.AREA_RANGES, name, (low / scale, high / scale)
        )
    judged = 0
    for seed in range(20 * block, 20 * block + 20):
        case = Case(seed)
        if not case.found:  # the public one fails: see the next test
            continue
        judged += 1
        run, _ = judge_publicly(case.data, case.found, scale)
        truth = parse_annotations(case.data, with_masks=True)
        result = evaluate_tracks(case.found, truth, sizes=True)
        summary = result.summary()
        for name, place in PLACES.items():
            ours = -1 if np.isnan(summary[name]) else summary[name]
            assert abs(ours - run.stats[place]) <= 1e-9, (seed, name)
        # Every entry, of every category, threshold and size.
        for a, part in enumerate([result, *result.parts.values()]):
            theirs = run.eval['precision'][:, :, :, a, 2]
            close(part.precision, theirs)
            for m, number in enumerate((1, 10, 100)):
                close(part.recall[number], run.eval['recall'][:, :, a, m])
        for k, category in enumerate(CATEGORIES):
            own = run.eval['precision'][:, :, k, 0, 2]
            if (own == -1).all():
                assert category not in result.per_category()
            else:
                expected = own[own > -1].mean()
                got = result.per_category()[category]
                assert abs(got - expected) <= 1e-9
    assert judged >= 15


def close(ours, theirs):
    filled = np.where(np.isnan(ours), -1, ours)
    assert np.abs(filled - theirs).max() <= 1e-9


def test_no_predictions_where_the_public_one_fails():
    case = Case(1)
    with pytest.raises(IndexError):
        judge_publicly(case.data, [])
    truth = parse_annotations(case.data, with_masks=True)
    assert evaluate_tracks([], truth).summary()['AP'] == 0


def test_davis_mini_is_equal(repo_root):
    ann_file = repo_root.parent / 'shared/data/davis_mini/instances.json'
    if not ann_file.exists():
        pytest.skip('no davis_mini in the folder "shared" beside the checkout')
    data = json.loads(ann_file.read_text())
    truth = VideoAnnotations.from_file(
        ann_file, with_masks=True, clip_boxes=True
    )
    rng = np.random.default_rng(0)
    found = []
    for track in truth:
        length = len(track.segmentations)
        for lag in (0, 1, 3):
            masks = [
                track.segmentations[max(t - lag, 0)] for t in range(length)
            ]
            if lag == 3:
                masks[: length // 2] = [None] * (length // 2)
            found.append(
                dict(
                    video_id=track.video_id,
                    category_id=track.category_id,
                    score=float(rng.random()),
                    segmentations=masks,
                )
            )
    # An id of 0 means "not matched" to the public evaluator.
    for number, annotation in enumerate(data['annotations']):
        annotation.update(id=number + 1)
        annotation.setdefault('iscrowd', 0)
        if not annotation.get('areas'):
            annotation['areas'] = [
                m and area(m) for m in annotation['segmentations']
            ]
    run, _ = judge_publicly(data, found)
    summary = evaluate_tracks(found, truth, sizes=True).summary()
    for name, place in PLACES.items():
        ours = -1 if np.isnan(summary[name]) else summary[name]
        assert abs(ours - run.stats[place]) <= 1e-9, name
    assert 0.1 < summary['AP'] < 1
