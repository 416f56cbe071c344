import base64
import copy
import io
import json
import zlib
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats.readers import (
    ANNOTATION_READERS,
    FrameFolders,
    SuperviselyReader,
    assemble,
)
from pmvis_mm.structures.rle import decode
from pmvis_mm.structures.video_annotations import parse_annotations
from pmvis_mm.testing.videos import moving_frames, write_mp4
from pmvis_mm.utils.errors import AnnotationError

SAMPLE = Path(__file__).parents[2] / 'data' / 'formats' / 'supervisely'
HEIGHT, WIDTH = 8, 10


def rectangle(x0, y0, x1, y1):
    return 'rectangle', ring([[x0, y0], [x1, y1]])


def ring(points, holes=()):
    return dict(points=dict(exterior=points, interior=list(holes)))


def bitmap(mask, origin):
    file = io.BytesIO()
    Image.fromarray(mask).save(file, 'PNG')
    data = base64.b64encode(zlib.compress(file.getvalue())).decode()
    return 'bitmap', dict(bitmap=dict(origin=origin, data=data))


def figure(owner, kind, geometry):
    return dict(
        key=f'f{owner}',
        objectKey=owner,
        geometryType=kind,
        geometry=geometry,
    )


def content(frames, objects=(('a', 'dog'),), length=3):
    return dict(
        size=dict(height=HEIGHT, width=WIDTH),
        description='',
        key='v',
        tags=[],
        objects=[dict(key=k, classTitle=c, tags=[]) for k, c in objects],
        frames=[
            dict(index=t, figures=[figure(*f) for f in figures])
            for t, figures in frames.items()
        ],
        framesCount=length,
    )


def write(project, data, dataset='ds0', video='clip.mp4', classes=None):
    folder = project / dataset / 'ann'
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / f'{video}.json'
    path.write_text(json.dumps(data, ensure_ascii=False), encoding='utf-8')
    if classes is not None:
        entries = [dict(title=c, shape='any') for c in classes]
        meta = json.dumps(dict(classes=entries, tags=[]))
        (project / 'meta.json').write_text(meta, encoding='utf-8')
    return path


def read(source, **options):
    return list(SuperviselyReader(source, **options).videos())


def refused(match, source, **options):
    with pytest.raises(AnnotationError, match=match) as caught:
        read(source, **options)
    return str(caught.value)


def bad(tmp_path, match, data, **options):
    path = write(tmp_path, data)
    text = refused(match, tmp_path, **options)
    assert str(path) in text
    return text


BOX = rectangle(1, 2, 4, 6)
SIMPLE = content({0: [('a', *BOX)]})


def test_what_the_sdk_wrote_is_what_it_draws():
    reader = SuperviselyReader(SAMPLE)
    (video,) = reader.videos()
    assert (video.name, video.length) == ('clip one', 4)
    assert (video.width, video.height) == (20, 16)
    assert reader.classes() == ('big cat', 'dog')
    drawn = json.loads((SAMPLE / 'drawn_by_sdk.json').read_text())
    tracks = {track.id: track for track in video.tracks}
    assert set(tracks) == set(drawn['keys'].values())
    number = 0
    for one in drawn['figures']:
        track = tracks[drawn['keys'][one['object']]]
        left, top, width, height = one['ltwh']
        x0, y0, x1, y1 = track.boxes[one['frame']]
        assert (x0, y0, x1 - x0, y1 - y0) == (left, top, width, height)
        pixels = np.array([list(map(int, row)) for row in one['rows']])
        if one['frame'] in track.masks:
            found = decode(track.masks[one['frame']])
            assert (found == pixels.astype(bool)).all()
        else:
            # Rectangles: the box covers the pixels that the SDK fills.
            assert pixels.sum() == width * height
            assert pixels[top : top + height, left : left + width].all()
        number += 1
    assert number == sum(len(track.boxes) for track in video.tracks) == 5
    assert [t.category for t in video.tracks] == ['dog', 'big cat', 'dog']


def test_the_sample_becomes_a_dataset():
    data = assemble(
        SuperviselyReader(SAMPLE), with_masks=True, invent_names=True
    )
    annotations = parse_annotations(data, with_masks=True)
    dog, cat, other = annotations.tracks[1]
    assert dog.boxes == [(1, 2, 6, 7), (2, 2, 7, 7), (3, 2, 8, 7), None]
    assert decode(cat.segmentations[1]).sum() == 8 * 7 - 4 * 3
    assert decode(other.segmentations[3]).sum() == 14


def test_shapes(tmp_path):
    part = np.ones((2, 3), np.uint8)
    frames = {
        0: [
            ('a', *rectangle(1.5, 2, 4, 6)),
            ('b', 'polygon', ring([[1, 1], [4, 1], [4, 3], [1, 3]])),
        ],
        2: [
            ('b', *bitmap(part, [7, 6])),
            ('b', 'polygon', ring([[0.0, 0], [2, 0], [2.0, 2.5], [0, 2.5]])),
        ],
    }
    write(tmp_path, content(frames, [('a', 'dog'), ('b', 'cat')]))
    (video,) = read(tmp_path)
    a, b = video.tracks
    assert a.boxes == {0: (1.5, 2, 4, 6)}
    # Whole numbers are pixels, both outlines included.
    assert b.boxes == {0: (1, 1, 5, 4), 2: (0, 0, 10, 8)}
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[1:4, 1:5] = True
    assert (decode(b.masks[0]) == expected).all()
    assert decode(b.masks[2])[6:, 7:].all()
    (video,) = read(tmp_path, inclusive=False)
    assert video.tracks[1].boxes[0] == (1, 1, 4, 3)
    assert decode(video.tracks[1].masks[0]).sum() == 6


def test_multipolygon(tmp_path):
    parts = [
        dict(exterior=[[0, 0], [1, 0], [1, 1], [0, 1]], interior=[]),
        dict(exterior=[[4, 4], [6, 4], [6, 6], [4, 6]]),
    ]
    frames = {1: [('a', 'multipolygon', dict(parts=parts))]}
    write(tmp_path, content(frames))
    (track,) = read(tmp_path)[0].tracks
    assert track.boxes == {1: (0, 0, 7, 7)}
    assert decode(track.masks[1]).sum() == 4 + 9
    bad(
        tmp_path,
        'no list of "parts"',
        content({1: [('a', 'multipolygon', dict(parts=[]))]}),
    )


def test_datasets_and_videos(tmp_path):
    project = tmp_path / 'Projekt ä'
    for dataset in ('b', 'a/datasets/c'):
        write(project, SIMPLE, dataset, classes=['dog'])
    write(project, SIMPLE, 'b', 'ein Clip 2.mov')
    (project / 'a' / 'datasets' / 'c' / 'video').mkdir()
    write_mp4(
        project / 'a' / 'datasets' / 'c' / 'video' / 'clip.mp4',
        moving_frames(3),
    )
    videos = read(project, frames=FrameFolders(project))
    names = ['a/datasets/c/clip', 'b/clip', 'b/ein Clip 2']
    assert [video.name for video in videos] == names
    assert videos[0].file_names[2] == 'a/datasets/c/video/clip.mp4#2'
    assert videos[1].file_names is None
    (video,) = read(project / 'a')
    assert video.name == 'clip'


def test_classes_of_the_project(tmp_path):
    unpacked = tmp_path / 'unpacked'  # with the project in it
    project = unpacked / 'project'
    write(project, SIMPLE, classes=['cat', 'dog'])
    for source in (project, project / 'ds0', unpacked):
        reader = SuperviselyReader(source)
        assert len(list(reader.videos())) == 1
        assert reader.classes() == ('cat', 'dog')
    write(project, SIMPLE, classes=['cat'])
    text = refused("class 'dog' is not in meta.json", project)
    assert 'instance a' in text
    (project / 'meta.json').write_text('{"classes": 3}')
    refused('no list of "classes"', project)
    (project / 'meta.json').unlink()
    reader = SuperviselyReader(project)
    assert len(list(reader.videos())) == 1 and reader.classes() is None


def test_ids_of_downloads(tmp_path):
    data = copy.deepcopy(SIMPLE)
    data['objects'] = [dict(id=31, classTitle='dog')]
    one = data['frames'][0]['figures'][0]
    del one['objectKey']
    one['objectId'] = 31
    write(tmp_path, data)
    (track,) = read(tmp_path)[0].tracks
    assert (track.id, track.boxes) == (31, {0: (1, 2, 5, 7)})


def test_gaps_and_objects_without_figures(tmp_path):
    frames = {0: [('a', *BOX)], 2: [('a', *BOX)], 1: []}
    write(tmp_path, content(frames, [('a', 'dog'), ('b', 'cat')]))
    (track,) = read(tmp_path)[0].tracks
    assert set(track.boxes) == {0, 2}
    write(tmp_path, content({}, []))
    assert read(tmp_path)[0].tracks == []


def test_objects_without_class(tmp_path):
    write(tmp_path, content({0: [('a', *BOX)]}, [('a', None)]))
    assert read(tmp_path)[0].tracks[0].category is None


def test_numbers_of_frames(tmp_path):
    data = content({1: [('a', *BOX)], 3: [('a', *BOX)]})
    text = bad(tmp_path, 'frames are numbered 0 to 2', data)
    assert '--first-frame' in text and 'frame 3' in text
    (video,) = read(tmp_path, first_frame=1)
    assert set(video.tracks[0].boxes) == {0, 2}
    data = content({0: [('a', *BOX)]})
    bad(tmp_path, 'frame 0 comes before', data, first_frame=1)
    data['frames'] *= 2
    bad(tmp_path, 'the frame is listed twice', data)


def test_two_objects_with_one_id(tmp_path):
    data = content({0: [('a', *BOX), ('a', *BOX)]})
    write(tmp_path, data)
    assert len(read(tmp_path)[0].tracks) == 1
    data = content({1: [('a', *BOX), ('a', *rectangle(0, 0, 1, 1))]})
    text = bad(tmp_path, 'two objects with one id in a frame', data)
    for word in ('video clip', 'frame 1', 'instance a'):
        assert word in text
    data = content({}, [('a', 'dog'), ('a', 'cat')])
    bad(tmp_path, 'two objects have one key', data)


def test_sizes(tmp_path):
    data = dict(SIMPLE, size=None)
    text = bad(tmp_path, 'the size of the video is None', data)
    assert '--frames' in text
    (tmp_path / 'frames').mkdir()
    write_mp4(tmp_path / 'frames' / 'clip.mp4', moving_frames(3))
    frames = FrameFolders(tmp_path / 'frames')
    (video,) = read(tmp_path, frames=frames)
    assert (video.width, video.height) == (96, 64)
    for size in (dict(height=0, width=3), dict(height=2), 7):
        bad(tmp_path, 'the size of the video', dict(SIMPLE, size=size))
    for length in (0, -1, 'x', True):
        data = dict(SIMPLE, framesCount=length)
        bad(tmp_path, '"framesCount" is', data)
    data = copy.deepcopy(SIMPLE)
    del data['framesCount']
    write(tmp_path, data)
    assert read(tmp_path)[0].length is None


@pytest.mark.parametrize('kind', ['point', 'line', 'graph', 'cuboid', 3])
def test_figures_that_are_no_objects(tmp_path, kind):
    data = content({0: [('a', kind, ring([[1, 1]]))]})
    text = bad(tmp_path, 'is neither box nor mask', data)
    assert 'skip_unsupported' in text
    video = read(tmp_path, skip_unsupported=True)[0]
    assert video.tracks == []
    assert video.dropped == {f'figures of type {kind!r}': 1}


POINTS = [[1, 1], [3, 1], [3, 3]]


@pytest.mark.parametrize(
    'kind, geometry, match',
    [
        ('rectangle', None, 'it has no "geometry"'),
        ('rectangle', {}, 'no "points" with "exterior"'),
        ('rectangle', ring([[1, 1]]), 'needs 2 corners'),
        ('rectangle', ring([[3, 1], [1, 4]]), 'no positive width'),
        ('rectangle', ring([[1.5, 1], [1.5, 4]]), 'no positive width'),
        ('rectangle', ring([[1, float('nan')], [2, 2]]), 'no finite number'),
        ('rectangle', ring([[1, 1], [float('inf'), 2]]), 'no finite number'),
        ('polygon', ring(POINTS[:2]), 'needs 3 points'),
        ('polygon', ring([*POINTS, [10**9, 0]]), 'far outside'),
        ('polygon', ring(POINTS, [[[0, 10**9]]]), 'far outside'),
        ('polygon', ring(POINTS, [3]), 'are no list of'),
        ('polygon', dict(points=dict(exterior=POINTS, interior=3)), 'no list'),
        ('bitmap', {}, 'it has no "bitmap"'),
        ('bitmap', dict(bitmap=dict(data='x')), 'are no list of'),
        ('bitmap', dict(bitmap=dict(origin=[0, 0], data='x')), 'base64'),
        ('bitmap', bitmap(np.ones((2, 3), np.uint8), [8, 0])[1], 'sticks out'),
    ],
)
def test_bad_figures(tmp_path, kind, geometry, match):
    text = bad(tmp_path, match, content({0: [('a', kind, geometry)]}))
    for word in (f'bad {kind}', 'video clip', 'frame 0', 'instance a'):
        assert word in text


@pytest.mark.parametrize(
    'change, match',
    [
        (dict(objects=[3]), 'object 3 has no "key"'),
        (dict(objects=[dict(key='', classTitle='dog')]), 'has no "key"'),
        (dict(objects=[dict(key='a', classTitle=4)]), 'no "classTitle"'),
        (dict(objects=[]), "figure of an unknown object 'a'"),
        (dict(frames=[3]), 'frame 3 has no "index"'),
        (dict(frames=[dict(index='0', figures=[])]), 'has no "index"'),
        (dict(frames=[dict(index=0)]), 'no "figures"'),
        (dict(frames=None), 'no list of "frames"'),
        (dict(objects=None), 'no list of "objects"'),
    ],
)
def test_malformed(tmp_path, change, match):
    bad(tmp_path, match, dict(SIMPLE, **change))


def test_truncated_and_other_files(tmp_path):
    path = write(tmp_path, SIMPLE)
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    refused('no json, or cut off', tmp_path)
    bad(tmp_path, 'not Supervisely video folder', [1])
    refused('no folder of a project', path)
    refused('no folder of a project', tmp_path / 'missing')
    path.unlink()
    refused('there is no <dataset>/ann', tmp_path)


def test_byte_order_mark_and_windows_lines(tmp_path):
    data = content({0: [('a', *BOX)]}, [('a', 'großer Hund')])
    path = write(tmp_path, data)
    text = json.dumps(data, ensure_ascii=False, indent=1)
    path.write_bytes(b'\xef\xbb\xbf' + text.replace('\n', '\r\n').encode())
    assert read(tmp_path)[0].tracks[0].category == 'großer Hund'


def test_registered():
    reader = ANNOTATION_READERS.get('supervisely')
    assert reader is SuperviselyReader
    assert reader.title == 'Supervisely video folder'
