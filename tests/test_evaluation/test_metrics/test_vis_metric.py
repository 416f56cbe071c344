import json

import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.runner import Runner
from mmengine.structures import InstanceData

from pmvis_mm.evaluation import VISMetric
from pmvis_mm.registry import METRICS
from pmvis_mm.structures import rle
from pmvis_mm.testing.tiny_predictions import (
    SIZE,
    clip,
    dense,
    evaluate,
    frame,
    judged,
    whole,
    write_truth,
    written,
)
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.utils.errors import AnnotationError, ConfigError


@pytest.fixture
def ann_file(tmp_path):
    return write_truth(tmp_path)


@pytest.mark.parametrize('as_rle', [False, True])
def test_perfect_predictions_score_one_in_every_epoch(ann_file, as_rle):
    metric = METRICS.build(dict(type='VISMetric', ann_file=ann_file))
    for _ in range(2):
        found = evaluate(metric, whole(as_rle=as_rle))
        expected = {
            f'vis/{k}': 1 for k in ('AP', 'AP50', 'AP75', 'AR1', 'AR10')
        }
        assert found == pytest.approx(expected)
    assert evaluate(metric, []) == dict.fromkeys(expected, 0)


def test_frames_and_clips_give_the_same(ann_file):
    def worse(video, t, found):
        return [(k, c, s - 0.1 * t, m) for k, c, s, m in found][t:]

    as_clips = evaluate(VISMetric(ann_file), whole(worse))
    frames = [clip(f) for c in whole(worse) for f in c.video_data_samples]
    # In any order, with one frame twice, as a padding sampler gives it.
    doubled = frames[::-1] + frames[:1]
    assert evaluate(VISMetric(ann_file), doubled) == as_clips
    assert 0 < as_clips['vis/AP'] < 1


def test_wrong_class_costs_its_category(ann_file):
    def wrong(video, t, found):
        return [(k, 1, s, m) for k, c, s, m in found]  # all are squares

    metrics = evaluate(VISMetric(ann_file, classwise=True), whole(wrong))
    # The bar is missed. As a square it ties with the real squares at 0.9
    # and comes first: precision 1/2, then 2/3, which counts everywhere.
    assert metrics['vis/AP_bar'] == 0
    assert metrics['vis/AP_square'] == pytest.approx(2 / 3)
    assert metrics['vis/AP'] == pytest.approx(1 / 3)


def test_half_of_the_frames_missing(ann_file):
    def half(video, t, found):
        return found if t == 0 else []

    metrics = evaluate(VISMetric(ann_file, classwise=True), whole(half))
    # IoU: bar 16 / 32, square of video 0 has one frame anyway: 1, square of
    # video 5 16 / 32. Both halves pass only the threshold of 0.5.
    assert metrics['vis/AP50'] == pytest.approx(1)
    assert metrics['vis/AP_bar'] == pytest.approx(0.1)
    # At the nine others: one of two squares found, first in the ranking.
    assert metrics['vis/AP_square'] == pytest.approx(0.1 * 1 + 0.9 * 51 / 101)


def test_results_file_keeps_ids_and_joins_tracks(ann_file, tmp_path):
    scores, labels = iter([0.25, 0.5]), iter([1, 0])

    def change(video, t, found):
        if video == 5:
            return []
        bar = found[0]
        return [(bar[0], next(labels), next(scores), bar[3])]

    prefix = str(tmp_path / 'out' / 'test')
    metric = VISMetric(ann_file, outfile_prefix=prefix, format_only=True)
    assert evaluate(metric, whole(change)) == {}
    tracks = json.loads((tmp_path / 'out/test.results.json').read_text())
    assert len(tracks) == 1
    masks = tracks[0].pop('segmentations')
    # One frame each: the label of the higher score wins; label 0 is id 7.
    assert tracks[0] == dict(video_id=0, score=0.375, category_id=7)
    assert [rle.area(m) for m in masks] == [16, 16]


def test_majority_label_max_score_and_null_masks(ann_file, tmp_path):
    def change(video, t, found):
        empty = np.zeros(SIZE, bool)
        if video == 0:
            return [(4, 1, 0.2 + 0.5 * t, dense(0, 0, 2, 2) if t else empty)]
        return []

    metric = VISMetric(
        ann_file, outfile_prefix=str(tmp_path / 'r'), score='max'
    )
    evaluate(metric, whole(change))
    (track,) = json.loads((tmp_path / 'r.results.json').read_text())
    assert track['score'] == pytest.approx(0.7) and track['category_id'] == 3
    assert track['segmentations'][0] is None
    assert rle.area(track['segmentations'][1]) == 4


def test_mean_of_equal_scores_is_that_score(ann_file, tmp_path):
    score = float(torch.tensor(0.1))  # float32, widened
    metric = VISMetric(ann_file, outfile_prefix=str(tmp_path / 'r'))
    evaluate(
        metric,
        whole(lambda v, t, f: [(k, c, score, m) for k, c, _, m in f]),
    )
    tracks = json.loads((tmp_path / 'r.results.json').read_text())
    assert [t['score'] for t in tracks] == [score] * 3


@pytest.mark.parametrize(
    'meta',
    [
        dict(classes=('square', 'bar'), category_ids=(3, 7)),
        dict(classes=('square', 'bar')),
    ],
)
def test_labels_follow_the_dataset(ann_file, meta):
    def swap(video, t, found):
        return [(k, 1 - c, s, m) for k, c, s, m in found]

    metrics = evaluate(VISMetric(ann_file), whole(swap), meta)
    assert metrics['vis/AP'] == pytest.approx(1)


def test_bad_input_is_named(ann_file, tmp_path):
    metric = VISMetric(ann_file)
    with pytest.raises(AnnotationError, match=r'does not list.*video 9'):
        evaluate(metric, [clip(frame(9, 0, []))])
    with pytest.raises(AnnotationError, match=r'beyond the 2.*frame 2'):
        evaluate(metric, [clip(frame(0, 2, []))])
    with pytest.raises(ConfigError, match=r'\[4, 4\].*video 0, frame 1'):
        small = frame(0, 1, [])
        small.pred_track_instances = InstanceData(
            scores=torch.ones(1),
            labels=torch.zeros(1),
            instances_id=torch.zeros(1),
            masks=torch.ones(1, 4, 4, dtype=torch.bool),
        )
        evaluate(metric, [clip(small)])
    bare = frame(0, 0, [])
    del bare.pred_track_instances
    with pytest.raises(ConfigError, match=r"predicts no \['scores'"):
        evaluate(metric, [clip(bare)])
    with pytest.raises(ConfigError, match='label 2 but there are 2 classes'):
        evaluate(metric, [clip(frame(0, 0, [(0, 2, 0.5, dense(0, 0, 1, 1))]))])
    with pytest.raises(AnnotationError, match=r"not in this file: \['cat'\]"):
        evaluate(VISMetric(ann_file), [], dict(classes=('bar', 'cat')))
    nameless = frame(0, 0, [])
    nameless.pop('video_id')
    with pytest.raises(ConfigError, match='no "video_id"'):
        evaluate(VISMetric(ann_file), [clip(nameless)])


def test_bad_options_are_found_at_once(ann_file, tmp_path):
    for wrong in ('x', 1.5, ['a']):
        with pytest.raises(ConfigError, match='long_videos=.* is no number'):
            VISMetric(ann_file, long_videos=wrong)
    with pytest.raises(ConfigError, match="score='median' is unknown"):
        VISMetric(ann_file, score='median')
    with pytest.raises(ConfigError, match='without outfile_prefix'):
        VISMetric(ann_file, format_only=True)
    data = json.loads(open(ann_file).read())
    data['annotations'] = None  # an official validation file
    path = tmp_path / 'valid.json'
    path.write_text(json.dumps(data))
    with pytest.raises(AnnotationError, match='set format_only=True'):
        VISMetric(str(path))
    VISMetric(str(path), format_only=True, outfile_prefix='x')


def run_test_loop(repo_root, root, sampler):
    """Test random weights; returns metrics and the results written."""
    cfg = Config.fromfile(
        repo_root / 'tests/data/configs/tiny_mask_track_rcnn.py'
    )
    ann_file = str(root / 'instances.json')
    cfg.merge_from_dict(
        dict(
            work_dir=str(root / sampler),
            experiment_name=f'{root.name}_{sampler}',
            log_level='WARNING',
            randomness=dict(seed=0),
            test_cfg=dict(type='TestLoop'),
            test_evaluator=dict(
                type='VISMetric',
                ann_file=ann_file,
                outfile_prefix=str(root / sampler),
            ),
        )
    )
    cfg.test_dataloader.update(
        batch_size=1,
        num_workers=0,
        sampler=dict(type=sampler, **SAMPLERS[sampler]),
    )
    cfg.test_dataloader.dataset.update(
        ann_file=ann_file,
        data_prefix=dict(img_path=str(root / 'JPEGImages')),
        metainfo=dict(),
        test_mode=True,
    )
    metrics = Runner.from_cfg(cfg).test()
    return metrics, json.loads((root / f'{sampler}.results.json').read_text())


SAMPLERS = dict(TrackImgSampler=dict(), DefaultSampler=dict(shuffle=False))


def test_test_loop_over_frames_or_whole_videos(repo_root, tmp_path):
    data = write_tiny_vis(tmp_path)
    by_frame = run_test_loop(repo_root, tmp_path, 'TrackImgSampler')
    by_video = run_test_loop(repo_root, tmp_path, 'DefaultSampler')
    assert by_frame == by_video
    metrics, tracks = by_frame
    assert {t['video_id'] for t in tracks} == {v['id'] for v in data['videos']}
    assert {t['category_id'] for t in tracks} <= {3, 0}
    assert all(len(t['segmentations']) == 3 for t in tracks)
    assert 0 <= metrics['vis/AP'] < 0.5  # of random weights


def test_case_26_json_of_the_reference(ann_file, tmp_path):
    """As IDOL's public code writes results (case 26 of its numbers)."""
    from pycocotools import mask as coco_mask

    def encoded(mask):
        array = np.array(mask[:, :, None], order='F', dtype='uint8')
        rle_ = coco_mask.encode(array)[0]
        return dict(size=rle_['size'], counts=rle_['counts'].decode('utf-8'))

    rows = [(0, 0, 0, 0.75), (0, 0, 1, 0.25), (1, 0, 1, 0.5)]
    clips = [judged(0, rows), judged(5, [(2, 1, 1, 0.125)])]
    metric = VISMetric(
        ann_file, outfile_prefix=str(tmp_path / 'r'), empty_rle=True
    )
    _, tracks = written(metric, clips)
    empty = np.zeros(SIZE, bool)
    bar = [dense(0, 0, 2, 8), dense(1, 0, 3, 8)]
    square = [dense(4, 1, 8, 5), empty]
    late = [empty, dense(3, 2, 7, 6)]  # a hit before its start is no hit
    assert tracks == [
        dict(
            video_id=video,
            score=score,
            category_id=category,
            segmentations=[encoded(mask) for mask in masks],
        )
        for video, score, category, masks in (
            (0, 0.75, 7, bar),
            (0, 0.25, 3, bar),  # the same track under a second class
            (0, 0.5, 3, square),
            (5, 0.125, 3, late),
        )
    ]


def test_case_26_ids_from_one_to_k_are_labels_plus_one(ann_file, tmp_path):
    with open(ann_file) as file:
        data = json.load(file)
    for category, key in zip(data['categories'], (1, 2)):
        category['id'] = key
    for track in data['annotations']:
        track['category_id'] = {7: 1, 3: 2}[track['category_id']]
    path = tmp_path / 'ids.json'
    path.write_text(json.dumps(data))
    metric = VISMetric(str(path), outfile_prefix=str(tmp_path / 'r'))
    rows = [(0, 0, 0, 0.5), (0, 0, 1, 0.5)]
    _, tracks = written(metric, [judged(0, rows)])
    assert [track['category_id'] for track in tracks] == [1, 2]


def test_empty_rle_changes_the_file_and_nothing_else(ann_file, tmp_path):
    def half(video, t, found):
        return found if t == 0 else []

    found = {}
    for flag in (False, True):
        prefix = str(tmp_path / str(flag))
        metric = VISMetric(ann_file, outfile_prefix=prefix, empty_rle=flag)
        found[flag] = written(metric, whole(half))
    assert found[False][0] == found[True][0]
    for with_null, filled in zip(found[False][1], found[True][1]):
        first, absent = with_null.pop('segmentations')
        assert absent is None
        same, zeros = filled.pop('segmentations')
        assert first == same and zeros['size'] == list(SIZE)
        assert not rle.decode(zeros).any()
        assert with_null == filled


def test_models_with_and_without_verdicts_in_one_run(ann_file, tmp_path):
    # Video 0 is judged by the model, video 5 from its frames.
    metric = VISMetric(ann_file, outfile_prefix=str(tmp_path / 'r'))
    metrics, tracks = written(
        metric, [judged(0, [(0, 0, 0, 0.5), (1, 0, 1, 0.5)]), whole()[1]]
    )
    assert metrics['vis/AP'] == pytest.approx(1)
    assert [(t['video_id'], t['category_id']) for t in tracks] == [
        (0, 7),
        (0, 3),
        (5, 3),
    ]
    with pytest.raises(ConfigError, match=r'instance 9, which no.*video 0'):
        evaluate(VISMetric(ann_file), [judged(0, [(9, 0, 0, 0.5)])])
