"""IoU of pseudo masks with real masks, by hand."""

import math

import pytest

from pmvis_mm.evaluation.functional import measure_masks, oracle
from pmvis_mm.structures import PseudoMaskSet, parse_annotations
from pmvis_mm.testing.masks import block
from pmvis_mm.utils.errors import AnnotationError

REAL = block(0, 9, 0, 9)


def content(tracks, key='segmentations'):
    length = 3
    return dict(
        videos=[
            dict(
                id=v,
                width=64,
                height=64,
                file_names=[f'{t}.jpg' for t in range(length)],
            )
            for v in (0, 1)
        ],
        categories=[dict(id=1, name='a')],
        annotations=[
            {
                'id': k,
                'video_id': v,
                'category_id': 1,
                'bboxes': [[0, 0, 10, 10]] * length,
                key: masks,
            }
            for k, v, masks in tracks
        ],
    )


def truth(tracks):
    return parse_annotations(content(tracks), 'real.json', with_masks=True)


def masks(tracks):
    return PseudoMaskSet.from_json(content(tracks), 'pseudo.json')


def half():
    return block(0, 4, 0, 9)


def test_missing_masks_count_zero_and_absent_truth_not_at_all():
    real = truth([(0, 0, [REAL, REAL, None]), (1, 1, [REAL] * 3)])
    found = measure_masks(masks([(0, 0, [REAL, None, REAL])]), real)
    assert found.ious == {
        (0, 0): 1.0,
        (0, 1): 0.0,
        (1, 0): 0.0,
        (1, 1): 0.0,
        (1, 2): 0.0,
    }
    summary = found.summary()
    assert summary['miou'] == pytest.approx(0.2)
    assert summary['miou_present'] == 1 and summary['coverage'] == 0.2
    per_video = found.per_video()
    assert per_video[0]['miou'] == 0.5 and per_video[1]['miou'] == 0


def test_thresholds_are_inclusive():
    real = truth([(0, 0, [REAL] * 3)])
    nine = block(0, 8, 0, 9)
    found = measure_masks(masks([(0, 0, [half(), nine, REAL])]), real)
    summary = found.summary()
    assert summary['above_50'] == 1
    assert summary['above_75'] == summary['above_90'] == pytest.approx(2 / 3)


def test_oracle_takes_the_best_of_every_mask():
    real = truth([(0, 0, [REAL] * 3)])
    first = measure_masks(masks([(0, 0, [REAL, half(), None])]), real)
    second = measure_masks(masks([(0, 0, [None, REAL, None])]), real)
    best = oracle([first, second])
    assert list(best.ious.values()) == [1, 1, 0]
    assert list(best.present.values()) == [True, True, False]


def test_without_truth():
    empty = measure_masks(masks([]), truth([])).summary()
    assert all(math.isnan(value) for value in empty.values())
    boxes = parse_annotations(
        content([(0, 0, [REAL] * 3)]), 'boxes.json', with_masks=False
    )
    with pytest.raises(AnnotationError, match=r'no masks.*boxes\.json'):
        measure_masks(masks([]), boxes)
