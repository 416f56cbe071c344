import json

import numpy as np
import pytest
from pycocotools.coco import COCO

from pmvis_mm.structures import StreamInfo
from pmvis_mm.utils.errors import OutputError


def _rect(x0, y0, x1, y1):
    dense = np.zeros((24, 32), np.uint8)
    dense[y0:y1, x0:x1] = 1
    return dense


def test_is_read_by_pycocotools(clip, write, tmp_path):
    path = write(dict(type='coco_video', path=tmp_path / 'a.json'), clip)
    coco = COCO(str(path))
    assert sorted(coco.imgs) == [1, 2, 3, 4]
    assert [c['name'] for c in coco.loadCats([1, 2, 3])] == [*clip.classes]
    assert len(coco.anns) == 4 + 2 + 1
    found = coco.loadAnns(coco.getAnnIds(imgIds=[2]))
    assert [(a['track_id'], a['category_id']) for a in found] == [
        (1, 2),
        (3, 1),
    ]
    np.testing.assert_array_equal(
        coco.annToMask(found[0]), _rect(5, 2, 15, 12)
    )
    np.testing.assert_array_equal(
        coco.annToMask(found[1]), _rect(10, 6, 20, 16)
    )
    for annotation in coco.anns.values():
        dense = coco.annToMask(annotation)
        assert annotation['area'] == dense.sum()
        ys, xs = np.nonzero(dense)
        assert annotation['bbox'] == [
            xs.min(),
            ys.min(),
            np.ptp(xs) + 1,
            np.ptp(ys) + 1,
        ]
        assert annotation['iscrowd'] == 0
    (pixel,) = coco.loadAnns(coco.getAnnIds(imgIds=[3], catIds=[3]))
    assert (pixel['bbox'], pixel['area']) == ([31, 23, 1, 1], 1)


def test_keys_of_videos_images_and_tracks(clip, write, tmp_path):
    config = dict(type='coco_video', path=tmp_path / 'a.json')
    data = json.loads(write(config, clip).read_text())
    (video,) = data['videos']
    assert video['name'] == 'bear' and video['fps'] == 12.5
    assert (video['width'], video['height']) == (32, 24)
    assert data['images'][3] == dict(
        id=4,
        video_id=1,
        file_name='bear/00003.jpg',
        width=32,
        height=24,
        frame_index=3,
        frame_id=3,
    )
    assert data['tracks'] == [
        dict(id=1, video_id=1, category_id=2, score=0.75),
        dict(id=3, video_id=1, category_id=1, score=0.5),
        dict(id=6, video_id=1, category_id=3, score=0.125),
    ]
    assert [a['id'] for a in data['annotations']] == list(range(1, 8))
    assert data['annotations'][4]['score'] == 0.875  # of the frame
    assert {a['video_id'] for a in data['annotations']} == {1}


def test_is_read_by_mmdet(clip, write, tmp_path):
    datasets = pytest.importorskip('mmdet.datasets')
    path = write(dict(type='coco_video', path=tmp_path / 'a.json'), clip)
    dataset = datasets.YouTubeVISDataset(
        dataset_version='2019',
        ann_file=str(path),
        metainfo=dict(classes=clip.classes),
        pipeline=[],
        test_mode=True,
    )
    assert len(dataset) == 1
    video = dataset.get_data_info(0)
    assert video['video_length'] == 4
    assert [
        [(i['instance_id'], i['bbox_label']) for i in image['instances']]
        for image in video['images']
    ] == [[(1, 1)], [(1, 1), (3, 0)], [(1, 1), (6, 2)], [(1, 1), (3, 0)]]


def test_ids_can_be_kept(clip, write, tmp_path):
    clip.tracks = clip.tracks[1:]
    config = dict(
        type='coco_video',
        path=tmp_path / 'a.json',
        category_ids=[7, 5, 9],
        id_offset=0,
    )
    data = json.loads(write(config, clip).read_text())
    assert [t['id'] for t in data['tracks']] == [2, 5]
    assert [t['category_id'] for t in data['tracks']] == [7, 9]
    assert [c['id'] for c in data['categories']] == [7, 5, 9]


def test_nothing_found(empty_clip, write, tmp_path):
    path = write(dict(type='coco_video', path=tmp_path / 'a.json'), empty_clip)
    coco = COCO(str(path))
    assert (len(coco.imgs), len(coco.anns), len(coco.cats)) == (3, 0, 3)


def test_mask_of_another_size_is_refused(clip, write, tmp_path):
    clip.info = StreamInfo('bear', 24, 31)
    with pytest.raises(OutputError, match=r'the video is \[24, 31\]'):
        write(dict(type='coco_video', path=tmp_path / 'a.json'), clip)
    assert list(tmp_path.iterdir()) == []
