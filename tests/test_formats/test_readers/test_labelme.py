import base64
import io
import json

import numpy as np
import pytest
from globox import AnnotationSet
from PIL import Image

from pmvis_mm.formats.readers import (
    ANNOTATION_READERS,
    FrameFolders,
    LabelMeReader,
    assemble,
)
from pmvis_mm.structures import VideoAnnotations
from pmvis_mm.structures.rle import decode
from pmvis_mm.structures.video_annotations import parse_annotations
from pmvis_mm.testing.videos import moving_frames, write_mp4
from pmvis_mm.utils.errors import AnnotationError, ConfigError, FrameError

HEIGHT, WIDTH = 8, 10


def shape(label, points, kind='rectangle', group=1, **more):
    return dict(
        label=label,
        points=points,
        group_id=group,
        shape_type=kind,
        flags={},
        **more,
    )


def content(shapes, image, size):
    width, height = size
    return dict(
        version='5.5.0',
        flags={},
        shapes=shapes,
        imagePath=image,
        imageData=None,
        imageHeight=height,
        imageWidth=width,
    )


def write(folder, name, shapes, image=None, size=(WIDTH, HEIGHT)):
    folder.mkdir(parents=True, exist_ok=True)
    data = content(shapes, image or f'{name}.jpg', size)
    path = folder / f'{name}.json'
    path.write_text(json.dumps(data, ensure_ascii=False), encoding='utf-8')
    return path


def images(folder, number=4, size=(WIDTH, HEIGHT)):
    folder.mkdir(parents=True, exist_ok=True)
    for t in range(number):
        Image.new('RGB', size).save(folder / f'{t:05d}.jpg')


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, 'PNG')
    return base64.b64encode(file.getvalue()).decode()


BOX = [[1, 2], [4.5, 6]]


@pytest.fixture
def clip(tmp_path):
    """Folder with a space and letters: a dog with a gap, a cat of parts."""
    folder = tmp_path / 'ein Hündchen 狗'
    images(folder)
    part = np.zeros((2, 3), np.uint8)
    part[0] = part[1, 1] = 255
    write(folder, '00000', [shape('dog', BOX)])
    write(
        folder,
        '00002',
        [
            shape('dog', [[5, 6], [2, 3]]),
            shape('cat', [[7, 5], [9, 6]], 'mask', 'b', mask=png(part)),
            shape('cat', [[0, 0], [2, 0], [2, 2], [0, 2]], 'polygon', 'b'),
        ],
    )
    return folder


def read(source, **options):
    return list(LabelMeReader(source, **options).videos())


def refused(match, source, **options):
    with pytest.raises(AnnotationError, match=match) as caught:
        read(source, **options)
    return str(caught.value)


def test_one_video(clip):
    (video,) = read(clip)
    assert video.name == 'ein Hündchen 狗'
    assert (video.width, video.height, video.length) == (10, 8, 4)
    assert video.file_names == [f'{video.name}/{t:05d}.jpg' for t in range(4)]
    dog, cat = video.tracks
    assert (dog.id, dog.category, dog.masks) == (1, 'dog', {})
    assert dog.boxes == {0: (1, 2, 4.5, 6), 2: (2, 3, 5, 6)}
    assert (cat.id, cat.category) == ('b', 'cat')
    assert cat.boxes == {2: (0, 0, 10, 7)}
    expected = np.zeros((HEIGHT, WIDTH), bool)
    expected[:2, :2] = expected[5, 7:] = expected[6, 8] = True
    assert (decode(cat.masks[2]) == expected).all()


@pytest.mark.parametrize('kind', ['oriented_rectangle', 'rotation'])
def test_turned_rectangles(tmp_path, kind):
    images(tmp_path, 1)
    corners = [[4, 1], [7, 4], [5, 6], [2, 3]]
    write(tmp_path, '00000', [shape('dog', corners, kind)])
    (track,) = read(tmp_path)[0].tracks
    assert track.boxes == {0: (2, 1, 7, 6)} and track.masks == {}


def test_becomes_a_dataset(clip):
    data = assemble(LabelMeReader(clip), with_masks=True)
    annotations = parse_annotations(data, with_masks=True)
    dog, cat = annotations.tracks[1]
    assert dog.boxes[1] is None and dog.boxes[2] == (2, 3, 5, 6)
    assert [x['name'] for x in data['categories']] == ['cat', 'dog']
    assert decode(cat.segmentations[2]).sum() == 8
    assert isinstance(annotations, VideoAnnotations)


def test_globox_reads_the_same_boxes(clip):
    (video,) = read(clip)
    path = clip / '00002.json'
    data = json.loads(path.read_text(encoding='utf-8'))
    data['shapes'] = data['shapes'][:1] + data['shapes'][2:]
    # Globox wants corners in order, and knows no masks.
    data['shapes'][0]['points'].reverse()
    path.write_text(json.dumps(data), encoding='utf-8')
    found = AnnotationSet.from_labelme(clip, include_poly=True)
    boxes = [
        (box.label, box.ltrb)
        for annotation in found
        for box in annotation.boxes
    ]
    dog = video.tracks[0]
    assert sorted(boxes) == [
        ('cat', (0, 0, 2, 2)),
        ('dog', dog.boxes[0]),
        ('dog', dog.boxes[2]),
    ]


def test_what_globox_writes_is_read(tmp_path):
    source = tmp_path / 'clip'
    write(source, '0', [shape('dog', BOX)])
    write(source, '1', [shape('cat', BOX), shape('dog', BOX, group=2)])
    written = tmp_path / 'again' / 'clip'
    written.mkdir(parents=True)
    AnnotationSet.from_labelme(source).save_labelme(written)
    images(tmp_path / 'frames' / 'clip', 2)
    # It writes labels but no groups.
    (video,) = read(
        tmp_path / 'again',
        frames=FrameFolders(tmp_path / 'frames'),
        identity='label',
        pattern='(?P<category>.+)',
    )
    assert video.name == 'clip'
    boxes = {track.category: track.boxes for track in video.tracks}
    box = (1, 2, 4.5, 6)
    assert boxes == dict(dog={0: box, 1: box}, cat={1: box})


def test_a_folder_for_each_video(tmp_path):
    for name in ('b', 'sub/a'):
        images(tmp_path / name, 2)
        write(tmp_path / name, '00001', [shape('dog', BOX)])
    videos = read(tmp_path)
    assert [video.name for video in videos] == ['b', 'sub/a']
    assert videos[1].file_names == ['sub/a/00000.jpg', 'sub/a/00001.jpg']
    write(tmp_path, 'x', [])
    assert 'folder of its own' in refused('and in', tmp_path)


def test_frames_elsewhere(tmp_path):
    images(tmp_path / 'frames' / 'clip', 3)
    write(tmp_path / 'ann' / 'clip', '00002', [shape('dog', BOX)])
    frames = FrameFolders(tmp_path / 'frames')
    (video,) = read(tmp_path / 'ann', frames=frames)
    assert video.tracks[0].boxes == {2: (1, 2, 4.5, 6)}
    assert video.file_names[2] == 'clip/00002.jpg'
    # A single video may lie in the folder of frames itself.
    inner = FrameFolders(tmp_path / 'frames' / 'clip')
    (video,) = read(tmp_path / 'ann' / 'clip', frames=inner)
    assert video.file_names[2] == '00002.jpg'
    assert len(assemble([video], inner)['annotations']) == 1


def test_frames_of_a_video_file(tmp_path):
    write_mp4(tmp_path / 'clip.mp4', moving_frames(3))
    source = tmp_path / 'ann' / 'clip'
    write(source, 'clip_0003', [shape('dog', BOX)], size=(96, 64))
    frames = FrameFolders(tmp_path)
    text = refused('the 3 frames are numbered 0 to 2', source, frames=frames)
    assert '--first-frame' in text
    (video,) = read(source, frames=frames, first_frame=1)
    assert video.tracks[0].boxes == {2: (1, 2, 4.5, 6)}
    write(source, 'clip_0000', [shape('dog', BOX)], size=(96, 64))
    refused('frame 0 comes before', source, frames=frames, first_frame=1)


def test_the_name_of_the_image_helps(tmp_path):
    images(tmp_path / 'clip', 2)
    write(tmp_path / 'clip', 'note', [], image='..\\raw\\00001.jpg')
    write(tmp_path / 'clip', '00000', [shape('dog', BOX)])
    (video,) = read(tmp_path)
    assert video.length == 2
    write(tmp_path / 'clip', 'other', [], image='bear.jpg')
    refused('no frame belongs to it', tmp_path)


def test_two_files_for_one_frame(tmp_path):
    images(tmp_path, 2)
    write(tmp_path, '00001', [])
    write(tmp_path, 'frame_1', [])
    refused("'00001.json' is about the same frame", tmp_path)


def test_no_images(tmp_path):
    write(tmp_path, '0', [shape('dog', BOX)])
    text = refused('no images beside', tmp_path)
    assert 'have to be extracted' in text


def test_objects_without_group(tmp_path):
    images(tmp_path, 1)
    write(tmp_path, '00000', [shape('dog', BOX, group=None)])
    text = refused("shape 'dog' has no group id", tmp_path)
    assert 'identity="label"' in text and 'frame 0' in text
    for group in (True, '', 1.5, [1]):
        write(tmp_path, '00000', [shape('dog', BOX, group=group)])
        refused('has no group id', tmp_path)
    write(tmp_path, '00000', [shape('dog', BOX, group=0)])
    assert read(tmp_path)[0].tracks[0].id == 0


def test_labels_with_numbers(tmp_path):
    images(tmp_path, 2)
    labels = ['dog_1', 'dog 2', 'fire truck#10', 'cat3']
    shapes = [shape(label, BOX, group=None) for label in labels]
    write(tmp_path, '00000', shapes)
    write(tmp_path, '00001', shapes[:1])
    (video,) = read(tmp_path, identity='label')
    found = {track.id: track.category for track in video.tracks}
    assert found == dict(zip(labels, ['dog', 'dog', 'fire truck', 'cat']))
    assert set(video.tracks[0].boxes) == {0, 1}
    write(tmp_path, '00001', [shape('dog', BOX)])
    text = refused("label 'dog' does not name", tmp_path, identity='label')
    assert 'frame 1' in text and 'pattern' in text
    write(tmp_path, '00001', [shape(None, BOX)])
    refused('label None', tmp_path, identity='label')


def test_bad_options(tmp_path):
    with pytest.raises(ConfigError, match="identity='id'"):
        LabelMeReader(tmp_path, identity='id')
    with pytest.raises(ConfigError, match='no regular expression'):
        LabelMeReader(tmp_path, pattern='(')
    with pytest.raises(ConfigError, match='no group "category"'):
        LabelMeReader(tmp_path, pattern='.*')


def test_boxes_without_class(tmp_path):
    images(tmp_path, 1)
    write(tmp_path, '00000', [shape(None, BOX), shape('', BOX, group=2)])
    (video,) = read(tmp_path)
    assert [track.category for track in video.tracks] == [None, None]
    write(tmp_path, '00000', [shape(5, BOX)])
    refused('label 5 is no text', tmp_path)


def test_one_group_of_two_classes(tmp_path):
    images(tmp_path, 2)
    write(tmp_path, '00000', [shape('dog', BOX)])
    write(tmp_path, '00001', [shape('cat', BOX)])
    text = refused("from 'dog' to 'cat'", tmp_path)
    assert '00001.json' in text and 'instance 1' in text


def test_two_objects_of_one_group(tmp_path):
    images(tmp_path, 1)
    twice = shape('dog', BOX)
    write(tmp_path, '00000', [twice, twice])
    assert read(tmp_path)[0].tracks[0].boxes == {0: (1, 2, 4.5, 6)}
    write(tmp_path, '00000', [twice, shape('dog', [[0, 0], [1, 1]])])
    text = refused('two objects with one id in a frame', tmp_path)
    assert 'frame 0' in text and '00000.json' in text


def test_sizes(tmp_path):
    images(tmp_path, 2)
    write(tmp_path, '00000', [shape('dog', BOX)])
    write(tmp_path, '00001', [], size=(9, 8))
    refused('this frame is 9x8 pixels, others are 10x8', tmp_path)
    write(tmp_path, '00001', [], size=(0, 8))
    refused('size 0 x 8 is not in pixels', tmp_path)
    for name in ('00000', '00001'):
        write(tmp_path, name, [shape('dog', BOX)], size=(None, None))
    (video,) = read(tmp_path)
    assert (video.width, video.height) == (10, 8)
    (tmp_path / '00000.jpg').write_bytes(b'')
    with pytest.raises(FrameError, match='cannot be read'):
        read(tmp_path)


@pytest.mark.parametrize('kind', ['line', 'linestrip', 'point', 'points', 7])
def test_shapes_that_are_no_objects(tmp_path, kind):
    images(tmp_path, 1)
    write(tmp_path, '00000', [shape('dog', BOX, kind)])
    text = refused('is neither box nor mask', tmp_path)
    assert 'skip_unsupported' in text
    (video,) = read(tmp_path, skip_unsupported=True)
    assert video.tracks == []
    assert video.dropped == {f'shapes of type {kind!r}': 1}


@pytest.mark.parametrize(
    'points, kind, match',
    [
        ([[1, 2]], 'rectangle', 'needs 2 corners'),
        ([[1, 2], [1, 6]], 'rectangle', 'no positive width'),
        ([[1, float('nan')], [2, 2]], 'rectangle', 'no finite number'),
        ([[1, float('inf')], [2, 2]], 'polygon', 'no finite number'),
        ('x', 'rectangle', 'are no list of'),
        ([[1, 2], [3, 4]], 'polygon', 'needs 3 points'),
        ([[1, 2], [1, 2]], 'circle', 'a circle needs'),
        ([[1, 2]], 'mask', 'needs 2 corners'),
        ([[1, 2], [3, 4]], 'mask', 'no text in base64'),
    ],
)
def test_bad_shapes(tmp_path, points, kind, match):
    images(tmp_path, 1)
    write(tmp_path, '00000', [shape('dog', points, kind)])
    text = refused(match, tmp_path)
    for word in ('00000.json', f'bad {kind}', 'frame 0', 'instance 1'):
        assert word in text


def test_truncated_and_other_files(tmp_path):
    images(tmp_path, 1)
    path = write(tmp_path, '00000', [shape('dog', BOX)])
    whole = path.read_text()
    path.write_text(whole[: len(whole) // 2])
    text = refused('no json, or cut off', tmp_path)
    assert '00000.json' in text
    path.write_text(json.dumps(dict(images=[], annotations=[])))
    refused('not LabelMe folder: it has no list "shapes"', tmp_path)
    path.write_text('')
    refused('the file is empty', tmp_path)
    path.unlink()
    refused('there is no json file in it', tmp_path)
    refused('this is no folder', tmp_path / '00000.jpg')
    refused('this is no folder', tmp_path / 'missing')


def test_byte_order_mark_and_windows_lines(tmp_path):
    images(tmp_path, 1)
    path = write(tmp_path, '00000', [shape('dög', BOX)])
    text = json.dumps(json.loads(path.read_text(encoding='utf-8')), indent=1)
    path.write_bytes(b'\xef\xbb\xbf' + text.replace('\n', '\r\n').encode())
    assert read(tmp_path)[0].tracks[0].category == 'dög'


def test_registered():
    reader = ANNOTATION_READERS.get('labelme')
    assert reader is LabelMeReader and reader.title == 'LabelMe folder'
