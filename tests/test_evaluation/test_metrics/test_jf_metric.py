import json

import pytest
from mmengine.evaluator import Evaluator

from pmvis_mm.evaluation import JFMetric
from pmvis_mm.labeling.label_video import LabelResult
from pmvis_mm.registry import METRICS
from pmvis_mm.structures import MaskTrack, VideoInfo
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import AnnotationError

BOX = (30.0, 40.0, 50.0, 60.0)


def square(x):
    return box_rle((x, 40, x + 20, 60), 300, 400)


def video(key):
    return VideoInfo(key, 400, 300, tuple(f'{key}/{t}' for t in range(4)))


def labelled(key, **stages):
    """Instance 10 * key with masks per stage."""
    result = LabelResult(video(key), [])
    for name, masks in stages.items():
        track = MaskTrack.empty_like(
            MaskTrack(10 * key, key, 1, [None] * 4, [BOX] * 4, [], [])
        )
        for t, mask in enumerate(masks):
            track.set(t, mask, 'x')
        result.commit(name, [track])
    return result


@pytest.fixture
def results():
    return [
        labelled(
            0,
            raw=[None, square(35), square(30), square(200)],
            doob=[square(30)] * 4,
        ),
        labelled(1, raw=[None] * 4, doob=[None, None, square(30), None]),
    ]


@pytest.fixture
def ann_file(tmp_path):
    """Real masks everywhere; in video 1 from frame 1 on."""
    data = dict(
        videos=[video(key).to_json() for key in range(2)],
        categories=[dict(id=1, name='a')],
        annotations=[
            dict(
                id=10 * key,
                video_id=key,
                category_id=1,
                bboxes=[[30, 40, 20, 20]] * 4,
                segmentations=[None] * key + [square(30)] * (4 - key),
            )
            for key in range(2)
        ],
    )
    path = tmp_path / 'real.json'
    path.write_text(json.dumps(data))
    return str(path)


def evaluate(results, **kwargs):
    metric = METRICS.build(dict(type='JFMetric', **kwargs))
    assert isinstance(metric, JFMetric)
    evaluator = Evaluator(metric)
    evaluator.process(data_samples=results, data_batch=None)
    return evaluator.evaluate(2)


def test_by_hand_and_doubled_videos(results, ann_file):
    # Frames 1 and 2 of video 0: J = F = 0.6 (see test_boundary) and 1;
    # frame 2 of video 1: nothing found.
    metrics = evaluate(results + results[:1], ann_file=ann_file)
    assert metrics['raw/j_mean'] == pytest.approx(0.8 / 2)
    assert metrics['raw/f_mean'] == pytest.approx(0.8 / 2)
    assert metrics['raw/jf_mean'] == pytest.approx(0.4)
    assert metrics['raw/j_recall'] == 0.5
    assert metrics['raw/j_decay'] == pytest.approx(-0.4 / 2)
    assert metrics['doob/jf_mean'] == 1.0
    assert len(metrics) == 14


def test_options(results, ann_file):
    metrics = evaluate(
        results, ann_file=ann_file, skip_last=False, prefix='all'
    )
    # Frame 3: 0 for video 0, and 0 for video 1.
    assert metrics['all/raw/j_mean'] == pytest.approx(1.6 / 3 / 2)
    assert metrics['all/doob/j_mean'] == pytest.approx((1 + 1 / 2) / 2)
    metrics = evaluate(results, ann_file=ann_file, skip_first=False)
    # Frame 0: video 0 has none where it should, video 1 is rightly empty.
    assert metrics['raw/j_mean'] == pytest.approx((1.6 + 1) / 3 / 2)
    strict = evaluate(results, ann_file=ann_file, tolerance=0.0)
    assert strict['raw/f_mean'] < 0.4


def test_videos_one_by_one(results, ann_file):
    plain = evaluate(results, ann_file=ann_file)
    metrics = evaluate(results, ann_file=ann_file, videowise=True)
    assert len(metrics) == 14 * 3
    assert plain == {name: metrics[name] for name in plain}
    assert metrics['raw/0/j_mean'] == pytest.approx(0.8)
    assert metrics['raw/0/j_decay'] == pytest.approx(-0.4)
    assert metrics['raw/1/j_mean'] == 0.0
    assert metrics['doob/1/jf_mean'] == 1.0


def test_nothing_labelled(ann_file):
    assert evaluate([], ann_file=ann_file) == {}


def test_bad_input_is_named(results, ann_file, tmp_path):
    other = LabelResult(video(7), [], dict(raw=[]))
    with pytest.raises(AnnotationError, match=r'missing here.*video 7'):
        evaluate([other], ann_file=ann_file)
    data = json.loads(open(ann_file).read())
    del data['annotations'][0]['segmentations']
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps(data))
    with pytest.raises(AnnotationError, match=r'no masks.*instance 0'):
        evaluate(results, ann_file=str(path))
