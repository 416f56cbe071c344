"""The tracking numbers themselves are tested with their functions."""

import json

import numpy as np
import pytest
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.evaluator import Evaluator
from mmengine.structures import InstanceData

from pmvis_mm.evaluation import TrackingMetric
from pmvis_mm.evaluation.functional import TrackingOptions, evaluate_tracking
from pmvis_mm.registry import METRICS
from pmvis_mm.structures import VideoAnnotations
from pmvis_mm.structures.rle import box_rle, encode
from pmvis_mm.utils.errors import AnnotationError, ConfigError

pytest.importorskip('trackeval')

SIZE = (8, 20)
LENGTH = 3
# Category 7 in both videos, category 3 in the second one.
REAL = {0: (4, 7, (0, 0, 6, 8)), 1: (5, 7, (2, 0, 8, 8)), 2: (5, 3, None)}


def place(key):
    return box_rle(REAL[key][2] or (12, 0, 18, 8), *SIZE)


@pytest.fixture
def ann_file(tmp_path):
    annotations = [
        dict(
            id=key,
            video_id=video,
            category_id=category,
            bboxes=[[0, 0, 6, 8]] * LENGTH,
            segmentations=[place(key)] * LENGTH,
        )
        for key, (video, category, _) in REAL.items()
    ]
    videos = [
        dict(
            id=key,
            width=SIZE[1],
            height=SIZE[0],
            file_names=[f'{key}/{t}.jpg' for t in range(LENGTH)],
        )
        for key in (4, 5)
    ]
    categories = [dict(id=7, name='bar'), dict(id=3, name='dot')]
    data = dict(videos=videos, categories=categories, annotations=annotations)
    path = tmp_path / 'real.json'
    path.write_text(json.dumps(data))
    return str(path)


def frame(video, t, found):
    """``found``: id, label, score, mask of each instance."""
    sample = DetDataSample(metainfo=dict(video_id=video, frame_id=t))
    sample.pred_track_instances = InstanceData(
        scores=np.array([item[2] for item in found]),
        labels=np.array([item[1] for item in found], int),
        instances_id=np.array([item[0] for item in found], int),
        masks=[item[3] for item in found],
    )
    clip = TrackDataSample()
    clip.video_data_samples = [sample]
    return clip


def perfect():
    clips = []
    for video in (4, 5):
        for t in range(LENGTH):
            found = [
                (key, int(category == 3), 0.9, place(key))
                for key, (where, category, _) in REAL.items()
                if where == video
            ]
            clips.append(frame(video, t, found))
    return clips


def evaluate(clips, meta=None, **options):
    metrics = [METRICS.build(dict(type='TrackingMetric', **options))]
    assert isinstance(metrics[0], TrackingMetric)
    metrics.append(
        METRICS.build(dict(type='VISMetric', ann_file=options['ann_file']))
    )
    evaluator = Evaluator(metrics)
    evaluator.dataset_meta = meta or dict(classes=('bar', 'dot'))
    for clip in clips:
        evaluator.process(data_samples=[clip], data_batch=None)
    return evaluator.evaluate(2)


def test_perfect_tracks_beside_vis_metric(ann_file):
    found = evaluate(perfect(), ann_file=ann_file)
    for name in ('HOTA', 'DetA', 'AssA', 'MOTA', 'IDF1'):
        assert found[f'track/{name}'] == pytest.approx(1)
    assert found['track/IDSW'] == found['track/CLR_FP'] == 0
    assert found['vis/AP'] == pytest.approx(1)
    assert not any(name.endswith('_bar') for name in found)


def test_dense_masks_and_classes_one_by_one(ann_file):
    clips = perfect()
    # In video 5 the bar is lost after the first frame.
    for t in (1, 2):
        mask = np.zeros(SIZE, bool)
        mask[:, 12:18] = True
        assert encode(mask) == place(2)
        clips[LENGTH + t] = frame(5, t, [(2, 1, 0.9, mask)])
    found = evaluate(clips, ann_file=ann_file, classwise=True)
    assert found['track/CLR_FN'] == 2
    assert found['track/HOTA_dot'] == pytest.approx(1)
    assert found['track/DetA_bar'] == pytest.approx(4 / 6)
    # Associations: three of 1, one of 1 / 3.
    hota = np.sqrt((3 + 1 / 3) / 6)
    assert found['track/HOTA_bar'] == pytest.approx(hota)
    assert found['track/HOTA'] == pytest.approx((1 + hota) / 2)


def test_same_as_of_the_results_file(ann_file, tmp_path):
    clips = perfect()
    clips[0] = frame(4, 0, [(0, 1, 0.5, box_rle((0, 0, 3, 8), *SIZE))])
    metric = METRICS.build(
        dict(
            type='VISMetric',
            ann_file=ann_file,
            outfile_prefix=str(tmp_path / 'out'),
        )
    )
    evaluator = Evaluator(metric)
    evaluator.dataset_meta = dict(classes=('bar', 'dot'))
    for clip in clips:
        evaluator.process(data_samples=[clip], data_batch=None)
    evaluator.evaluate(2)
    entries = json.loads((tmp_path / 'out.results.json').read_text())
    truth = VideoAnnotations.from_file(ann_file, with_masks=True)
    expected = evaluate_tracking(entries, truth).overall
    found = evaluate(clips, ann_file=ann_file)
    assert expected['LocA'] < 1
    assert {k: found[f'track/{k}'] for k in expected} == expected


def test_options_are_used(ann_file):
    clips = perfect()
    for t in range(LENGTH):
        # Wrong class and a doubtful track.
        clips[t] = frame(4, t, [(0, 1, 0.9, place(0)), (1, 0, 0.2, place(2))])
    found = evaluate(clips, ann_file=ann_file, class_agnostic=True)
    assert found['track/HOTA'] == pytest.approx(1)
    assert found['track/CLR_FP'] == 0
    found = evaluate(clips, ann_file=ann_file, score_thr=0.1)
    assert found['track/CLR_FP'] == 6
    found = evaluate(
        clips, ann_file=ann_file, families=['Identity'], prefix='t'
    )
    names = {name for name in found if name.startswith('t/')}
    assert names == {
        f't/{name}' for name in ('IDF1', 'IDR', 'IDP', 'IDTP', 'IDFN', 'IDFP')
    }


def test_only_categories_of_the_dataset_count(ann_file):
    clips = [frame(4, t, [(0, 0, 0.9, place(0))]) for t in range(LENGTH)]
    clips += [frame(5, t, [(1, 0, 0.9, place(1))]) for t in range(LENGTH)]
    for agnostic in (False, True):
        found = evaluate(
            clips,
            dict(classes=('bar',)),
            ann_file=ann_file,
            class_agnostic=agnostic,
        )
        assert found['track/HOTA'] == pytest.approx(1)
        assert found['track/CLR_FN'] == 0


def test_nothing_predicted(ann_file):
    found = evaluate([], ann_file=ann_file)
    assert found['track/HOTA'] == 0 and found['track/CLR_FN'] == 9
    clips = [frame(4, t, []) for t in range(LENGTH)]
    assert evaluate(clips, ann_file=ann_file) == found


def test_bad_input_is_named(ann_file, tmp_path, monkeypatch):
    with pytest.raises(ConfigError, match=r"families=\['X'\]"):
        evaluate([], ann_file=ann_file, families=['X'])
    assert TrackingOptions().families == ('HOTA', 'CLEAR', 'Identity')
    data = json.loads(open(ann_file).read())
    del data['annotations'][0]['segmentations']
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps(data))
    with pytest.raises(AnnotationError, match=r'no masks to compare with'):
        METRICS.build(dict(type='TrackingMetric', ann_file=str(path)))
    monkeypatch.setitem(__import__('sys').modules, 'trackeval', None)
    with pytest.raises(ConfigError, match='pip install trackeval'):
        METRICS.build(dict(type='TrackingMetric', ann_file=ann_file))
