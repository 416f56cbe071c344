"""Groups by hand: the frame has 100 rows of 100 pixels."""

import math

import pytest

from pmvis_mm.evaluation.functional import (
    GroupedQuality,
    mask_groups,
    measure_groups,
    measure_masks,
)
from pmvis_mm.evaluation.functional.mask_groups import size_name
from pmvis_mm.structures import MaskTrack, PseudoMaskSet, parse_annotations
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import AnnotationError, MaskSetError

SIZE = (100, 100)


def box(x0, y0, width, height):
    return [x0, y0, width, height]


def fill(xywh, share=1.0):
    """The upper part of a box."""
    x0, y0, width, height = xywh
    return box_rle((x0, y0, x0 + width, y0 + share * height), *SIZE)


# Per annotation: video, category, boxes per frame.
TRACKS = {
    5: (1, 1, [box(0, 0, 10, 100), box(0, 0, 50, 100), None]),
    6: (1, 2, [box(8, 0, 4, 100), None, box(0, 0, 96, 96)]),
    0: (0, 1, [box(0, 0, 20, 20)]),
}


def make_truth(**extra):
    videos = [
        dict(
            id=key,
            width=100,
            height=100,
            file_names=[f'{key}/{t}.jpg' for t in range(length)],
        )
        for key, length in ((1, 3), (0, 1))
    ]
    annotations = [
        dict(
            id=key,
            video_id=video,
            category_id=category,
            bboxes=boxes,
            segmentations=[b and fill(b) for b in boxes],
            **extra.get(f'a{key}', {}),
        )
        for key, (video, category, boxes) in TRACKS.items()
    ]
    data = dict(
        videos=videos,
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
        annotations=annotations,
    )
    return parse_annotations(data, 'truth.json', with_masks=True)


def make_guess(truth):
    """IoU 0.9 and 0.4 of 'sam', 0.75 of 'flow', one missing, 1 of 'flow'."""
    shares = {
        5: [(0.9, 'sam'), (0.4, 'sam'), None],
        6: [(0.75, 'flow'), None, None],
        0: [(1.0, 'flow')],
    }
    result = PseudoMaskSet.empty_like(truth, 'masks.json')
    for box_track in truth:
        track = MaskTrack.empty_like(box_track)
        for t, item in enumerate(shares[track.id]):
            if item is not None:
                xywh = TRACKS[track.id][2][t]
                track.set(t, fill(xywh, item[0]), item[1])
        result.tracks[track.video_id].append(track)
    return result


def test_sizes_are_those_of_coco():
    names = [size_name(n) for n in (1, 1023, 1024, 9215, 9216)]
    assert names == ['small', 'small', 'medium', 'medium', 'large']


def test_groups_by_hand():
    truth = make_truth()
    assert mask_groups(make_guess(truth), truth) == {
        (5, 0): dict(
            category='cat',
            size='small',
            occlusion='slight_occlusion',
            source='sam',
        ),
        (5, 1): dict(
            category='cat',
            size='medium',
            occlusion='no_occlusion',
            source='sam',
        ),
        # Half of its box lies in the other one.
        (6, 0): dict(
            category='dog',
            size='small',
            occlusion='severe_occlusion',
            source='flow',
        ),
        (6, 2): dict(category='dog', size='large', occlusion='no_occlusion'),
        (0, 0): dict(
            category='cat',
            size='small',
            occlusion='no_occlusion',
            source='flow',
        ),
    }


def figures(masks, ious, present):
    return dict(
        masks=masks,
        miou=sum(ious) / masks,
        miou_present=sum(ious) / present if present else 0.0,
        coverage=present / masks,
        above_50=sum(v >= 0.5 for v in ious) / masks,
        above_75=sum(v >= 0.75 for v in ious) / masks,
        above_90=sum(v >= 0.9 for v in ious) / masks,
    )


def test_summary_by_hand():
    truth = make_truth()
    summary = measure_groups(make_guess(truth), truth).summary()
    assert list(summary) == ['all', 'source', 'category', 'size', 'occlusion']
    assert list(summary['size']) == ['small', 'medium', 'large']
    assert list(summary['occlusion']) == [
        'no_occlusion',
        'slight_occlusion',
        'severe_occlusion',
    ]
    expected = {
        ('source', 'flow'): figures(2, [0.75, 1.0], 2),
        ('source', 'sam'): figures(2, [0.9, 0.4], 2),
        ('category', 'cat'): figures(3, [0.9, 0.4, 1.0], 3),
        ('category', 'dog'): figures(2, [0.75, 0.0], 1),
        ('size', 'small'): figures(3, [0.9, 0.75, 1.0], 3),
        ('size', 'medium'): figures(1, [0.4], 1),
        ('size', 'large'): figures(1, [0.0], 0),
        ('occlusion', 'no_occlusion'): figures(3, [0.4, 0.0, 1.0], 2),
        ('occlusion', 'slight_occlusion'): figures(1, [0.9], 1),
        ('occlusion', 'severe_occlusion'): figures(1, [0.75], 1),
    }
    assert summary['all'] == pytest.approx(
        figures(5, [0.9, 0.4, 0.75, 0.0, 1.0], 4)
    )
    for kind in list(summary)[1:]:
        assert set(summary[kind]) == {n for k, n in expected if k == kind}
        for name, found in summary[kind].items():
            assert found == pytest.approx(expected[kind, name])


def test_all_equals_the_measure_without_groups():
    truth = make_truth()
    found = measure_groups(make_guess(truth), truth, True).summary()['all']
    expected = measure_masks(make_guess(truth), truth, True).summary()
    assert found.pop('masks') == 5
    assert found == pytest.approx(expected)


def test_outlines_by_group():
    truth = make_truth()
    summary = measure_groups(make_guess(truth), truth, True).summary()
    quality = measure_masks(make_guess(truth), truth, True)
    small = [quality.boundary[key] for key in ((5, 0), (6, 0), (0, 0))]
    assert summary['size']['small']['boundary_f'] == pytest.approx(
        sum(small) / 3
    )
    assert summary['size']['large']['boundary_f'] == 0
    assert quality.boundary[0, 0] == 1


def test_annotated_occlusion_counts():
    truth = make_truth(a0=dict(occlusion=['severe_occlusion']))
    groups = mask_groups(make_guess(truth), truth)
    assert groups[0, 0]['occlusion'] == 'severe_occlusion'
    assert groups[5, 0]['occlusion'] == 'slight_occlusion'


def test_parts_add_up():
    truth = make_truth()
    guess = make_guess(truth)
    whole = measure_groups(guess, truth, True)
    parts = GroupedQuality()
    for key in truth.videos:
        one = make_truth()
        one.tracks = {k: v if k == key else [] for k, v in one.tracks.items()}
        parts.update(measure_groups(guess, one, True))
    assert parts.flat() == pytest.approx(whole.flat())


def test_flat_names():
    truth = make_truth()
    quality = measure_groups(make_guess(truth), truth)
    flat = quality.flat(('size', 'source'))
    assert flat['size/small/miou'] == pytest.approx(2.65 / 3)
    assert flat['source/sam/masks'] == 2
    assert {name.split('/')[0] for name in flat} == {'size', 'source'}
    assert len(quality.flat()) == 10 * 7


def test_nothing_to_judge():
    summary = GroupedQuality().summary()
    assert summary['all'].pop('masks') == 0
    assert all(map(math.isnan, summary['all'].values()))
    assert summary['size'] == summary['category'] == {}
    truth = make_truth()
    found = measure_groups(PseudoMaskSet.empty_like(truth), truth).summary()
    assert found['all']['masks'] == 5 and found['all']['miou'] == 0
    assert found['source'] == {}


def test_bad_input_is_named():
    truth = make_truth()
    boxes = make_truth()
    for track in boxes:
        track.segmentations = None
    with pytest.raises(AnnotationError, match=r'no masks.*instance 5'):
        measure_groups(make_guess(truth), boxes)
    other = make_truth()
    del other.videos[0], other.tracks[0]
    with pytest.raises(MaskSetError, match=r'only in one of.*masks.json'):
        measure_groups(make_guess(truth), other)
    bad = make_truth(a5=dict(occlusion=['x'] * 3))
    with pytest.raises(AnnotationError, match=r"'x'.*truth.json.*frame 0"):
        measure_groups(make_guess(truth), bad)
