import json

import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats.readers import (
    BDD100KBoxReader,
    BDD100KRLEReader,
    FrameFolders,
)
from pmvis_mm.structures.rle import box_rle, encode
from pmvis_mm.utils.errors import AnnotationError

SIZE = (24, 32)  # height, width


def fill(*box):
    return box_rle(box, *SIZE)


def label(key, mask=None, category='car', box=None, **attributes):
    entry = dict(id=key, category=category, attributes=attributes)
    if mask is not None:
        entry['rle'] = mask
    if box is not None:
        entry['box2d'] = dict(zip(('x1', 'y1', 'x2', 'y2'), box))
    return entry


def frame(index, *labels, video='bär 1'):
    return dict(
        name=f'{video}-{index + 1:07d}.jpg',
        videoName=video,
        frameIndex=index,
        labels=list(labels),
    )


def write(path, content, bom=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    text = content if isinstance(content, str) else json.dumps(content)
    path.write_text(('\ufeff' if bom else '') + text, encoding='utf-8')
    return path


def only(source, kind=BDD100KRLEReader, **options):
    (video,) = kind(source, **options).videos()
    return video


FRAMES = [
    frame(
        1,
        label('00a', fill(5, 2, 15, 12), box=(0, 0, 3, 3)),
        label(7, fill(0, 20, 32, 24), 'pedestrian', crowd=True),
    ),
    frame(0, label('00a', fill(4, 2, 14, 12)), label('b', box=(3, 4, 9, 8))),
    frame(2),
]


@pytest.mark.parametrize('wrap, bom', [(False, False), (True, True)])
def test_masks_by_hand(tmp_path, wrap, bom):
    content = dict(frames=FRAMES, groups=None, config=None)
    path = write(tmp_path / 'x.json', content if wrap else FRAMES, bom)
    for source in (path, tmp_path):
        video = only(source)
        assert (video.name, video.height, video.width) == ('bär 1', 24, 32)
        assert video.length == 3
        assert video.file_names == [
            f'bär 1/bär 1-000000{n}.jpg' for n in (1, 2, 3)
        ]
        found = {track.id: track for track in video.tracks}
        assert found['00a'].masks == {
            0: fill(4, 2, 14, 12),
            1: fill(5, 2, 15, 12),
        }
        # The tight box of the mask, whatever box2d says.
        assert found['00a'].boxes[1] == (5, 2, 15, 12)
        # Corners lie in the box.
        assert found['b'].boxes == {0: (3, 4, 10, 9)}
        assert found['b'].masks == {}
        assert {key: (t.category, t.iscrowd) for key, t in found.items()} == {
            '00a': ('car', False),
            'b': ('car', False),
            7: ('pedestrian', True),
        }


def test_boxes_only(tmp_path):
    old = dict(
        name='v-0000001.jpg',
        video_name='v',
        index=0,
        labels=[
            label('1', category='person', box=(1.5, 2, 3, 4)),
            label('2', category='other vehicle', box=(0, 0, 9, 9)),
            label('3', fill(0, 0, 3, 3), 'bus', (0, 0, 5, 5), ignored=True),
        ],
    )
    old['labels'][1]['attributes'] = None
    reader = BDD100KBoxReader(write(tmp_path / 'v.json', [old]))
    (video,) = reader.videos()
    assert (video.name, video.width) == ('v', None)
    assert [(t.id, t.category, t.iscrowd) for t in video.tracks] == [
        ('1', 'pedestrian', False),
        ('2', 'car', True),
        ('3', 'bus', True),
    ]
    assert [t.boxes[0] for t in video.tracks] == [
        (1.5, 2, 4, 5),
        (0, 0, 10, 10),
        (0, 0, 6, 6),
    ]
    # No trace of a mask.
    assert all(not track.masks for track in video.tracks)
    assert reader.classes()[:2] == ('pedestrian', 'rider')


def test_labels_without_class(tmp_path):
    entry = label(1, fill(0, 0, 3, 3))
    entry.pop('category')
    video = only(write(tmp_path / 'v.json', [frame(0, entry)]))
    assert video.tracks[0].category is None


def test_several_videos_and_gaps(tmp_path):
    one = label(1, fill(0, 0, 3, 3))
    write(
        tmp_path / 'all.json',
        [frame(0, one), frame(3, one), frame(0, one, video='b')],
    )
    write(tmp_path / '.hidden.json', 'x')
    first, second = BDD100KRLEReader(tmp_path).videos()
    assert (first.name, second.name) == ('bär 1', 'b')
    assert first.length is None and first.file_names is None
    assert sorted(first.tracks[0].masks) == [0, 3]
    assert second.length == 1


def test_video_without_name_is_that_of_the_file(tmp_path):
    entry = dict(frameIndex=0, labels=[label(1, fill(0, 0, 3, 3))])
    video = only(write(tmp_path / 'clip 7.json', [entry]))
    assert video.name == 'clip 7' and video.file_names is None
    assert video.length == 1


def test_empty_masks_are_left_out(tmp_path):
    entry = label(1, encode(np.zeros(SIZE, bool)))
    assert only(write(tmp_path / 'v.json', [frame(0, entry)])).tracks == []
    assert only(write(tmp_path / 'v.json', [dict(frame(0), labels=None)]))


def test_frame_numbers(tmp_path):
    for n in range(2):
        path = tmp_path / f'f/bär 1/{n}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', SIZE[::-1]).save(path)
    frames = FrameFolders(tmp_path / 'f')
    one = label(1, fill(0, 0, 3, 3))
    path = write(tmp_path / 'v.json', [frame(1, one), frame(2, one)])
    with pytest.raises(AnnotationError, match='frame 2 does not exist') as err:
        only(path, frames=frames)
    assert '--first-frame' in str(err.value)
    video = only(path, frames=frames, first_frame=1)
    assert sorted(video.tracks[0].boxes) == [0, 1]
    assert video.file_names == ['bär 1/0.jpg', 'bär 1/1.jpg']
    write(path, [frame(0, one)])
    with pytest.raises(AnnotationError, match='frame 0 comes before'):
        only(path, first_frame=1)


def bad(**changes):
    return [frame(0, dict(label(1, fill(0, 0, 3, 3)), **changes))]


@pytest.mark.parametrize(
    'content, message',
    [
        ('', 'the file is empty'),
        ('[{"name": "a', 'not BDD100K MOTS rles: no json, or cut off'),
        ('{"videos": [], "annotations": []}', 'not BDD100K MOTS rles: no lis'),
        ('[3]', 'no list of frames with "labels"'),
        ([dict(labels=[])], r'frames\[0\]: frameIndex None is no whole'),
        ([dict(labels={'a': 1}, frameIndex=0)], '"labels" is no list'),
        ([dict(labels=[], frameIndex=0, name=3)], 'name 3 is no text'),
        ([frame(0), frame(0)], 'two frames with index 0'),
        ([frame(0, 'x')], 'label x is no json object'),
        (bad(id=None), 'id None of a label'),
        (bad(id=True), 'id True of a label'),
        (bad(category=3), 'category 3 is no name'),
        (bad(attributes=[1]), '"attributes" is no json object'),
        (bad(rle=dict(size=[24, 32], counts='!')), 'counts are neither'),
        (bad(rle=dict(size=[24, 0], counts='0')), 'has no size'),
        (bad(rle=[[0, 0, 5, 0, 5, 5]]), 'has no size'),
        (bad(rle=None), 'no "rle" or "box2d".*polygons'),
        (bad(rle=None, box2d=[0, 0, 3, 3]), 'no numbers'),
        (bad(rle=None, box2d=dict(x1=0, y1=0, x2=3)), 'no numbers'),
        (
            [
                frame(0, label(1, fill(0, 0, 3, 3))),
                frame(1, label(1, box_rle((0, 0, 3, 3), 24, 33))),
            ],
            r'mask size \[24, 33\] differs from \[24, 32\]',
        ),
        (
            [frame(0, label(1, fill(0, 0, 3, 3)), label(1, fill(0, 0, 4, 4)))],
            'two objects with one id.*video bär 1, frame 0, instance 1',
        ),
        ([frame(0, label(1, box=(5, 5, 3, 9)))], 'no positive width'),
        ([frame(0, label(1, box=(5, 5, float('nan'), 9)))], 'no finite'),
    ],
)
def test_bad_files(tmp_path, content, message):
    path = write(tmp_path / 'ordner ä/v.json', content)
    with pytest.raises(AnnotationError, match=message) as error:
        only(path)
    assert f'file {path}' in str(error.value) and 'Fix: ' in str(error.value)


def test_labels_that_repeat_count_once(tmp_path):
    one = label(1, fill(0, 0, 3, 3))
    video = only(write(tmp_path / 'v.json', [frame(0, one, one)]))
    assert video.tracks[0].masks == {0: fill(0, 0, 3, 3)}


def test_wrong_sources(tmp_path):
    with pytest.raises(AnnotationError, match='cannot be read'):
        only(tmp_path / 'nothing.json')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(AnnotationError, match='no <video>.json'):
        only(tmp_path / 'empty')
    write(
        tmp_path / 'a.json',
        dict(images=[dict(video_id=1)], annotations=[], categories=[]),
    )
    with pytest.raises(AnnotationError, match='looks like COCO-video json'):
        only(tmp_path / 'a.json')


def test_trackeval_reads_the_same_but_corners_as_they_are(tmp_path):
    trackeval = pytest.importorskip('trackeval')
    rng = np.random.default_rng(0)
    names = ('pedestrian', 'car', 'bus')
    entries = []
    for t in range(3):
        x, y = rng.integers(0, 10, 2).tolist()
        labels = [
            dict(
                id=key,
                category=name,
                attributes=dict(Crowd=key == 3, Occluded=True),
                box2d=dict(x1=x, y1=y, x2=x + 5 * key, y2=y + 6),
            )
            for key, name in enumerate(names, 1)
        ]
        entries.append(dict(frame(t, *labels, video='v'), index=t))
    write(tmp_path / 'gt/v.json', entries)
    write(tmp_path / 'tr/ours/data/v.json', entries)
    dataset = trackeval.datasets.BDD100K(
        dict(
            GT_FOLDER=str(tmp_path / 'gt'),
            TRACKERS_FOLDER=str(tmp_path / 'tr'),
            TRACKERS_TO_EVAL=['ours'],
            PRINT_CONFIG=False,
        )
    )
    raw = dataset._load_raw_file(None, 'v', is_gt=True)
    ours = {t.id: t for t in only(tmp_path / 'gt', BDD100KBoxReader).tracks}
    assert [ours[key].iscrowd for key in (1, 2, 3)] == [False, False, True]
    for t in range(3):
        assert raw['gt_ids'][t].tolist() == [1, 2]
        boxes = [ours[key].boxes[t] for key in (1, 2, 3)]
        theirs = [*raw['gt_dets'][t], *raw['gt_crowd_ignore_regions'][t]]
        np.testing.assert_array_equal(
            np.array(boxes) - [0, 0, 1, 1], np.array(theirs)
        )
