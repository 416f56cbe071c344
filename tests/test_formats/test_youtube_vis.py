import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from pmvis_mm.formats import RESULT_WRITERS
from pmvis_mm.structures import PseudoMaskSet, StreamInfo, VideoAnnotations
from pmvis_mm.utils.errors import OutputError


def _read(path):
    return json.loads(path.read_text())


def test_results_have_one_entry_per_class_of_a_track(clip, write, tmp_path):
    path = tmp_path / 'out' / 'bear.json'
    assert write(dict(type='json', path=path, video_id=7), clip) == path
    data = _read(path)
    assert [(d['video_id'], d['category_id'], d['score']) for d in data] == [
        (7, 2, 0.75),
        (7, 1, 0.25),
        (7, 1, 0.5),
        (7, 3, 0.125),
    ]
    for entry in data:
        assert sorted(entry) == [
            'category_id',
            'score',
            'segmentations',
            'video_id',
        ]
        assert len(entry['segmentations']) == 4
    assert data[0]['segmentations'] == data[1]['segmentations']
    assert [m is not None for m in data[2]['segmentations']] == [
        False,
        True,
        False,
        True,
    ]
    # Independent reader: columns 5 ... 14 and rows 2 ... 11 in frame 1.
    dense = coco_mask.decode(data[0]['segmentations'][1])
    expected = np.zeros((24, 32), np.uint8)
    expected[2:12, 5:15] = 1
    np.testing.assert_array_equal(dense, expected)
    pixel = data[3]['segmentations'][2]
    assert coco_mask.area(pixel) == 1
    assert list(coco_mask.toBbox(pixel)) == [31, 23, 1, 1]


def test_results_with_ids_of_a_dataset(clip, write, tmp_path):
    config = dict(
        type='json', path=tmp_path / 'a.json', category_ids=[4, 90, 12]
    )
    data = _read(write(config, clip))
    assert [d['category_id'] for d in data] == [90, 4, 4, 12]
    config['category_ids'] = [4, 90]
    with pytest.raises(OutputError, match='no category id for label 2') as e:
        write(config, clip)
    assert 'video bear' in str(e.value)
    # The good file of before is still there, and nothing else.
    assert _read(tmp_path / 'a.json') == data
    assert [p.name for p in tmp_path.iterdir()] == ['a.json']


def test_no_track_is_an_empty_list(empty_clip, write, tmp_path):
    path = write(dict(type='json', path=tmp_path / 'a.json'), empty_clip)
    assert _read(path) == []


def test_dataset_is_read_by_our_readers(clip, write, tmp_path):
    config = dict(
        type='json', path=tmp_path / 'a.json', as_dataset=True, video_id=3
    )
    path = write(config, clip)
    boxes = VideoAnnotations.from_file(path, with_masks=True)
    assert list(boxes.videos) == [3]
    assert boxes.videos[3].file_names == tuple(
        f'bear/{t:05d}.jpg' for t in range(4)
    )
    assert [(c['id'], c['name']) for c in boxes.categories] == [
        (1, 'cat'),
        (2, 'big dog'),
        (3, 'ant'),
    ]
    assert [(t.id, t.category_id) for t in boxes] == [(1, 2), (3, 1), (6, 3)]
    assert boxes.tracks[3][0].boxes[1] == (5.0, 2.0, 15.0, 12.0)
    assert boxes.tracks[3][2].boxes == [None, None, (31, 23, 32, 24), None]
    assert boxes.tracks[3][1].segmentations[1] == clip.tracks[1].masks[0]
    masks = PseudoMaskSet.load(path)
    assert masks.num_masks == 4 + 2 + 1
    assert masks.tracks[3][1].scores == [None, 0.875, None, 0.5]
    raw = _read(path)['annotations']
    assert raw[0]['areas'] == [100, 100, 100, 100]
    assert raw[2]['areas'] == [None, None, 1, None]
    assert raw[1]['bboxes'][1] == [10, 6, 10, 10]


def test_dataset_is_read_by_our_dataset(clip, write, tmp_path):
    datasets = pytest.importorskip('pmvis_mm.datasets')
    path = tmp_path / 'a.json'
    write(dict(type='json', path=path, as_dataset=True), clip)
    for frame, image in enumerate(clip.images):
        target = tmp_path / f'bear/{frame:05d}.jpg'
        target.parent.mkdir(exist_ok=True)
        Image.fromarray(image).save(target)
    dataset = datasets.VISDataset(
        ann_file=str(path),
        data_prefix=dict(img_path=str(tmp_path)),
        pipeline=[],
        test_mode=True,
    )
    assert dataset.metainfo['classes'] == clip.classes
    video = dataset.get_data_info(0)
    assert [
        [(i['instance_id'], i['bbox_label']) for i in image['instances']]
        for image in video['images']
    ] == [[(1, 1)], [(1, 1), (3, 0)], [(1, 1), (6, 2)], [(1, 1), (3, 0)]]


def test_dataset_keeps_names_of_frames(clip, write, tmp_path):
    names = tuple(f'x/{t}.png' for t in range(9))  # the stream ended early
    clip.info = StreamInfo('bear', 24, 32, file_names=names)
    config = dict(type='json', path=tmp_path / 'a.json', as_dataset=True)
    (video,) = _read(write(config, clip))['videos']
    assert video['file_names'] == ['x/0.png', 'x/1.png', 'x/2.png', 'x/3.png']


def test_dataset_without_tracks_and_names_of_classes(
    empty_clip, write, tmp_path
):
    empty_clip.classes = ()
    config = dict(type='json', path=tmp_path / 'a.json', as_dataset=True)
    found = VideoAnnotations.from_file(write(config, empty_clip))
    assert list(found) == []
    assert found.videos[1].length == 3
    assert found.categories[0]['name'] == 'class 0'


def test_labels_without_a_name_get_a_category(clip, write, tmp_path):
    clip.classes = ('cat',)
    config = dict(type='json', path=tmp_path / 'a.json', as_dataset=True)
    found = VideoAnnotations.from_file(write(config, clip))
    names = {c['id']: c['name'] for c in found.categories}
    assert names == {1: 'cat', 2: 'class 1', 3: 'class 2'}


def test_dataset_without_frames_is_refused(clip, tmp_path):
    writer = RESULT_WRITERS.build(
        dict(type='json', path=tmp_path / 'a.json', as_dataset=True)
    )
    writer.start(clip.info, clip.classes)
    with pytest.raises(OutputError, match='video without frames'):
        writer.finish([], 0)
    assert list(tmp_path.iterdir()) == []


def test_mask_of_another_size_is_refused(clip, write, tmp_path):
    clip.info = StreamInfo('bear', 32, 24)
    with pytest.raises(OutputError, match=r'a mask is \[24, 32\] but') as e:
        write(dict(type='json', path=tmp_path / 'a.json'), clip)
    assert 'frame 0' in str(e.value)
    assert list(tmp_path.iterdir()) == []


def test_id_zero_without_offset_is_refused(clip, write, tmp_path):
    config = dict(
        type='json', path=tmp_path / 'a.json', as_dataset=True, id_offset=0
    )
    with pytest.raises(OutputError, match='0 is the background'):
        write(config, clip)


def test_tracks_without_a_pixel_are_left_out(clip, write, tmp_path):
    clip.tracks[1] = clip.make_track(2, [0], [0.5], {1: clip.fill(0, 0, 0, 0)})
    clip.tracks[2] = clip.make_track(5, [0], [0.5], {})
    data = _read(write(dict(type='json', path=tmp_path / 'a.json'), clip))
    assert [d['category_id'] for d in data] == [2, 1]
    config = dict(type='json', path=tmp_path / 'a.json', as_dataset=True)
    assert len(_read(write(config, clip))['annotations']) == 1
