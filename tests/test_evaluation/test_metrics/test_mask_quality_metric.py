import json
import math

import pytest
from mmengine.evaluator import Evaluator

from pmvis_mm.evaluation.functional import measure_masks
from pmvis_mm.labeling.label_video import LabelResult
from pmvis_mm.registry import METRICS
from pmvis_mm.structures import (
    MaskTrack,
    PseudoMaskSet,
    VideoAnnotations,
    VideoInfo,
)
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import AnnotationError, ConfigError

SIZE = (4, 8)


def cols(x0, x1):
    return box_rle((x0, 0, x1, 4), *SIZE)


def video(key):
    return VideoInfo(key, 8, 4, (f'{key}/0.png', f'{key}/1.png'))


def labelled(key, raw, doob):
    """Instance 10 * key with masks and scores of two stages."""
    result = LabelResult(video(key), [])
    for name, masks in (('raw', raw), ('doob', doob)):
        track = MaskTrack(
            10 * key,
            key,
            1,
            [None] * 2,
            [(0, 0, 4, 4)] * 2,
            [None] * 2,
            [None] * 2,
        )
        for t, (mask, score) in enumerate(masks):
            track.set(t, mask, 'x', score)
        result.commit(name, [track])
    return result


@pytest.fixture
def results():
    return [
        labelled(
            0,
            [(cols(0, 4), 0.5), (cols(0, 8), 0.7)],
            [(cols(0, 4), 0.5), (cols(2, 4), 0.9)],
        ),
        labelled(
            1, [(cols(4, 8), None), (None, None)], [(None, None), (None, None)]
        ),
    ]


@pytest.fixture
def ann_file(tmp_path):
    """Real masks fill columns 0-3; the last frame of video 1 is empty."""
    data = dict(
        videos=[video(key).to_json() for key in range(2)],
        categories=[dict(id=1, name='a')],
        annotations=[
            dict(
                id=10 * key,
                video_id=key,
                category_id=1,
                bboxes=[[0, 0, 4, 4]] * 2,
                segmentations=[cols(0, 4), None if key else cols(0, 4)],
            )
            for key in range(2)
        ],
    )
    path = tmp_path / 'real.json'
    path.write_text(json.dumps(data))
    return str(path)


def evaluate(results, **kwargs):
    metric = METRICS.build(dict(type='MaskQualityMetric', **kwargs))
    evaluator = Evaluator(metric)
    evaluator.process(data_samples=results, data_batch=None)
    return evaluator.evaluate(2)


def test_counts_without_real_masks(results):
    metrics = evaluate(results)
    assert metrics == pytest.approx(
        {
            'raw/boxes': 4,
            'raw/masks': 3,
            'raw/coverage': 0.75,
            'raw/score': 0.6,
            'doob/boxes': 4,
            'doob/masks': 2,
            'doob/coverage': 0.5,
            'doob/score': 0.7,
        }
    )


def test_quality_by_hand_and_doubled_videos(results, ann_file):
    metrics = evaluate(results + results[:1], ann_file=ann_file)
    # IoU of three real masks, raw: 1, 16 / 32, 0; doob: 1, 8 / 16, missing.
    assert metrics['raw/miou'] == pytest.approx(0.5)
    assert metrics['raw/miou_present'] == pytest.approx(0.5)
    assert metrics['raw/real_coverage'] == 1
    assert metrics['raw/above_50'] == pytest.approx(2 / 3)
    assert metrics['raw/above_75'] == metrics['raw/above_90']
    assert metrics['raw/above_75'] == pytest.approx(1 / 3)
    assert metrics['doob/miou'] == pytest.approx(0.5)
    assert metrics['doob/miou_present'] == pytest.approx(0.75)
    assert metrics['doob/real_coverage'] == pytest.approx(2 / 3)
    assert metrics['raw/masks'] == 3


def test_same_numbers_as_for_a_whole_set(results, ann_file):
    metrics = evaluate(results, ann_file=ann_file, prefix='labels')
    truth = VideoAnnotations.from_file(ann_file, with_masks=True)
    masks = PseudoMaskSet.empty_like(truth)
    for result in results:
        masks.tracks[result.video.id] = result.stages['doob']
    for name, value in measure_masks(masks, truth).summary().items():
        name = dict(coverage='real_coverage').get(name, name)
        assert metrics[f'labels/doob/{name}'] == value


def test_outlines_when_asked_for(results, ann_file):
    plain = evaluate(results, ann_file=ann_file)
    metrics = evaluate(results, ann_file=ann_file, boundary=True)
    added = sorted(set(metrics) - set(plain))
    assert added == ['doob/boundary_f', 'raw/boundary_f']
    # 'raw': equal; a full frame, which has no outline; the outlines of
    # columns 0-3 and 4-7, both at column 3.
    assert metrics['raw/boundary_f'] == pytest.approx((1 + 0 + 1) / 3)
    truth = VideoAnnotations.from_file(ann_file, with_masks=True)
    masks = PseudoMaskSet.empty_like(truth)
    for result in results:
        masks.tracks[result.video.id] = result.stages['doob']
    expected = measure_masks(masks, truth, boundary=True).summary()
    assert metrics['doob/boundary_f'] == expected['boundary_f']


def test_groups(results, ann_file):
    plain = evaluate(results, ann_file=ann_file, boundary=True)
    metrics = evaluate(
        results + results[:1],
        ann_file=ann_file,
        boundary=True,
        groups=['size', 'source'],
    )
    assert plain == {name: metrics[name] for name in plain}
    for name in ('miou', 'above_75', 'boundary_f'):
        # All real masks are small.
        assert metrics[f'raw/size/small/{name}'] == pytest.approx(
            plain[f'raw/{name}']
        )
    assert metrics['raw/size/small/masks'] == 3
    assert metrics['doob/source/x/masks'] == 2
    assert metrics['doob/source/x/miou'] == pytest.approx(0.75)
    kinds = {name.split('/')[1] for name in set(metrics) - set(plain)}
    assert kinds == {'size', 'source'}


def test_groups_by_category_and_occlusion(results, ann_file):
    metrics = evaluate(
        results, ann_file=ann_file, groups=('category', 'occlusion')
    )
    assert metrics['raw/category/a/miou'] == pytest.approx(0.5)
    assert metrics['raw/occlusion/no_occlusion/coverage'] == 1


@pytest.mark.parametrize('groups, with_file', [(['size'], 0), (['hue'], 1)])
def test_groups_that_cannot_be_told_are_named(ann_file, groups, with_file):
    with pytest.raises(ConfigError, match=r"groups=\['.*'occlusion'"):
        evaluate([], ann_file=ann_file if with_file else None, groups=groups)


def test_nothing_labelled(results):
    assert evaluate([]) == {}
    for result in results:
        result.stages = dict(raw=[])
    metrics = evaluate(results)
    assert metrics['raw/boxes'] == 0
    assert math.isnan(metrics['raw/coverage'])
    assert 'raw/score' not in metrics


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
