from functools import partial

import cv2
import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats.readers import CVATReader, FrameFolders, assemble
from pmvis_mm.structures.rle import area, box_rle, decode, tight_boxes
from pmvis_mm.testing.cvat_files import (
    BOX,
    META,
    box_xml,
    read_cvat,
    track_xml,
    write_cvat,
)
from pmvis_mm.utils.errors import AnnotationError


@pytest.fixture
def make(tmp_path):
    """Function that writes a file."""
    return partial(write_cvat, tmp_path)


@pytest.fixture
def one(tmp_path):
    """Function that reads a file of one video."""
    return partial(read_cvat, tmp_path)


def _frames(root, name, count, size=(40, 30)):
    folder = root / 'frames' / name
    folder.mkdir(parents=True)
    for t in range(count):
        Image.new('RGB', size).save(folder / f'{t:05d}.png')
    return FrameFolders(root / 'frames')


def test_boxes_by_hand(make):
    path = make(
        track_xml(
            box_xml(0, outside=0, keyframe=1),
            box_xml(1, outside=0, keyframe=0),
            box_xml(2, outside=1, keyframe=1),
            box_xml(5, outside=0, keyframe=1, occluded=1),
        ),
        track_xml(box_xml(9), head='id="7" label="truck"'),
    )
    reader = CVATReader(path)
    (video,) = reader.videos()
    assert (video.name, video.length) == ('street', 10)
    assert (video.width, video.height) == (40, 30)
    assert video.file_names is None and video.file == str(path)
    car, truck = video.tracks
    box = (1.5, 2.0, 11.0, 9.25)
    assert (car.id, car.category) == (0, 'car')
    assert car.boxes == {0: box, 1: box, 2: None, 5: box}  # a gap follows
    assert car.interpolated == {1} and car.masks == {}
    assert (truck.id, truck.boxes) == (7, {9: box})
    assert reader.classes() == ('truck', 'car')  # as declared


def test_result_is_a_dataset(make):
    path = make(track_xml(box_xml(0), box_xml(4, BOX.replace('1.50', '5.50'))))
    content = assemble(CVATReader(path), interpolate=True, invent_names=True)
    (annotation,) = content['annotations']
    assert annotation['bboxes'][2] == [3.5, 2, 7.5, 7.25]
    assert [c['name'] for c in content['categories']] == ['truck', 'car']


def test_turned_box_is_enclosed(one):
    corners = 'xtl="10" ytl="10" xbr="20" ybr="14"'
    shapes = [
        box_xml(t, corners, rotation=r) for t, r in enumerate((90, 30, 0))
    ]
    boxes = one(track_xml(*shapes)).tracks[0].boxes
    assert boxes[0] == pytest.approx((13, 7, 17, 17))
    # Half extents: 5 cos 30 + 2 sin 30 and 5 sin 30 + 2 cos 30.
    w, h = 5 * 0.8660254 + 1, 2.5 + 2 * 0.8660254
    assert boxes[1] == pytest.approx((15 - w, 12 - h, 15 + w, 12 + h))
    assert boxes[2] == (10, 10, 20, 14)


def test_polygon_ellipse_and_mask(one):
    video = one(
        track_xml('<polygon frame="0" points="2.00,3.00;8.00,3.00;8,7;2,7"/>'),
        track_xml(
            '<ellipse frame="1" cx="20" cy="15" rx="8" ry="4" '
            'rotation="90.00"/>',
            head='id="1" label="car"',
        ),
        track_xml(
            '<mask frame="2" rle="1, 2, 1, 1, 1" left="30" top="20" '
            'width="3" height="2"/>',
            head='id="2" label="car"',
        ),
    )
    polygon, ellipse, mask = video.tracks
    assert polygon.masks == {0: box_rle((2, 3, 8, 7), 30, 40)}
    assert polygon.boxes == {0: (2, 3, 8, 7)}
    assert ellipse.boxes[1] == pytest.approx((16, 7, 24, 23))
    expected = np.zeros((30, 40), np.uint8)
    cv2.ellipse(expected, (20, 15), (4, 8), 0, 0, 360, 1, -1)
    found = decode(ellipse.masks[1])
    assert area(ellipse.masks[1]) == pytest.approx(np.pi * 32, rel=0.03)
    assert (found & (expected == 1)).sum() > 0.95 * found.sum()
    dense = decode(mask.masks[2])
    assert dense[20:22, 30:33].tolist() == [[0, 1, 1], [0, 1, 0]]
    assert dense.sum() == 3
    assert mask.boxes == {2: (31, 20, 33, 22)}


def test_mask_of_random_runs(one):
    rng = np.random.default_rng(0)
    part = rng.random((9, 14)) < 0.5
    runs, value, count = [], False, 0
    for pixel in part.ravel():
        if pixel != value:
            runs.append(count)
            value, count = pixel, 0
        count += 1
    text = ', '.join(map(str, [*runs, count]))
    shape = f'<mask frame="0" rle="{text}" left="3" top="5" width="14" '
    (track,) = one(track_xml(shape + 'height="9"/>')).tracks
    dense = np.zeros((30, 40), bool)
    dense[5:14, 3:17] = part
    np.testing.assert_array_equal(decode(track.masks[0]), dense)
    np.testing.assert_array_equal(
        track.boxes[0], tight_boxes([track.masks[0]])[0]
    )


def test_other_shapes_are_left_out(one):
    video = one(
        track_xml('<points frame="0" points="1,2"/>'),
        track_xml(
            box_xml(0),
            '<polyline frame="1" points="1,2;3,4"/>',
            head='id="1" label="car"',
        ),
    )
    assert [track.id for track in video.tracks] == [1]
    assert [*video.tracks[0].boxes] == [0]
    assert video.dropped == {
        'shapes of type <points>': 1,
        'shapes of type <polyline>': 1,
    }


def test_track_without_label_or_id(one):
    video = one(
        track_xml(box_xml(0), head=''),
        track_xml(box_xml(1), head='label="" id=" "'),
    )
    assert [(t.id, t.category) for t in video.tracks] == [(0, None), (1, None)]


def test_empty_task(one):
    assert one().tracks == []


def test_without_meta_data(one):
    video = one(
        track_xml(box_xml(70)),
        track_xml(
            '<polygon frame="3" points="1,1;9,1;9,9"/>',
            '<mask frame="4" rle="1,2" left="5" top="6" width="3" '
            'height="1"/>',
            head='id="1"',
        ),
        meta='',
    )
    assert (video.name, video.length) == ('annotations', None)
    assert (video.width, video.height) == (None, None)
    assert [*video.tracks[0].boxes] == [70]
    # No mask without a size; its box still is tight.
    assert video.tracks[1].masks == {}
    assert video.tracks[1].boxes == {3: (1, 1, 9, 9), 4: (6, 6, 8, 7)}


def test_size_from_frames(make, tmp_path):
    meta = META.replace('<width>40</width><height>30</height>', '')
    meta = meta.replace('<original_size></original_size>', '')
    path = make(
        track_xml('<polygon frame="0" points="2,3;8,3;8,7;2,7"/>'), meta=meta
    )
    frames = _frames(tmp_path, 'clip 1', 10)
    (video,) = CVATReader(path, frames).videos()
    assert video.name == 'clip 1'  # as the source of the task
    assert video.tracks[0].masks == {0: box_rle((2, 3, 8, 7), 30, 40)}
    content = assemble(CVATReader(path, frames), with_masks=True)
    assert content['videos'][0]['file_names'][0] == 'clip 1/00000.png'


def _part(start, stop, size, step):
    return (
        META.replace('<start_frame>0', f'<start_frame>{start}')
        .replace('<stop_frame>9', f'<stop_frame>{stop}')
        .replace('<size>10', f'<size>{size}')
        .replace('<frame_filter>', f'<frame_filter>{step}')
    )


def test_part_of_a_video(make, tmp_path):
    meta = _part(4, 10, 3, 'step=3')
    path = make(track_xml(box_xml(4), box_xml(10)), meta=meta)
    (video,) = CVATReader(path).videos()
    assert video.length == 3 and [*video.tracks[0].boxes] == [0, 2]
    frames = _frames(tmp_path, 'street', 12)
    (video,) = CVATReader(path, frames).videos()
    assert video.file_names == [f'street/{t:05d}.png' for t in (4, 7, 10)]
    # Frames of the part only, as an export with images has them.
    frames = _frames(tmp_path / 'part', 'street', 3)
    (video,) = CVATReader(path, frames).videos()
    assert video.file_names is None


def test_frame_between_steps_is_refused(make):
    path = make(track_xml(box_xml(5)), meta=_part(4, 10, 3, 'step=3'))
    with pytest.raises(AnnotationError, match='frame 5 is none of 4, 7, 10'):
        list(CVATReader(path).videos())


def test_job(make):
    meta = _part(4, 6, 3, '').replace('task>', 'job>')
    meta = meta.replace('<name>street</name>', '')
    path = make(track_xml(box_xml(5)), meta=meta)
    (video,) = CVATReader(path).videos()
    assert (video.name, video.length) == ('clip 1.mp4', 3)
    assert [*video.tracks[0].boxes] == [1]


def test_end_mark_behind_the_end(one):
    (track,) = one(track_xml(box_xml(9), box_xml(10, outside=1))).tracks
    assert [*track.boxes] == [9]


PROJECT = """<meta><project><id>1</id><name>p</name><tasks>
  <task><id>5</id><name>a</name><size>3</size>
    <original_size><width>40</width><height>30</height></original_size></task>
  <task><id>6</id><name>b</name><size>2</size><source>x/b.mp4</source></task>
  <task><id>8</id><name>a</name><size>2</size></task>
  </tasks><labels><label><name>car</name></label>
  <label><name>nose</name><parent>face</parent></label></labels></project>
</meta>"""


def test_project(make):
    path = make(
        track_xml(
            box_xml(0), head='id="0" label="car" task_id="6" subset="s"'
        ),
        track_xml(box_xml(2), head='id="1" label="car" task_id="5"'),
        meta=PROJECT,
    )
    reader = CVATReader(path)
    videos = list(reader.videos())
    assert [video.name for video in videos] == ['a', 'b', 'a_2']
    assert [[t.id for t in v.tracks] for v in videos] == [[1], [0], []]
    assert [video.width for video in videos] == [40, None, None]
    assert reader.classes() == ('car',)
    assert len(list(reader.videos())) == 3  # names are free again


def test_project_with_a_lost_task(make):
    path = make(track_xml(box_xml(0), head='id="3" task_id="9"'), meta=PROJECT)
    match = r"task_id='9', but the tasks are \['5', '6', '8'\].*instance 3"
    with pytest.raises(AnnotationError, match=match):
        list(CVATReader(path).videos())


def test_folder_of_files(make, tmp_path):
    make(track_xml(box_xml(0)), name='x/one/annotations.xml')
    make(track_xml(box_xml(1)), name='x/two/annotations.xml')
    videos = list(CVATReader(tmp_path / 'x').videos())
    assert [video.name for video in videos] == ['street', 'street_2']
    (tmp_path / 'y').mkdir()
    with pytest.raises(AnnotationError, match='no .xml file in this folder'):
        list(CVATReader(tmp_path / 'y').videos())


# ---------------------------------------------------------------- groups
def _group(*shapes, number, group=4, label='car'):
    head = f'id="{number}" label="{label}" group_id="{group}"'
    return track_xml(*shapes, head=head)


def test_groups_are_joined_on_request(one):
    first = [
        '<polygon frame="0" points="0,0;4,0;4,4;0,4"/>',
        '<polygon frame="1" points="0,0;4,0;4,4;0,4" keyframe="0"/>',
        '<polygon frame="2" outside="1" points="0,0;4,0;4,4;0,4"/>',
    ]
    second = [
        '<polygon frame="1" points="10,10;14,10;14,14;10,14"/>',
        '<polygon frame="2" outside="1" points="1,1;2,2;3,1"/>',
    ]
    tracks = [
        _group(*first, number=8),
        _group(*second, number=3),
        _group(*second, number=5, label='truck'),
        _group(box_xml(0), number=6, group=0),
    ]
    assert len(one(*tracks).tracks) == 4
    joined, truck, alone = one(*tracks, join_groups=True).tracks
    assert (joined.id, truck.id, alone.id) == (8, 5, 6)
    assert joined.boxes == {0: (0, 0, 4, 4), 1: (0, 0, 14, 14), 2: None}
    assert area(joined.masks[1]) == 32
    assert joined.interpolated == set()  # a part of frame 1 was drawn


def test_group_of_keyframes_is_refused(one):
    tracks = [
        _group(box_xml(0), box_xml(8), number=0),
        _group(box_xml(3), box_xml(4, outside=1), number=1),
    ]
    match = (
        r'one part of the group is given here.*video street, frame 3.*'
        'join_groups=False'
    )
    with pytest.raises(AnnotationError, match=match):
        one(*tracks, join_groups=True)


def test_out_of_view_of_one_part_says_nothing_of_another(one):
    tracks = [
        _group(box_xml(0), box_xml(8), number=0),
        _group(box_xml(0), box_xml(1, outside=1), number=1),
    ]
    (track,) = one(*tracks, join_groups=True).tracks
    assert [*track.boxes] == [0, 8]  # 1 to 7 may be interpolated


@pytest.mark.parametrize('use_track', [True, False])
def test_file_of_datumaro(tmp_path, use_track):
    dm = pytest.importorskip('datumaro')
    items = []
    for t in range(3):
        box = dm.Bbox(1.5 + t, 2, 10, 8, label=1)
        box.attributes.update(track_id=4, keyframe=t != 1, outside=False)
        shape = dm.Polygon([20, 5, 30, 5, 30, 15, 20, 15], label=0)
        shape.attributes.update(track_id=6, keyframe=True, outside=t == 2)
        media = dm.Image.from_numpy(np.zeros((30, 40, 3), np.uint8))
        items.append(
            dm.DatasetItem(
                f'{t}',
                subset='walk',
                media=media,
                annotations=[box, shape],
                attributes=dict(frame=t),
            )
        )
    labels = {dm.AnnotationType.label: dm.LabelCategories.from_iterable('ab')}
    dataset = dm.Dataset.from_iterable(items, categories=labels)
    dataset.export(str(tmp_path), 'cvat', use_track=use_track)
    reader = CVATReader(tmp_path / 'walk.xml')
    if not use_track:
        with pytest.raises(AnnotationError, match='CVAT for images'):
            list(reader.videos())
        return
    (video,) = reader.videos()
    assert (video.name, video.length) == ('walk', 3)
    first, second = video.tracks
    assert (first.id, first.category) == (4, 'b')
    assert first.boxes == {t: (1.5 + t, 2, 11.5 + t, 10) for t in range(3)}
    assert first.interpolated == {1}
    assert (second.id, second.category) == (6, 'a')
    assert second.boxes[2] is None and second.boxes[1] == (20, 5, 30, 15)
    assert second.masks[0] == box_rle((20, 5, 30, 15), 30, 40)
