import json
import random

import numpy as np
import pytest

from pmvis_mm.formats.readers import (
    ImportReport,
)
from pmvis_mm.structures import (
    VideoAnnotations,
)
from pmvis_mm.structures.rle import area, box_rle
from pmvis_mm.testing.imported_videos import (
    IMPORTED_BOX,
    assembled,
    imported_track,
    imported_video,
)
from pmvis_mm.utils.errors import AnnotationError, ConfigError


def test_hand_worked_dataset():
    first = imported_video(
        'b/ä 1',
        [
            imported_track('x', 'dog', {0: IMPORTED_BOX, 2: (0, 0, 32, 24)}),
            imported_track(np.int64(3), 'cat', {3: np.array([1, 2, 3.5, 4])}),
        ],
    )
    second = imported_video(
        'a',
        [
            imported_track(
                'x', 'cat', {1: IMPORTED_BOX}, iscrowd=True, scores={1: 0.5}
            )
        ],
        length=None,
        file_names=['img/9.jpg', 'img/10.jpg'],
    )
    report = ImportReport()
    content = assembled(first, second, report=report)
    names = [f'b/ä 1/{t:05d}.jpg' for t in range(4)]
    size = dict(width=32, height=24)
    assert content == dict(
        videos=[
            dict(id=1, **size, length=4, file_names=names, name='b/ä 1'),
            dict(
                id=2,
                **size,
                length=2,
                file_names=['img/9.jpg', 'img/10.jpg'],
                name='a',
            ),
        ],
        categories=[dict(id=1, name='cat'), dict(id=2, name='dog')],
        annotations=[
            dict(
                id=1,
                video_id=1,
                category_id=2,
                source_id='x',
                iscrowd=0,
                **size,
                length=4,
                bboxes=[[2, 3, 10, 5], None, [0, 0, 32, 24], None],
            ),
            dict(
                id=2,
                video_id=1,
                category_id=1,
                source_id=3,
                iscrowd=0,
                **size,
                length=4,
                bboxes=[None, None, None, [1, 2, 2.5, 2]],
            ),
            dict(
                id=3,
                video_id=2,
                category_id=1,
                source_id='x',
                iscrowd=1,
                **size,
                length=2,
                bboxes=[None, [2, 3, 10, 5]],
                scores=[None, 0.5],
            ),
        ],
    )
    assert report.rows() == [
        ('videos', 2),
        ('frames', 6),
        ('tracks', 3),
        ('boxes', 4),
        ('videos with made-up names of frames', 1),
    ]
    assert report.categories == dict(cat=2, dog=1)


def names_of(content):
    names = {c['id']: c['name'] for c in content['categories']}
    assert list(names) == list(range(1, len(names) + 1))
    labels = [names[a['category_id']] for a in content['annotations']]
    return list(names.values()), labels


def test_classes():
    kinds = ['dog', None, 'cat', 'dog']
    tracks = [imported_track(i, kind) for i, kind in enumerate(kinds)]
    video = imported_video(tracks=tracks)
    with pytest.raises(AnnotationError, match='no class.*instance 1.*default'):
        assembled(video)
    assert names_of(assembled(video, default_class='thing')) == (
        ['cat', 'dog', 'thing'],
        ['dog', 'thing', 'cat', 'dog'],
    )
    options = dict(default_class='dog', class_map={'dog': 'hound'})
    assert names_of(
        assembled(video, classes=['hound', 'b', 'cat'], **options)
    ) == (
        ['hound', 'b', 'cat'],
        ['hound', 'hound', 'cat', 'hound'],
    )
    with pytest.raises(AnnotationError, match=r"'cat' is not among \['hound'"):
        assembled(video, classes=['hound'], **options)
    report = ImportReport()
    content = assembled(
        video,
        classes=['hound'],
        drop_other_classes=True,
        report=report,
        **options,
    )
    assert names_of(content) == (['hound'], ['hound'] * 3)
    assert report.dropped == {'tracks of other classes': 1}
    # Two names become one class.
    content = assembled(
        video, default_class='dog', class_map=dict(dog='pet', cat='pet')
    )
    assert names_of(content) == (['pet'], ['pet'] * 4)
    assembled(
        video,
        default_class='dog',
        class_map=dict(dig='a', cat='b', cot='c'),
        report=report,
    )
    assert report.unused_names == ['cot', 'dig']


def test_sources_that_are_empty():
    with pytest.raises(AnnotationError, match='there is no video'):
        assembled()
    with pytest.raises(AnnotationError, match='no track with a box'):
        assembled(imported_video())
    content = assembled(imported_video(), classes=['cat'])
    assert content['annotations'] == []


def test_same_names_and_ids():
    with pytest.raises(AnnotationError, match='two videos.*video clip'):
        assembled(imported_video(tracks=[imported_track()]), imported_video())
    with pytest.raises(AnnotationError, match='two tracks.*clip, instance 7'):
        assembled(imported_video(tracks=[imported_track(), imported_track()]))


@pytest.mark.parametrize(
    'options',
    [
        dict(max_gap=3),
        dict(interpolate=True, max_gap=0),
        dict(drop_other_classes=True),
        dict(classes=['a', 'a']),
        dict(classes=[]),
        dict(size=(0, 5)),
    ],
)
def test_bad_options(options):
    with pytest.raises(ConfigError):
        assembled(imported_video(tracks=[imported_track()]), **options)


def test_random_tracks_pass_our_loader(tmp_path):
    rng = random.Random(0)
    videos = []
    for number in range(20):
        tracks = []
        for key in range(rng.randint(0, 4)):
            boxes, masks = {}, {}
            for t in rng.sample(range(12), rng.randint(1, 12)):
                x, y = rng.uniform(-40, 60), rng.uniform(-30, 40)
                w, h = rng.uniform(0.001, 30), rng.uniform(0.001, 30)
                boxes[t] = (x, y, x + w, y + h) if rng.random() < 0.9 else None
                if boxes[t] and rng.random() < 0.5:
                    masks[t] = box_rle(boxes[t], 24, 32)
            tracks.append(
                imported_track(key, rng.choice('abc'), boxes, masks=masks)
            )
        videos.append(imported_video(str(number), tracks, length=12))
    report = ImportReport()
    content = assembled(
        *videos,
        clip_boxes=True,
        interpolate=True,
        with_masks=True,
        classes=['c', 'a', 'b'],
        report=report,
    )
    path = tmp_path / 'boxes.json'
    path.write_text(json.dumps(content))
    read = VideoAnnotations.from_file(path, with_masks=True)
    assert read.num_boxes == report.boxes > 50
    masks = [m for track in read for m in track.segmentations if m]
    assert len(masks) == report.masks > 10
    assert sum(sum(track.interpolated or ()) for track in read) == (
        report.interpolated
    )
    assert [area(m) for m in masks] == [
        a for e in content['annotations'] for a in e['areas'] if a
    ]


def test_what_a_reader_left_out_is_counted():
    report = ImportReport()
    first = imported_video('a', [imported_track()])
    second = imported_video('b', [imported_track()])
    first.dropped['points'] += 2
    second.dropped.update(points=1, lines=4)
    assembled(first, second, report=report)
    assert report.dropped == {'points': 3, 'lines': 4}
    assert report.rows()[-2:] == [
        ('dropped: lines', 4),
        ('dropped: points', 3),
    ]
