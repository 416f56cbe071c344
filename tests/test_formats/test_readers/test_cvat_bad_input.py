import re
from functools import partial

import pytest

from pmvis_mm.formats.readers import CVATReader
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


@pytest.mark.parametrize(
    ('shape', 'message'),
    [
        (box_xml(-1), 'frame -1 comes before the first one.*--first-frame'),
        (box_xml(10), 'frame 10 does not exist: the 10 frames.*--first-frame'),
        (box_xml('x'), "bad <box>: frame='x' is no integer"),
        (box_xml(2, 'xtl="1" ytl="2" xbr="3"'), "<box> has no 'ybr'"),
        (box_xml(2, BOX.replace('1.50', 'nan')), "xtl='nan' is no finite"),
        (box_xml(2, BOX.replace('1.50', '-inf')), "xtl='-inf' is no finite"),
        (box_xml(2, BOX.replace('1.50', '1,5')), "xtl='1,5' is no finite"),
        (
            box_xml(2, BOX.replace('1.50', '11')),
            'no positive width and height',
        ),
        (
            box_xml(2, BOX.replace('1.50', '12'), rotation=20),
            'no positive width and height',
        ),
        ('<polygon frame="2" points="1,2;3,4"/>', 'needs 3 points, got 2'),
        ('<polygon frame="2" points="1,2;3"/>', 'is no list "x,y;x,y'),
        ('<polygon frame="2"/>', "points='' is no list"),
        ('<polygon frame="2" points="1,2;3,4;nan,2"/>', 'no finite number'),
        ('<polygon frame="2" points="1,2;3,4;9e9,2"/>', 'lies far outside'),
        ('<ellipse frame="2" cx="1" cy="1" rx="0" ry="2"/>', 'radii 0 and 2'),
        (
            '<mask frame="2" rle="1,2" left="0" top="0" width="2" '
            'height="2"/>',
            'add up to 3, not to the 4 pixels',
        ),
        (
            '<mask frame="2" rle="a" left="0" top="0" width="1" height="1"/>',
            'no list of integers',
        ),
        (
            '<mask frame="2" rle="-1,2" left="0" top="0" width="1" '
            'height="1"/>',
            'negative or too long',
        ),
        (
            '<mask frame="2" rle="0,4" left="39" top="0" width="2" '
            'height="2"/>',
            'sticks out of the 40x30 frame',
        ),
        (
            '<mask frame="2" rle="0,4" left="0" top="0" width="99999" '
            'height="99999"/>',
            'a mask of 99999x99999 pixels',
        ),
    ],
)
def test_bad_shapes(one, shape, message):
    with pytest.raises(AnnotationError, match=message) as info:
        one(track_xml(shape, head='id="12" label="car"'))
    text = str(info.value)
    assert 'annotations.xml' in text and 'video street' in text
    assert '12' in text and 'Fix: ' in text


def test_counted_from_one(make):
    path = make(track_xml(box_xml(1), box_xml(10)))
    with pytest.raises(AnnotationError, match='set first_frame'):
        list(CVATReader(path).videos())
    (video,) = CVATReader(path, first_frame=1).videos()
    assert [*video.tracks[0].boxes] == [0, 9]


def test_two_objects_with_one_id(one):
    again = box_xml(3, BOX.replace('1.50', '2'))
    match = 'two objects with one id in a frame.*street, frame 3, instance 0'
    with pytest.raises(AnnotationError, match=match):
        one(track_xml(box_xml(3), again))


@pytest.mark.parametrize('head', ['id="0" label="car"', 'label="car"'])
def test_two_tracks_with_one_id(one, head):
    # Also where nothing collides: joining them would be a guess.
    same = track_xml(box_xml(4), head='id="1" label="car"')
    other = track_xml(box_xml(3), head='id="1" label="car"')
    match = 'two tracks have the same id.*street, instance 1.*Fix: give every'
    with pytest.raises(AnnotationError, match=match):
        one(track_xml(box_xml(3), head=head), same, other)


@pytest.mark.parametrize('key', ['outside', 'keyframe'])
def test_flags_that_are_none(one, key):
    shape = box_xml(3).replace('<box ', '<box ', 1)
    shape = re.sub(f' {key}="[^"]*"', '', shape)
    shape = shape.replace('<box', f'<box {key}="true"', 1)
    with pytest.raises(AnnotationError, match=f"{key}='true' is neither 0"):
        one(track_xml(shape))


def test_the_same_twice_counts_once(one):
    (track,) = one(
        track_xml(box_xml(3), box_xml(3), box_xml(3, outside=1))
    ).tracks
    assert track.boxes == {3: (1.5, 2, 11, 9.25)}
    (track,) = one(track_xml(box_xml(3, outside=1), box_xml(3))).tracks
    assert track.boxes == {3: (1.5, 2, 11, 9.25)}


def test_images_are_named_as_such(make):
    image = '<image id="0" name="a.jpg" width="3" height="4"></image>'
    with pytest.raises(
        AnnotationError, match='CVAT for images 1.1.*"CVAT for video 1.1"'
    ):
        list(CVATReader(make(image)).videos())


def test_other_formats_are_named(tmp_path):
    path = tmp_path / 'a.xml'
    path.write_text('<annotation><folder>x</folder></annotation>')
    match = 'not CVAT XML: its root is <annotation>.*Pascal VOC'
    with pytest.raises(AnnotationError, match=match):
        list(CVATReader(path).videos())
    path.write_text('{"videos": [], "annotations": [], "categories": []}')
    with pytest.raises(AnnotationError, match='not CVAT XML: no XML'):
        list(CVATReader(path).videos())


def test_truncated_file(make):
    path = make(track_xml(box_xml(1)))
    text = path.read_bytes()
    path.write_bytes(text[: len(text) // 2])
    match = 'no XML, or cut off.*check that the export is complete'
    with pytest.raises(AnnotationError, match=match):
        list(CVATReader(path).videos())


def test_bad_meta_data(make):
    path = make(meta=META.replace('<size>10', '<size>ten'))
    with pytest.raises(AnnotationError, match="<size> in the meta data is 't"):
        list(CVATReader(path).videos())


def test_odd_paths_and_text(make):
    meta = META.replace('street', 'Straße 1 – 東京')
    path = make(track_xml(box_xml(0)), meta=meta, name='Ä ö/ü b.xml')
    raw = path.read_bytes().replace(b'\n', b'\r\n')
    path.write_bytes(b'\xef\xbb\xbf' + raw)
    (video,) = CVATReader(path).videos()
    assert video.name == 'Straße 1 – 東京' and len(video.tracks) == 1
    path = make(track_xml(box_xml(0)), meta=META, encoding='utf-16')
    assert len(next(CVATReader(path).videos()).tracks) == 1


def test_track_without_a_shape_is_counted(one):
    video = one(track_xml(box_xml(3)), '<track id="7" label="car"></track>')
    assert [track.id for track in video.tracks] == [0]
    assert video.dropped == {'tracks without a shape': 1}
