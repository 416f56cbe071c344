import json

import pytest
from pycocotools import mask as coco_mask

from pmvis_mm.evaluation.functional import load_results
from pmvis_mm.formats.readers import (
    ANNOTATION_READERS,
    FrameFolders,
    ImportedTrack,
    ImportReport,
    assemble,
)
from pmvis_mm.structures import VideoAnnotations
from pmvis_mm.structures.rle import box_rle, decode
from pmvis_mm.testing.imported_videos import write_images
from pmvis_mm.utils.errors import AnnotationError, ConfigError, FrameError

MASK = box_rle((2, 3, 12, 8), 24, 32)


def make_data(**changes):
    videos = [
        dict(
            id=9,
            width=32,
            height=24,
            length=3,
            file_names=[f'ä b/{t}.jpg' for t in (0, 5, 10)],
        ),
        dict(id=4, width=8, height=8, length=1, file_names=['c/0.jpg']),
    ]
    annotation = dict(
        id=0,
        video_id=9,
        category_id=30,
        iscrowd=1,
        bboxes=[[2, 3, 10, 5], None, [30, 20, 9, 9]],
        segmentations=[MASK, None, None],
        areas=[50, None, None],
        interpolated=[0, 0, 1],
        scores=[0.5, None, 1],
    )
    data = dict(
        videos=videos,
        categories=[dict(id=30, name='cat'), dict(id=2, name='dog')],
        annotations=[annotation],
    )
    for key, value in changes.items():
        annotation[key] = value
    return data


def make_reader(path, data=None, **options):
    if data is not None:
        path.write_text(json.dumps(data), encoding='utf-8')
    return ANNOTATION_READERS.build(
        dict(type='youtube_vis', source=path, **options)
    )


def test_dataset(tmp_path):
    reader = make_reader(tmp_path / 'ä b.json', make_data())
    first, second = reader.videos()
    assert (first.name, first.width, first.height) == ('ä b', 32, 24)
    assert first.length == 3
    assert first.file_names == ['ä b/0.jpg', 'ä b/5.jpg', 'ä b/10.jpg']
    # Boxes are not clipped here.
    assert first.tracks == [
        ImportedTrack(
            0,
            'cat',
            {0: (2, 3, 12, 8), 2: (30, 20, 39, 29)},
            {0: MASK},
            {2},
            True,
            {0: 0.5, 2: 1.0},
        )
    ]
    assert (second.name, second.tracks) == ('c', [])
    assert reader.classes() == ('dog', 'cat')  # by id


@pytest.mark.parametrize(
    'files,name',
    [
        (['MOT-02/img1/000001.jpg'], 'MOT-02'),
        (['a/clip.mp4#0'], 'a/clip'),
        (['0.jpg'], '4'),
        (['ä b/1.jpg'], 'ä b#4'),  # as the other one
    ],
)
def test_videos_are_named_as_exports_name_them(tmp_path, files, name):
    data = make_data()
    data['videos'][1]['file_names'] = files
    _, second = make_reader(tmp_path / 'a.json', data).videos()
    assert second.name == name and second.file_names == files


def test_boxes_of_pseudo_masks_are_the_annotated_ones(tmp_path):
    """Without masks, nothing tells where they are."""
    data = make_data(
        bboxes=[[2, 3, 10, 5], None, None],
        annotated_bboxes=[None, [4, 3, 10, 5], [5, 3, 10, 5]],
        interpolated=[0, 0, 0],
    )
    reader = make_reader(tmp_path / 'a.json', data)
    (entry,) = assemble(reader)['annotations']
    assert entry['bboxes'] == [None, [4, 3, 10, 5], [5, 3, 10, 5]]
    (entry,) = assemble(reader, with_masks=True)['annotations']
    assert entry['bboxes'] == [[2, 3, 10, 5], [4, 3, 10, 5], [5, 3, 10, 5]]
    assert entry['segmentations'] == [MASK, None, None]


def test_round_trip(tmp_path):
    """What is assembled comes in and out the same, video ids anew."""
    path = tmp_path / 'a.json'
    reader = make_reader(path, make_data())
    with pytest.raises(AnnotationError, match='frame 2.*--clip-boxes'):
        assemble(reader)
    once = assemble(reader, with_masks=True, clip_boxes=True)
    assert [video['id'] for video in once['videos']] == [1, 2]
    entry = dict(once['annotations'][0])
    assert entry.pop('bboxes') == [[2, 3, 10, 5], None, [30, 20, 2, 4]]
    assert entry == dict(
        id=1,
        video_id=1,
        category_id=2,
        source_id=0,
        iscrowd=1,
        width=32,
        height=24,
        length=3,
        segmentations=[MASK, None, None],
        areas=[50, None, None],
        interpolated=[0, 0, 1],
        scores=[0.5, None, 1],
    )
    entry = once['annotations'][0]
    entry['source_id'] = 1
    assert assemble(make_reader(path, once), with_masks=True) == once
    report = ImportReport()
    boxes = assemble(make_reader(path, once), report=report)
    for key in ('segmentations', 'areas'):
        entry.pop(key)
    assert boxes == once
    assert report.masks_left_out == 1


def test_results(tmp_path):
    truth = tmp_path / 'truth.json'
    make_reader(truth, make_data(bboxes=[[0, 0, 1, 1]] * 3))
    results = [
        dict(
            video_id=9,
            category_id=2,
            score=0.75,
            segmentations=[None, MASK, None],
        ),
        dict(video_id=9, category_id=30, score=0.25, segmentations=[None] * 3),
    ]
    path = tmp_path / 'results.json'
    with pytest.raises(AnnotationError, match=r'a list.*ann_file=FILE'):
        list(make_reader(path, results).videos())
    reader = make_reader(path, ann_file=truth)
    first, second = reader.videos()
    assert first.tracks == [
        ImportedTrack(
            1, 'dog', {1: (2, 3, 12, 8)}, {1: MASK}, scores={1: 0.75}
        ),
        ImportedTrack(2, 'cat'),
    ]
    assert second.tracks == []
    # pycocotools tells the same box and pixels.
    assert coco_mask.toBbox(MASK).tolist() == [2, 3, 10, 5]
    (entry,) = load_results(path, VideoAnnotations.from_file(truth))[:1]
    assert decode(entry['segmentations'][1]).sum() == 50
    reader = make_reader(path, ann_file=truth, min_score=0.5)
    assert [len(video.tracks) for video in reader.videos()] == [1, 0]
    results[0]['segmentations'].pop()
    with pytest.raises(AnnotationError, match='2 segmentations.*3 frames'):
        list(make_reader(path, results, ann_file=truth).videos())


def test_frames_are_looked_for(tmp_path):
    write_images(tmp_path / 'frames' / 'ä b', 1)
    frames = FrameFolders(tmp_path / 'frames')
    reader = make_reader(tmp_path / 'a.json', make_data(), frames=frames)
    with pytest.raises(FrameError, match=r'does not exist.*0\.jpg'):
        assemble(reader, clip_boxes=True)


def test_shared_folders_and_nameless_categories(tmp_path):
    data = make_data()
    data['videos'][1]['file_names'] = ['ä b/15.jpg']
    del data['categories'][1]['name']
    reader = make_reader(tmp_path / 'a.json', data)
    assert [v.name for v in reader.videos()] == ['ä b#9', 'ä b#4']
    assert reader.classes() == ('2', 'cat')


BAD = {
    'truncated': ('{"videos": [', 'not a json file'),
    'empty': ('', 'not a json file'),
    'text': ('1,2,3,4,5,6\n', 'looks like MOTChallenge text'),
    'coco': (
        '{"images": [], "annotations": [], "categories": []}',
        'not YouTube-VIS json.*looks like COCO image json',
    ),
    'other': ('{"a": 1}', '"videos" is missing'),
}


@pytest.mark.parametrize('case', BAD)
def test_other_files(tmp_path, case):
    text, message = BAD[case]
    path = tmp_path / 'x.json'
    path.write_text(text)
    with pytest.raises(AnnotationError, match=message) as caught:
        list(make_reader(path).videos())
    assert caught.value.file == path or caught.value.file == str(path)


MALFORMED = {
    'nan': (dict(bboxes=[[0, 0, float('nan'), 1]] * 3), 'no finite number'),
    'no width': (dict(bboxes=[[1, 1, 0, 4]] * 3), 'no positive width'),
    'too short': (dict(bboxes=[None]), 'length 1 but the video has 3'),
    'bad mask': (dict(segmentations=[dict(MASK, size=[9, 9])] * 3), 'size'),
    'bad scores': (dict(scores=[1]), '"scores" are no list'),
    'bad score': (dict(scores=[1, 'a', None]), '"scores" are no list'),
    'bad marks': (dict(interpolated=[1]), '"interpolated" has length 1'),
    'unknown class': (dict(category_id=7), 'unknown category_id 7'),
    'unknown video': (dict(video_id=7), 'video_id 7'),
}


@pytest.mark.parametrize('case', MALFORMED)
def test_malformed(tmp_path, case):
    changes, message = MALFORMED[case]
    reader = make_reader(tmp_path / 'x.json', make_data(**changes))
    with pytest.raises(AnnotationError, match=message) as caught:
        list(reader.videos())
    assert caught.value.instance == 0


def test_bad_categories_and_options(tmp_path):
    data = make_data()
    data['categories'][0]['name'] = 'dog'
    path = tmp_path / 'x.json'
    with pytest.raises(AnnotationError, match="'dog', which is no text or"):
        list(make_reader(path, data).videos())
    with pytest.raises(ConfigError, match='names frames'):
        make_reader(path, first_frame=1)
    with pytest.raises(AnnotationError, match='does not exist'):
        list(make_reader(tmp_path / 'missing.json').videos())
