import json
from pathlib import Path
from xml.etree import ElementTree

import numpy as np
import pytest

from pmvis_mm.formats import RESULT_WRITERS, CVATWriter, write_mask_set
from pmvis_mm.formats.readers import CVATReader, assemble
from pmvis_mm.structures import (
    MaskTrack,
    PseudoMaskSet,
    StreamInfo,
    VideoInfo,
)
from pmvis_mm.structures.rle import (
    area,
    box_rle,
    decode,
    encode,
    mask_iou,
    union,
)
from pmvis_mm.utils.errors import ConfigError, OutputError

DAVIS = Path(__file__).parents[3] / 'shared/data/davis_mini'


def _root(path):
    return ElementTree.parse(path).getroot()


def _config(tmp_path, shape, **kwargs):
    return dict(type='cvat', path=tmp_path / 'a.xml', shape=shape, **kwargs)


def _read(path, **kwargs):
    (video,) = CVATReader(path, join_groups=True, **kwargs).videos()
    return video


def test_boxes_by_hand(clip, write, tmp_path):
    root = _root(write(_config(tmp_path, 'box'), clip))
    assert root.tag == 'annotations' and root.findtext('version') == '1.1'
    tracks = root.findall('track')
    assert [(t.get('id'), t.get('label')) for t in tracks] == [
        ('1', 'big dog'),
        ('3', 'cat'),
        ('6', 'ant'),
    ]
    assert all(track.get('group_id') is None for track in tracks)
    second = [shape.attrib for shape in tracks[1]]
    corners = dict(xtl='10', ytl='6', xbr='20', ybr='16')
    common = dict(corners, keyframe='1', occluded='0', z_order='0')
    assert second == [
        dict(common, frame='1', outside='0'),
        dict(common, frame='2', outside='1'),
        dict(common, frame='3', outside='0'),  # the last frame: no end mark
    ]
    assert [s.get('frame') for s in tracks[2]] == ['2', '3']
    assert tracks[2][1].get('outside') == '1'


def test_meta_data(clip, write, tmp_path):
    task = _root(write(_config(tmp_path, 'box'), clip)).find('meta/task')
    assert task.findtext('name') == 'bear'
    assert task.findtext('size') == '4'
    assert task.findtext('mode') == 'interpolation'
    assert task.findtext('start_frame') == '0'
    assert task.findtext('stop_frame') == '3'
    assert task.findtext('original_size/width') == '32'
    assert task.findtext('original_size/height') == '24'
    names = [label.findtext('name') for label in task.iter('label')]
    assert names == list(clip.classes)


def test_polygons_by_hand(clip, write, tmp_path):
    track = _root(write(_config(tmp_path, 'polygon'), clip)).find('track')
    assert [s.tag for s in track] == ['polygon'] * 4
    assert track[1].get('points') == '5,2;15,2;15,12;5,12'


def test_masks_by_hand(clip, write, tmp_path):
    dense = np.zeros((24, 32), bool)
    dense[4:6, 7:10] = [[1, 0, 1], [0, 1, 1]]
    clip.tracks = [clip.make_track(0, [0], [0.5], {1: encode(dense)})]
    (track,) = _root(write(_config(tmp_path, 'mask'), clip)).findall('track')
    shape = track[0].attrib
    # Along rows: 1 0 1 | 0 1 1, beginning with the background.
    assert shape['rle'] == '0, 1, 1, 1, 1, 2'
    assert [shape[k] for k in ('left', 'top', 'width', 'height')] == [
        '7',
        '4',
        '3',
        '2',
    ]
    assert (track[1].get('frame'), track[1].get('outside')) == ('2', '1')


def test_pieces_and_masks_share_a_group(clip, write, tmp_path):
    pieces = union([clip.fill(0, 0, 4, 4), clip.fill(20, 9, 28, 17)])
    shown = {0: pieces, 1: clip.fill(0, 0, 4, 4), 3: pieces}
    clip.tracks.insert(1, clip.make_track(1, [0], [0.5], shown))
    for shape, ids in (('polygon', ['2', '7']), ('mask', None)):
        root = _root(write(_config(tmp_path, shape), clip))
        group = [t for t in root.iter('track') if t.get('group_id') == '2']
        found = [t.get('id') for t in group]
        assert found == (ids or found) and len(group) == (2 if ids else 3)
        every = [t.get('id') for t in root.iter('track')]
        assert len({*every}) == len(every)
        assert {t.get('label') for t in group} == {'cat'}
    # Of polygons the largest piece comes first, the other one is out of
    # view in frame 1.
    root = _root(write(_config(tmp_path, 'polygon'), clip))
    second = root.find("track[@id='7']")
    assert [(s.get('frame'), s.get('outside')) for s in second] == [
        ('0', '0'),
        ('1', '1'),
        ('3', '0'),
    ]


@pytest.mark.parametrize('shape', ['polygon', 'mask'])
def test_masks_come_back(clip, write, tmp_path, shape):
    rng = np.random.default_rng(0)
    noise = {t: encode(rng.random((24, 32)) < 0.4) for t in (0, 2, 3)}
    clip.tracks.append(clip.make_track(9, [1], [0.5], noise))
    kwargs = dict(tolerance=0) if shape == 'polygon' else {}
    video = _read(write(_config(tmp_path, shape, **kwargs), clip))
    assert (video.name, video.length) == ('bear', 4)
    assert (video.width, video.height) == (32, 24)
    assert [track.id for track in video.tracks] == [1, 3, 6, 10]
    for track, written in zip(video.tracks, clip.tracks):
        assert track.category == clip.classes[written.labels[0]]
        assert track.masks == dict(zip(written.frames, written.masks))
        shown = {t: b for t, b in track.boxes.items() if b is not None}
        boxes = map(tuple, written.bboxes.tolist())
        assert shown == dict(zip(written.frames, boxes))
        # Where it is away the file says so: nothing to be interpolated.
        for frame in range(4):
            if frame not in shown and frame - 1 in shown:
                assert track.boxes[frame] is None


def test_boxes_come_back(clip, write, tmp_path):
    video = _read(write(_config(tmp_path, 'box'), clip))
    for track, written in zip(video.tracks, clip.tracks):
        assert track.masks == {}
        for frame, box in zip(written.frames, written.bboxes.tolist()):
            assert track.boxes[int(frame)] == tuple(box)


@pytest.mark.parametrize('shape', ['polygon', 'mask', 'box'])
def test_boxes_without_masks(clip, write, tmp_path, shape):
    track = clip.tracks[1]
    track.masks = (None, track.masks[1])
    track.bboxes = np.array([[1.25, 2, 7.12341, 9], [10, 6, 20, 16]])
    clip.tracks = [track]
    video = _read(write(_config(tmp_path, shape), clip))
    (found,) = video.tracks
    assert found.boxes[1] == (1.25, 2.0, 7.1234, 9.0)
    assert found.boxes[2] is None
    assert found.boxes[3] == (10, 6, 20, 16)
    assert [*found.masks] == ([] if shape == 'box' else [3])


def test_names_are_escaped(clip, write, tmp_path):
    clip.info = StreamInfo('a <b> & "c" \x07 Ä\ud800', 24, 32)
    clip.classes = ('cat', 'dog & "co" <x>\n', 'ant')
    path = write(_config(tmp_path, 'box'), clip)
    root = _root(path)
    assert root.findtext('meta/task/name') == 'a <b> & "c" \ufffd Ä\ufffd'
    assert root.find('track').get('label') == 'dog & "co" <x>\n'


def test_class_without_a_name_is_a_label(clip, write, tmp_path):
    clip.classes = ()
    reader = CVATReader(write(_config(tmp_path, 'box'), clip))
    (video,) = reader.videos()
    assert reader.classes() == ('class 0', 'class 1', 'class 2')
    assert {t.category for t in video.tracks} == {*reader.classes()}


def test_nothing_found(empty_clip, write, tmp_path):
    video = _read(write(_config(tmp_path, 'polygon'), empty_clip))
    assert (video.tracks, video.length) == ([], 3)


def test_small_pieces_are_left_out(clip, write, tmp_path):
    mask = union([clip.fill(0, 0, 4, 4), clip.fill(20, 9, 21, 10)])
    clip.tracks = [clip.make_track(0, [0], [0.5], {0: mask})]
    config = _config(tmp_path, 'polygon', min_area=2)
    (track,) = _root(write(config, clip)).findall('track')
    assert track[0].get('points') == '0,0;4,0;4,4;0,4'


@pytest.mark.parametrize(
    ('kwargs', 'message'),
    [
        (dict(shape='circle'), r"shape='circle' is unknown.*polygon"),
        (dict(tolerance=-1), 'tolerance=-1 is no number from 0 on'),
        (dict(min_area=float('nan')), 'min_area=nan is no number'),
    ],
)
def test_bad_options(tmp_path, kwargs, message):
    with pytest.raises(ConfigError, match=message):
        RESULT_WRITERS.build(dict(type='cvat', path=tmp_path / 'a', **kwargs))


def test_failure_leaves_nothing(clip, write, tmp_path):
    clip.info = StreamInfo('bear', 24, 31)
    with pytest.raises(OutputError, match=r'the video is \[24, 31\]'):
        write(_config(tmp_path, 'polygon'), clip)
    assert list(tmp_path.iterdir()) == []


def test_mask_set(tmp_path):
    video = VideoInfo(4, 32, 24, ('v/0.jpg', 'v/1.jpg'))
    masks = PseudoMaskSet({4: video}, [dict(id=9, name='cat')], {4: []}, 's')
    mask = box_rle((0, 0, 8, 8), 24, 32)
    masks.tracks[4].append(
        MaskTrack(17, 4, 9, [mask, None], [None] * 2, [None] * 2, [None] * 2)
    )
    path = tmp_path / 'ä b' / 'v.xml'
    write_mask_set(masks, 4, [CVATWriter(path, id_offset=0)])
    (track,) = _read(path).tracks
    assert (track.id, track.category) == (17, 'cat')
    assert track.masks == {0: mask} and track.boxes[1] is None


@pytest.mark.parametrize('shape', ['polygon', 'box'])
def test_datumaro_opens_it(clip, write, tmp_path, shape):
    datumaro = pytest.importorskip('datumaro')
    mask = union([clip.fill(0, 0, 4, 4), clip.fill(20, 9, 28, 17)])
    clip.tracks.append(clip.make_track(9, [2], [0.5], {2: mask}))
    write(_config(tmp_path, shape), clip)
    dataset = datumaro.Dataset.import_from(str(tmp_path), 'cvat')
    label_type = datumaro.AnnotationType.label
    labels = dataset.categories()[label_type].items
    assert [label.name for label in labels] == list(clip.classes)
    found = {}
    for item in dataset:
        for shape_found in item.annotations:
            if shape_found.attributes['outside']:
                continue
            name = labels[shape_found.label].name
            key = (item.attributes['frame'], name)
            x, y, w, h = shape_found.get_bbox()
            found.setdefault(key, []).append((x, y, x + w, y + h))
    assert found[3, 'big dog'] == [(7, 2, 17, 12)]
    assert found[3, 'cat'] == [(10, 6, 20, 16)]
    assert (2, 'cat') not in found
    pieces = [(31, 23, 32, 24), (20, 9, 28, 17), (0, 0, 4, 4)]
    if shape == 'box':
        pieces = [(31, 23, 32, 24), (0, 0, 28, 17)]
    assert sorted(found[2, 'ant']) == sorted(pieces)


def test_real_masks_keep_their_shape(tmp_path):
    if not DAVIS.is_dir():
        pytest.skip('the clips of davis_mini are not there')
    data = json.loads((DAVIS / 'instances.json').read_text())
    masks = PseudoMaskSet.load(DAVIS / 'instances.json', 'people')
    video = next(iter(masks.videos))
    assert data['videos']
    path = tmp_path / 'a.xml'
    write_mask_set(masks, video, [CVATWriter(path, id_offset=0)])
    found = {track.id: track for track in _read(path).tracks}
    ious = []
    for track in masks.tracks[video]:
        for frame, mask in enumerate(track.masks):
            if mask is not None and area(mask):
                back = found[track.id].masks[frame]
                ious.append(mask_iou([back], [mask])[0, 0])
    assert len(ious) > 10 and np.mean(ious) > 0.95 and min(ious) > 0.85
    content = assemble(CVATReader(path), with_masks=True, invent_names=True)
    assert decode(content['annotations'][0]['segmentations'][0]).any()
