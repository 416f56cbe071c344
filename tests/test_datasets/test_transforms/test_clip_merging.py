"""Merged clips and joined objects."""

import numpy as np
import pytest

pytest.importorskip('mmdet')

from pmvis_mm.datasets import JoinObjects, MergeClips
from pmvis_mm.utils.errors import ConfigError


def clip(maps, value):
    maps = [np.array(m, np.uint8) for m in maps]
    return dict(
        img=[np.full((*m.shape, 3), value, np.uint8) for m in maps],
        gt_seg_map=maps,
        video_id=['v'] * len(maps),
        frame_id=list(range(len(maps))),
    )


def test_second_clip_is_pasted_with_new_numbers():
    first = clip([[[1, 1, 0, 255]], [[0, 1, 1, 0]]], 10)
    other = clip([[[0, 1, 0, 1]], [[2, 0, 255, 0]]], 20)
    out = MergeClips(prob=1.0)(dict(first, mix_results=[other]))
    assert out['gt_seg_map'][0].tolist() == [[1, 2, 0, 2]]
    assert out['gt_seg_map'][1].tolist() == [[3, 1, 1, 0]]
    assert out['img'][0][0, :, 0].tolist() == [10, 20, 10, 20]
    assert out['img'][1][0, :, 0].tolist() == [20, 10, 10, 10]


def test_numbers_stay_distinct_and_below_the_limit():
    np.random.seed(0)
    first = [[*range(1, 9), *[0] * 8]]
    second = [[*[0] * 8, *range(1, 9)]]
    kept = np.zeros(16, int)
    for _ in range(40):
        data = clip([first, first], 10)
        data['mix_results'] = [clip([second, second], 20)]
        out = MergeClips(prob=1.0)(data)
        labels, image = out['gt_seg_map'][0][0], out['img'][0][0, :, 0]
        assert sorted(labels[labels > 0]) == list(range(1, 11))
        # What is dropped is background, or not pasted at all.
        assert (image[:8] == 10).all()
        assert ((image[8:] == 20) == (labels[8:] > 0)).all()
        kept += labels > 0
    assert kept.sum() == 400 and kept.min() > 10 and kept.max() < 40


def test_nothing_to_merge():
    data = clip([[[1, 0]]], 10)
    out = MergeClips(prob=1.0)(dict(data, mix_results=[]))
    assert out['gt_seg_map'][0].tolist() == [[1, 0]]
    out = MergeClips()(data)
    assert out['img'][0][0, 0, 0] == 10


def test_probability_to_draw_a_second_clip():
    np.random.seed(0)
    merge = MergeClips(prob=0.3)
    drawn = [merge.get_indexes(range(7)) for _ in range(1000)]
    assert 250 < sum(map(len, drawn)) < 350
    assert {i for indices in drawn for i in indices} == set(range(7))
    assert not any(MergeClips(prob=0.0).get_indexes([1]) for _ in range(9))


def test_bad_input():
    with pytest.raises(ConfigError, match='prob=2'):
        MergeClips(prob=2)
    with pytest.raises(ConfigError, match='prob=-1'):
        JoinObjects(prob=-1)
    data = clip([[[1, 0]]], 10)
    data['mix_results'] = [clip([[[1]]], 20)]
    with pytest.raises(ConfigError, match='differ in size'):
        MergeClips()(data)
    assert repr(MergeClips(0.3)) == 'MergeClips(prob=0.3, max_objects=10)'


def test_neighbours_are_joined():
    maps = [[[1, 1, 0, 2, 3, 255]], [[2, 0, 3, 0, 1, 0]]]
    out = JoinObjects(prob=1.0)(clip(maps, 0))
    assert out['gt_seg_map'][0].tolist() == [[1, 1, 0, 2, 2, 255]]
    assert out['gt_seg_map'][1].tolist() == [[2, 0, 2, 0, 1, 0]]
    column = np.array(maps[0]).T
    out = JoinObjects(prob=1.0)(clip([column], 0))
    assert out['gt_seg_map'][0][:, 0].tolist() == [1, 1, 0, 2, 2, 255]


def test_distant_objects_are_joined_where_there_are_no_neighbours():
    np.random.seed(0)
    seen = set()
    for _ in range(20):
        out = JoinObjects(prob=1.0)(clip([[[1, 0, 2, 0, 3]]], 0))
        seen.add(tuple(out['gt_seg_map'][0][0]))
    assert seen == {(1, 0, 1, 0, 3), (1, 0, 2, 0, 1), (1, 0, 2, 0, 2)}


def test_join_needs_two_objects_and_luck():
    out = JoinObjects(prob=1.0)(clip([[[1, 255, 0]]], 0))
    assert out['gt_seg_map'][0].tolist() == [[1, 255, 0]]
    out = JoinObjects(prob=0.0)(clip([[[1, 2, 0]]], 0))
    assert out['gt_seg_map'][0].tolist() == [[1, 2, 0]]
    assert repr(JoinObjects(0.5)) == 'JoinObjects(prob=0.5)'
