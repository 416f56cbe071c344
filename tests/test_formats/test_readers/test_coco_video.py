import copy
import json

import numpy as np
import pytest
from PIL import Image
from pycocotools import mask as coco_mask

from pmvis_mm.formats.readers import COCOVideoReader, FrameFolders, assemble
from pmvis_mm.structures.rle import area, box_rle, encode
from pmvis_mm.utils.errors import AnnotationError

POLYGON = [2.0, 3, 8, 3, 8, 7, 2, 7]


def _image(key, video, frame, **kwargs):
    entry = dict(id=key, video_id=video, frame_index=frame)
    name = f'v{video}/{frame:04d}.jpg'
    return dict(entry, file_name=name, width=40, height=30, **kwargs)


def _annotation(key, image, track, bbox=(1.5, 2, 10, 8), **kwargs):
    entry = dict(id=key, image_id=image, track_id=track, category_id=2)
    return dict(entry, bbox=[*bbox], **kwargs)


@pytest.fixture
def data():
    """Two videos; in the first one frames are out of order, 1 is missing."""
    return dict(
        videos=[dict(id=5, name='val/b'), dict(id=9, name='val/a')],
        images=[
            _image(3, 5, 2),
            _image(1, 5, 0),
            _image(2, 5, 4),
            _image(7, 9, 1),
        ],
        annotations=[
            _annotation(0, 2, 11),
            _annotation(1, 1, 11, score=0.5, segmentation=[POLYGON]),
            _annotation(2, 1, 0, category_id=1, iscrowd=1),
            _annotation(3, 7, 12),
        ],
        tracks=[dict(id=11, category_id=2), dict(id=99, category_id=1)],
        categories=[dict(id=2, name='dog'), dict(id=1, name='cat')],
    )


@pytest.fixture
def read(tmp_path):
    """Function that writes a file and reads it."""

    def run(data, path='a.json', **kwargs):
        path = tmp_path / path
        path.parent.mkdir(exist_ok=True, parents=True)
        path.write_text(json.dumps(data, ensure_ascii=False), 'utf-8')
        reader = COCOVideoReader(path, **kwargs)
        return list(reader.videos()), reader.classes()

    return run


def test_by_hand(data, read):
    (first, second), classes = read(data)
    assert classes == ('cat', 'dog')
    assert (first.name, first.length) == ('val/b', 3)
    assert (first.width, first.height) == (40, 30)
    assert first.file_names == ['v5/0000.jpg', 'v5/0002.jpg', 'v5/0004.jpg']
    crowd, dog = sorted(first.tracks, key=lambda track: track.id)
    assert (dog.id, dog.category, dog.scores) == (11, 'dog', {0: 0.5})
    assert dog.boxes == {0: (1.5, 2, 11.5, 10), 2: (1.5, 2, 11.5, 10)}
    assert dog.masks == {0: box_rle((2, 3, 8, 7), 30, 40)}
    assert not dog.iscrowd
    assert (crowd.id, crowd.category, crowd.iscrowd) == (0, 'cat', True)
    assert (second.name, second.length) == ('val/a', 1)
    assert [track.id for track in second.tracks] == [12]


def test_result_is_a_dataset(data, tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(data))
    content = assemble(COCOVideoReader(path), with_masks=True)
    assert [v['length'] for v in content['videos']] == [3, 1]
    assert len(content['annotations']) == 3
    assert content['annotations'][0]['areas'] == [24, None, None]


@pytest.mark.parametrize('key', ['instance_id', 'ins_id'])
def test_keys_of_mmtracking(data, read, key):
    for annotation in data['annotations']:
        annotation[key] = annotation.pop('track_id')
    for image in data['images']:
        image['frame_id'] = image.pop('frame_index')
    (first, _), _ = read(data)
    assert first.file_names[1] == 'v5/0002.jpg'
    assert {track.id for track in first.tracks} == {0, 11}


def test_order_of_names_without_numbers(data, read):
    for image in data['images']:
        number = image.pop('frame_index')
        image['file_name'] = f'v/{number * 5}.jpg'
    (first, _), _ = read(data)
    assert first.file_names == ['v/0.jpg', 'v/10.jpg', 'v/20.jpg']


def test_videos_without_names_or_entries(data, read):
    data['videos'] = [dict(id=5), dict(id=9), dict(id=1, name='empty')]
    videos, _ = read(data)
    assert [video.name for video in videos] == ['v5', 'v9']
    del data['videos']
    for image in data['images']:
        image['file_name'] = image['file_name'].replace('/', '_')
    videos, _ = read(data)
    assert [video.name for video in videos] == ['5', '9']


def test_masks_of_every_kind(data, read):
    mask = box_rle((1, 2, 9, 30), 30, 40)
    plain = dict(size=[30, 40], counts=[32, 28, 2, 28, 30 * 40 - 90])
    data['annotations'] = [
        _annotation(0, 1, 1, segmentation=mask),
        _annotation(1, 1, 2, segmentation=plain),
        _annotation(2, 1, 3, segmentation=[]),
        _annotation(3, 1, 4, segmentation=mask, bbox=()),
    ]
    (first, _), _ = read(data)
    one, two, three, four = first.tracks
    assert one.masks == {0: mask} and one.boxes == {0: (1.5, 2, 11.5, 10)}
    assert area(two.masks[0]) == 56
    assert three.masks == {}
    assert four.boxes == {0: (1, 2, 9, 30)}  # of the mask


def test_sizes_may_be_missing(data, read, tmp_path):
    for image in data['images']:
        del image['width'], image['height']
    (first, _), _ = read(data)
    assert (first.width, first.height) == (None, None)
    assert first.tracks[0].masks == {}
    folder = tmp_path / 'frames' / 'val' / 'b'
    folder.mkdir(parents=True)
    Image.new('RGB', (40, 30)).save(folder / '0.png')
    (first, _), _ = read(data, frames=FrameFolders(tmp_path / 'frames'))
    assert area(first.tracks[0].masks[0]) == 24
    mask = encode(np.ones((3, 4), bool))
    data['annotations'] = [_annotation(0, 1, 1, segmentation=mask)]
    (first, _), _ = read(data)  # a mask tells the size
    assert (first.width, first.height) == (4, 3)


def test_merged_categories_of_tao(data, read):
    data['categories'] = [
        dict(id=1, name='cat'),
        dict(id=2, name='kitten'),
        dict(id=3, name='pet', merged=[dict(id=2, name='kitten')]),
    ]
    data['videos'][0].update(neg_category_ids=[3])
    (first, _), classes = read(data)
    assert classes == ('cat', 'pet')
    assert {t.category for t in first.tracks} == {'cat', 'pet'}


def test_without_classes(data, read):
    del data['categories']
    for annotation in data['annotations']:
        del annotation['category_id']
    videos, classes = read(data)
    assert classes is None
    assert {t.category for v in videos for t in v.tracks} == {None}


def test_no_annotation(data, read):
    data['annotations'] = []
    videos, _ = read(data)
    assert [(v.length, v.tracks) for v in videos] == [(3, []), (1, [])]


def test_odd_paths_and_text(data, read, tmp_path):
    data['videos'][0]['name'] = 'Straße – 東京'
    (first, _), _ = read(data, 'Ä ö/ü b.json')
    assert first.name == 'Straße – 東京'
    path = tmp_path / 'bom.json'
    text = json.dumps(data, indent=1).replace('\n', '\r\n')
    path.write_bytes(b'\xef\xbb\xbf' + text.encode())
    assert len(list(COCOVideoReader(path).videos())) == 2


def test_first_frame(data, read):
    with pytest.raises(AnnotationError, match='frame 0 comes before.*first'):
        read(data, first_frame=1)
    data['images'][0]['frame_index'] = -2
    with pytest.raises(AnnotationError, match='image 3: frame -2 comes befor'):
        read(data)


# -------------------------------------------------------------- bad input
def _set(*path):
    """Function that changes an entry, given by its keys and new value."""
    *keys, last, value = path

    def change(data):
        for key in keys:
            data = data[key]
        if value is None:
            data.pop(last)
        else:
            data[last] = value

    return change


FIRST = ('annotations', 0)
NAN, INF = float('nan'), float('inf')


@pytest.mark.parametrize(
    ('change', 'message'),
    [
        (_set(*FIRST, 'image_id', 44), 'annotation number 0 has the unknown'),
        (_set(*FIRST, 'image_id', [1]), r'unknown image_id \[1\]'),
        (_set(*FIRST, 'category_id', 8), 'unknown category_id 8.*frame 2'),
        (_set(*FIRST, 'category_id', [2]), r'unknown category_id \[2\]'),
        (_set(*FIRST, 'category_id', 1), 'changes from .* to .*instance 11'),
        (_set(*FIRST, 'track_id', None), 'without the id of its track'),
        (_set(*FIRST, 'track_id', 1.5), 'track_id=1.5 is neither'),
        (_set(*FIRST, 'image_id', 1), r'two objects with one id.*annotation '),
        (_set(*FIRST, 'bbox', None), 'annotation without "bbox"'),
        (_set(*FIRST, 'bbox', [1, 2, 3]), r'not \[x, y, width, height\]'),
        (_set(*FIRST, 'bbox', [1, 2, 3, 'a']), 'coordinate that is no number'),
        (_set(*FIRST, 'bbox', [1, 2, NAN, 4]), 'no finite number'),
        (_set(*FIRST, 'bbox', [1, 2, INF, 4]), 'no finite number'),
        (_set(*FIRST, 'bbox', [1, 2, 10**400, 4]), 'bad annotation: int too'),
        (_set(*FIRST, 'bbox', [1, 2, 0, 4]), 'no positive width and height'),
        (_set(*FIRST, 'bbox', [1, 2, 3, -4]), 'no positive width and height'),
        (_set(*FIRST, 'score', 7), r'score 7 is not in \[0, 1\]'),
        (_set(*FIRST, 'score', 'x'), "score 'x' is no number"),
        (_set(*FIRST, 'segmentation', [[1, 2, 3, 4]]), 'at least 6 coord'),
        (_set(*FIRST, 'segmentation', [[1, 2, 9e9, 4, 5, 6]]), 'far outside'),
        (_set(*FIRST, 'segmentation', [['a'] * 6]), 'bad annotation'),
        (
            _set(*FIRST, 'segmentation', dict(size=[3, 4], counts='0<')),
            'differs from the frame size',
        ),
        (_set(*FIRST, 'segmentation', 'abc'), 'not a segmentation'),
        (_set('images', 0, 'video_id', 6), 'image 3 has the unknown video_id'),
        (_set('images', 0, 'file_name', None), 'image 3 has no "file_name"'),
        (_set('images', 0, 'frame_index', 0), 'images 3 and 1 have one fram'),
        (_set('images', 0, 'frame_index', 0.5), 'frame_index=0.5, no integer'),
        (_set('images', 0, 'width', 41), 'sizes differ: 40x30 and 41x30'),
        (_set('images', 0, 'width', 0), 'is not two positive integers'),
        (_set('images', 0, 'width', None), 'is not two positive integers'),
        (_set('images', 0, 'id', 1), 'duplicate image id 1'),
        (_set('videos', 0, 'name', 'val/a'), 'videos 5 and 9 have one name'),
        (_set('annotations', 0, 7), 'annotation number 0 has the unknown'),
        (_set('annotations', dict(a=1)), '"annotations" is dict, not a list'),
        (_set('categories', 0, 'id', 'x'), 'category number 0 has no integer'),
        (_set('categories', 0, dict(id=2)), 'category 2 has no name'),
        (_set('categories', 0, 'name', ' '), 'category 2 has no name'),
        (_set('categories', 0, 'name', 'cat'), '1 and 2 are both called .cat'),
    ],
)
def test_bad_files(data, read, change, message):
    data = copy.deepcopy(data)
    change(data)
    with pytest.raises(AnnotationError, match=message) as info:
        read(data)
    assert 'a.json' in str(info.value) and 'Fix: ' in str(info.value)


def test_message_names_video_frame_and_track(data, read):
    data['annotations'].append(_annotation(4, 2, 11, (1, 2, 3, 4)))
    match = r'\(annotation 4\).*video val/b, frame 2, instance 11\]'
    with pytest.raises(AnnotationError, match=match):
        read(data)


def test_duplicate_annotation_counts_once(data, read):
    data['annotations'].append(_annotation(4, 2, 11))
    (first, _), _ = read(data)
    assert sum(len(track.boxes) for track in first.tracks) == 3


def test_plain_coco_is_named_as_such(data, read):
    for image in data['images']:
        del image['video_id']
    with pytest.raises(AnnotationError, match='COCO json of single images'):
        read(data)


def test_other_formats_are_named(read, tmp_path):
    videos = [dict(id=1, file_names=['a.jpg'], width=4, height=3, length=1)]
    vis = dict(videos=videos, annotations=[], categories=[])
    with pytest.raises(AnnotationError, match='no list "images".*YouTube-VIS'):
        read(vis)
    with pytest.raises(AnnotationError, match='no list "images"'):
        read([1, 2])
    path = tmp_path / 'a.xml'
    path.write_text('<annotations><version>1.1</version></annotations>')
    with pytest.raises(AnnotationError, match='no json.*it looks like CVAT'):
        list(COCOVideoReader(path).videos())


def test_truncated_file(data, tmp_path):
    path = tmp_path / 'a.json'
    text = json.dumps(data)
    path.write_text(text[: len(text) // 2])
    with pytest.raises(AnnotationError, match='no json, or cut off'):
        list(COCOVideoReader(path).videos())
    with pytest.raises(AnnotationError, match='cannot be read'):
        list(COCOVideoReader(tmp_path / 'b.json').videos())


def test_what_our_writer_writes_comes_back(clip, write, tmp_path):
    noise = encode(np.random.default_rng(0).random((24, 32)) < 0.3)
    clip.tracks.append(clip.make_track(8, [0], [0.25], {0: noise}))
    path = write(dict(type='coco_video', path=tmp_path / 'a.json'), clip)
    reader = COCOVideoReader(path)
    (video,) = reader.videos()
    assert reader.classes() == clip.classes
    assert (video.name, video.width, video.height) == ('bear', 32, 24)
    assert video.file_names == [f'bear/{t:05d}.jpg' for t in range(4)]
    for track, written in zip(video.tracks, clip.tracks):
        assert track.id == written.id + 1
        assert track.category == clip.classes[written.labels[0]]
        assert track.masks == dict(zip(written.frames, written.masks))
        boxes = map(tuple, written.bboxes.tolist())
        assert track.boxes == dict(zip(written.frames, boxes))
        scores = dict(zip(written.frames, written.frame_scores))
        assert track.scores == pytest.approx(scores)


def test_pycocotools_agrees_on_polygons(data, read, tmp_path):
    from pycocotools.coco import COCO

    star = [5.5, 1.2, 9.9, 28, 1, 9.7, 12.3, 10, 2.5, 27]
    data['annotations'][1]['segmentation'] = [star, POLYGON]
    (first, _), _ = read(data)
    coco = COCO(str(tmp_path / 'a.json'))
    expected = coco.annToMask(coco.anns[1])
    (track,) = [track for track in first.tracks if track.id == 11]
    np.testing.assert_array_equal(coco_mask.decode(track.masks[0]), expected)


def test_trackeval_reads_the_same(data, tmp_path, read):
    """TAO of TrackEval: boxes, ids and classes of every time step."""
    trackeval = pytest.importorskip('trackeval')
    for video in data['videos']:
        video.update(neg_category_ids=[], not_exhaustive_category_ids=[])
    # Images without annotations are no time steps to TrackEval.
    data['annotations'].append(_annotation(4, 3, 11, (7, 7, 2, 2)))
    for annotation in data['annotations']:
        annotation.update(area=80, iscrowd=0)
        image = annotation['image_id']
        annotation['video_id'] = 9 if image == 7 else 5
    data['tracks'] = [
        dict(id=key, category_id=c, video_id=v)
        for key, c, v in ((11, 2, 5), (0, 1, 5), (12, 2, 9))
    ]
    videos, _ = read(data, 'gt/a.json')
    dataset = trackeval.datasets.TAO(
        dict(
            GT_FOLDER=str(tmp_path / 'gt'),
            TRACKERS_FOLDER=str(tmp_path),
            TRACKERS_TO_EVAL=[],
            PRINT_CONFIG=False,
        )
    )
    names = {c['id']: c['name'] for c in data['categories']}
    for video in videos:
        raw = dataset._load_raw_file(None, video.name.replace('/', '-'), True)
        assert raw['num_timesteps'] == video.length
        for t in range(video.length):
            rows = zip(raw['gt_ids'][t], raw['gt_classes'][t])
            theirs = {
                int(key): (names[c], box.tolist())
                for (key, c), box in zip(rows, raw['gt_dets'][t])
            }
            ours = {}
            for track in video.tracks:
                if t in track.boxes:
                    x0, y0, x1, y1 = track.boxes[t]
                    box = [x0, y0, x1 - x0, y1 - y0]
                    ours[track.id] = (track.category, box)
            assert ours == theirs


def test_videos_that_contradict_or_are_empty(data, read):
    data['videos'].append(dict(id=10, name='val/c'))
    videos, _ = read(data)
    assert [dict(video.dropped) for video in videos] == [
        {'videos without an image': 1},
        {},
    ]
    data['annotations'][0]['video_id'] = 9
    match = 'annotation number 0 has video_id 9, but its image is of video 5'
    with pytest.raises(AnnotationError, match=match):
        read(data)
