import json
import sys
from types import SimpleNamespace

import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats.readers import (
    ANNOTATION_READERS,
    DatumaroReader,
    FrameFolders,
    assemble,
)
from pmvis_mm.structures.rle import decode
from pmvis_mm.structures.video_annotations import parse_annotations
from pmvis_mm.utils.errors import AnnotationError, ConfigError

HEIGHT, WIDTH = 8, 10


@pytest.fixture(scope='module')
def dm():
    """The parts of Datumaro that tests need; importing it takes a second."""
    pytest.importorskip('datumaro', reason='extra "formats" not installed')
    from datumaro.components import annotation
    from datumaro.components.dataset import Dataset
    from datumaro.components.dataset_base import DatasetItem
    from datumaro.components.media import Image as Media

    def item(name, annotations, subset='default', size=True, **attributes):
        shape = (HEIGHT, WIDTH) if size is True else size
        media = Media.from_file(f'{name}.jpg', size=shape or None)
        return DatasetItem(
            name,
            subset=subset,
            media=media,
            annotations=annotations,
            attributes=attributes,
        )

    def export(folder, items, kind='datumaro'):
        dataset = Dataset.from_iterable(
            items, categories=['dog', 'big cat'], media_type=Media
        )
        dataset.export(str(folder), kind, save_media=False)
        return folder

    return SimpleNamespace(
        Dataset=Dataset,
        item=item,
        export=export,
        **{
            name: getattr(annotation, name)
            for name in ('Bbox', 'Polygon', 'Mask', 'Points', 'RotatedBbox')
        },
    )


def of(track, **more):
    return dict(label=0, attributes=dict(more, track_id=track))


def letter(x):
    mask = np.zeros((HEIGHT, WIDTH), np.uint8)
    mask[2:5, x : x + 3] = 1
    mask[3, x] = 0
    return mask


@pytest.fixture
def clip(dm, tmp_path):
    """Three frames: a box with a gap, polygons of one track, a mask."""
    parts = [[5, 1, 8, 1, 8, 4, 5, 4], [1, 6, 3, 6, 3, 8, 1, 8]]
    frames = [
        [
            dm.Bbox(1, 2, 3, 3.5, **of(1)),
            *(dm.Polygon(p, **dict(of('b'), label=1)) for p in parts),
        ],
        [dm.Mask(letter(4), **of(3, score=0.75))],
        [dm.Bbox(2, 2, 3, 3, **of(1)), dm.Mask(letter(5), **of(3))],
    ]
    items = [
        dm.item(f'ein Clip ä/{t:06d}', found, 'train', frame=t)
        for t, found in enumerate(frames)
    ]
    return dm.export(tmp_path / 'ein Export', items)


def read(source, **options):
    return list(DatumaroReader(source, **options).videos())


def refused(match, source, **options):
    with pytest.raises(AnnotationError, match=match) as caught:
        read(source, **options)
    return str(caught.value)


def test_own_format_of_datumaro(clip):
    reader = DatumaroReader(clip)
    (video,) = reader.videos()
    assert reader.classes() == ('dog', 'big cat')
    assert (video.name, video.width, video.height) == ('ein Clip ä', 10, 8)
    tracks = {track.id: track for track in video.tracks}
    box, parts, mask = (tracks[key] for key in (1, 'b', 3))
    assert box.boxes == {0: (1, 2, 4, 5.5), 2: (2, 2, 5, 5)}
    assert (box.category, parts.category) == ('dog', 'big cat')
    assert box.masks == {} and not box.iscrowd
    assert parts.boxes == {0: (1, 1, 8, 8)}
    assert decode(parts.masks[0]).sum() == 9 + 4
    assert mask.boxes == {1: (4, 2, 7, 5), 2: (5, 2, 8, 5)}
    assert (decode(mask.masks[1]) == letter(4)).all()
    assert mask.scores == {1: 0.75}


def test_becomes_a_dataset(clip):
    data = assemble(DatumaroReader(clip), with_masks=True, invent_names=True)
    tracks = parse_annotations(data, with_masks=True).tracks[1]
    names = [one['name'] for one in data['categories']]
    assert names == ['dog', 'big cat'] and len(tracks) == 3
    assert tracks[0].boxes == [(1, 2, 4, 5.5), None, (2, 2, 5, 5)]


def test_the_library_counts_the_same(dm, clip):
    (video,) = read(clip)
    found = sum(
        len({a.attributes['track_id'] for a in item.annotations})
        for item in dm.Dataset.import_from(str(clip), 'datumaro')
    )
    assert found == sum(len(track.boxes) for track in video.tracks) == 5


def test_coco(dm, tmp_path):
    anns = [
        dm.Polygon([5, 1, 8, 1, 8, 4, 5, 4], **of(2)),
        dm.Mask(letter(4), **dict(of(3), label=1)),
    ]
    items = [dm.item(f'{name}/0007', anns) for name in 'ab']
    source = dm.export(tmp_path / 'coco', items, 'coco_instances')
    for kind in (None, 'coco', 'coco_instances'):
        videos = read(source, dataset_format=kind)
        assert [video.name for video in videos] == ['a', 'b']
        tracks = {track.id: track for track in videos[1].tracks}
        assert tracks[2].boxes == {7: (5, 1, 8, 4)}
        assert decode(tracks[2].masks[7]).sum() == 9
        # Even where Datumaro writes the box of a mask a pixel too short.
        assert tracks[3].boxes == {7: (4, 2, 7, 5)}
        assert (decode(tracks[3].masks[7]) == letter(4)).all()
        assert (tracks[2].iscrowd, tracks[3].iscrowd) == (False, True)


def test_mot(dm, tmp_path):
    items = [
        dm.item(str(t), [dm.Bbox(t, 2, 3, 3, **of(4, ignored=t == 2))])
        for t in (1, 2)
    ]
    source = dm.export(tmp_path / 'seq', items, 'mot_seq_gt')
    (video,) = read(source)
    assert video.name == 'seq'
    (track,) = video.tracks
    # The format counts from 1.
    assert track.boxes == {0: (1, 2, 4, 5), 1: (2, 2, 5, 5)}
    (video,) = read(source, first_frame=0)
    assert set(video.tracks[0].boxes) == {1, 2}
    refused('frame 1 comes before', source, first_frame=2)


CVAT = """<?xml version="1.0" encoding="utf-8"?>
<annotations><version>1.1</version><meta><task><name>a</name><labels><label>
<name>dog</name><attributes></attributes></label></labels><original_size>
<width>10</width><height>8</height></original_size></task></meta>{}
</annotations>"""
TRACK = '<track id="0" label="dog">{}</track>'
MASK = (
    '<mask frame="0" outside="0" occluded="0" keyframe="1" rle="0, 4" '
    'left="1" top="1" width="2" height="2" z_order="0"></mask>'
)


def cvat_box(frame, outside, keyframe=1, rotation=''):
    return (
        f'<box frame="{frame}" outside="{outside}" occluded="0" '
        f'keyframe="{keyframe}" xtl="1" ytl="2" xbr="5" ybr="4" z_order="0" '
        f'{rotation}></box>'
    )


def test_boxes_of_cvat(dm, tmp_path):
    path = tmp_path / 'annotations.xml'
    boxes = cvat_box(0, 0) + cvat_box(1, 0, 0) + cvat_box(2, 1)
    path.write_text(CVAT.format(TRACK.format(boxes)))
    (video,) = read(path, dataset_format='cvat')
    (track,) = video.tracks
    assert track.boxes == {0: (1, 2, 5, 4), 1: (1, 2, 5, 4), 2: None}
    assert track.interpolated == {1} and track.category == 'dog'


def test_turned_boxes_of_cvat(dm, tmp_path):
    path = tmp_path / 'annotations.xml'
    turned = cvat_box(0, 0, 1, 'rotation="90"')
    path.write_text(CVAT.format(TRACK.format(turned)))
    (track,) = read(path, dataset_format='cvat')[0].tracks
    assert track.boxes[0] == pytest.approx((2, 1, 4, 5))


def test_why_cvat_has_a_reader_of_its_own(dm, tmp_path):
    path = tmp_path / 'annotations.xml'
    path.write_text(CVAT.format(TRACK.format(MASK)))
    text = refused('AttributeError', path, dataset_format='cvat')
    assert 'cannot import it as cvat' in text and str(path) in text


def test_why_mot_has_a_reader_of_its_own(dm, tmp_path):
    for number, name in enumerate('ab'):
        folder = tmp_path / 'mot' / name / 'gt'
        folder.mkdir(parents=True)
        line = f'1,3,{10 * number},2,3,4,1,1,1\n'
        (folder / 'gt.txt').write_text(line)
    text = refused(
        'one id in a frame', tmp_path / 'mot', dataset_format='mot_seq'
    )
    assert 'instance 3' in text
    folder = tmp_path / 'zero' / 'gt'
    folder.mkdir(parents=True)
    (folder / 'gt.txt').write_text('1,0,1,2,3,4,1,1,1\n')
    refused("has no 'track_id'", tmp_path / 'zero')
    for line, match in (
        ('1,2,nan,2,3,4,1,1,1\n', 'no finite number'),
        ('1,2,1,2,-3,4,1,1,1\n', 'no positive width'),
        ('1,2,1,2,3,4,1,20,1\n', 'AssertionError'),
    ):
        (folder / 'gt.txt').write_text(line)
        refused(match, tmp_path / 'zero', dataset_format='mot_seq')


def grouped(dm, tmp_path, **options):
    box = [dm.Bbox(1, 2, 3, 3, **of(1))]
    items = [
        dm.item('0001', box, 'clip b', video='x'),
        dm.item('0001', box, 'clip a', video='y'),
    ]
    source = dm.export(tmp_path / 'all', items)
    return [video.name for video in read(source, **options)]


def test_what_makes_a_video(dm, tmp_path):
    assert grouped(dm, tmp_path) == ['clip a', 'clip b']
    assert grouped(dm, tmp_path, group_by='subset') == ['clip a', 'clip b']
    assert grouped(dm, tmp_path, group_by='video') == ['x', 'y']
    with pytest.raises(AnnotationError, match='are about one frame'):
        grouped(dm, tmp_path, group_by='all')
    with pytest.raises(AnnotationError, match="no attribute 'camera'"):
        grouped(dm, tmp_path, group_by='camera')


def test_frames_on_disk(dm, tmp_path):
    folder = tmp_path / 'frames' / 'clip'
    folder.mkdir(parents=True)
    for t in (10, 20, 30):
        Image.new('RGB', (WIDTH, HEIGHT)).save(folder / f'{t:05d}.jpg')
    frames = FrameFolders(tmp_path / 'frames')
    box = [dm.Bbox(1, 2, 3, 3, **of(1))]
    source = dm.export(tmp_path / 'a', [dm.item('clip/00020', box, size=None)])
    (video,) = read(source, frames=frames)
    assert set(video.tracks[0].boxes) == {1}
    assert (video.width, video.height, video.length) == (10, 8, 3)
    assert video.file_names[1] == 'clip/00020.jpg'
    source = dm.export(tmp_path / 'b', [dm.item('clip/00025', box)])
    text = refused("no image is called '00025'", source, frames=frames)
    assert '--frames' in text
    source = dm.export(tmp_path / 'c', [dm.item('clip/bear', box)])
    refused('it has no number', source)


def test_sizes(dm, tmp_path):
    box = [dm.Bbox(1, 2, 3, 3, **of(1))]
    ring = [dm.Polygon([0, 0, 4, 0, 4, 4], **of(2))]
    source = dm.export(tmp_path / 'a', [dm.item('c/1', box + ring, size=None)])
    (video,) = read(source)
    assert (video.width, video.height) == (None, None)
    assert video.tracks[1].boxes == {1: (0, 0, 4, 4)}
    items = [dm.item('c/1', box), dm.item('c/2', box, size=(8, 9))]
    source = dm.export(tmp_path / 'b', items)
    refused('is 9x8 pixels, others are 10x8', source)


def test_boxes_without_label(dm, tmp_path):
    box = dm.Bbox(1, 2, 3, 3, attributes=dict(track_id=1))
    source = dm.export(tmp_path / 'a', [dm.item('c/1', [box])])
    assert read(source)[0].tracks[0].category is None


def test_ids(dm, tmp_path):
    plain = dm.Bbox(1, 2, 3, 3, label=0, attributes=dict(name='x'))
    source = dm.export(tmp_path / 'a', [dm.item('c/1', [plain])])
    text = refused("an annotation has no 'track_id'", source)
    assert "['name']" in text and 'video c' in text and 'frame 1' in text
    (video,) = read(source, track_attribute='name')
    assert video.tracks[0].id == 'x'
    two = [dm.Bbox(x, 2, 3, 3, **of(5.0)) for x in (1, 1, 2)]
    source = dm.export(tmp_path / 'b', [dm.item('c/1', two[:2])])
    assert read(source)[0].tracks[0].id == 5
    source = dm.export(tmp_path / 'd', [dm.item('c/1', two)])
    text = refused('two objects with one id', source)
    assert 'instance 5' in text


def test_annotations_that_are_no_objects(dm, tmp_path):
    anns = [dm.Points([1, 2], **of(1)), dm.Bbox(1, 2, 3, 3, **of(2))]
    source = dm.export(tmp_path / 'a', [dm.item('c/1', anns)])
    text = refused("type 'points' is neither box nor mask", source)
    assert 'skip_unsupported' in text
    (video,) = read(source, skip_unsupported=True)
    assert [track.id for track in video.tracks] == [2]
    assert video.dropped == {"annotations of type 'points'": 1}


@pytest.mark.parametrize(
    'values, match',
    [
        ((1, 2, -3, 3), 'no positive width'),
        ((1, 2, 3, 0), 'no positive width'),
    ],
)
def test_bad_boxes(dm, tmp_path, values, match):
    box = dm.Bbox(*values, **of(1))
    source = dm.export(tmp_path / 'a', [dm.item('c/4', [box])])
    text = refused(match, source, dataset_format='datumaro')
    for word in ('bad bbox', 'video c', 'frame 4', 'instance 1'):
        assert word in text


@pytest.mark.parametrize('bad', [float('nan'), float('inf')])
def test_boxes_without_number(dm, tmp_path, bad):
    # Datumaro writes null for them, and cannot read that itself.
    box = dm.Bbox(1, 2, bad, 3, **of(1))
    source = dm.export(tmp_path / 'a', [dm.item('c/4', [box])])
    refused('cannot import it as datumaro', source, dataset_format='datumaro')


def test_bad_masks(dm, tmp_path):
    for mask, match in (
        (letter(4)[:4], 'has 10x4 pixels, the frame 10x8'),
        (letter(4) * 0, 'has no pixel'),
    ):
        anns = [dm.Mask(mask, **of(1))]
        source = dm.export(tmp_path / 'a', [dm.item('c/4', anns)])
        refused(match, source)


def test_truncated_and_other_files(clip, tmp_path):
    (path,) = clip.rglob('*.json')
    whole = path.read_text(encoding='utf-8')
    path.write_text(whole[: len(whole) // 2], encoding='utf-8')
    refused('cannot import it', clip, dataset_format='datumaro')
    refused('not Datumaro', clip)
    empty = tmp_path / 'nothing'
    empty.mkdir()
    text = refused('cannot import it as any format', empty)
    assert str(empty) in text
    refused('does not exist', tmp_path / 'missing')


def test_no_items(dm, tmp_path):
    source = dm.export(tmp_path / 'a', [dm.item('c/1', [])])
    (path,) = source.rglob('*.json')
    data = json.loads(path.read_text())
    path.write_text(json.dumps(dict(data, items=[])))
    refused('it has no items', source, dataset_format='datumaro')


def test_unknown_format(clip):
    with pytest.raises(ConfigError, match="knows no format 'nonsense'"):
        read(clip, dataset_format='nonsense')


def test_without_the_library(monkeypatch, tmp_path):
    for name in ('datumaro', 'datumaro.components'):
        monkeypatch.setitem(sys.modules, name, None)
    with pytest.raises(ConfigError) as caught:
        read(tmp_path)
    assert 'pip install pmvis_mm[formats]' in str(caught.value)


def test_registered():
    reader = ANNOTATION_READERS.get('datumaro')
    assert reader is DatumaroReader and reader.title == 'Datumaro'
