import json
import tracemalloc

import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats.readers import guess_reader, looks_like
from pmvis_mm.formats.readers.json_keys import json_keys, loose_keys
from pmvis_mm.formats.readers.sniffing import locate, unwrap
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import AnnotationError

RLE = box_rle((0, 0, 4, 4), 24, 32)
FILLER = [[float(v) for v in range(1000)] * 20]  # beyond what is read

VIDEO = dict(id=1, width=3, height=3, length=1, file_names=['a.jpg'])
TRACK = dict(id=1, video_id=1, category_id=1, bboxes=[[0, 0, 1, 1]])
CLASSES = [dict(id=1, name='cat')]
IMAGE = dict(id=1, file_name='a.jpg', width=3, height=3)
OBJECT = dict(id=1, image_id=1, category_id=1, bbox=[0, 0, 1, 1])
BDD = dict(videoName='v', name='v-1.jpg', frameIndex=0)

JSONS = {
    'youtube-vis': (
        'YouTube-VIS json',
        dict(videos=[VIDEO], categories=CLASSES, annotations=[TRACK]),
    ),
    'videos are far': (
        'YouTube-VIS json',
        dict(
            annotations=[dict(TRACK, segmentations=[RLE] * 9000)],
            categories=CLASSES,
            videos=[VIDEO],
        ),
    ),
    'results': (
        'YouTube-VIS json',
        [dict(video_id=1, score=1, category_id=1, segmentations=[RLE])],
    ),
    'coco': (
        'COCO image json',
        dict(images=[IMAGE], annotations=[OBJECT], categories=CLASSES),
    ),
    'coco, images last': (
        'COCO image json',
        dict(annotations=[dict(OBJECT, segmentation=FILLER)], images=[IMAGE]),
    ),
    'coco-video': (
        'COCO-video json',
        dict(
            videos=[dict(id=1, name='v')],
            images=[dict(IMAGE, video_id=1, frame_id=0)],
            annotations=[dict(OBJECT, instance_id=1)],
            categories=CLASSES,
        ),
    ),
    'tao': (
        'COCO-video json',
        dict(
            annotations=[dict(OBJECT, track_id=1, segmentation=FILLER)],
            tracks=[dict(id=1, category_id=1, video_id=1)],
            images=[dict(IMAGE, video_id=1, frame_index=0)],
        ),
    ),
    'coco results': (
        'COCO results json',
        [dict(image_id=1, category_id=1, bbox=[0, 0, 1, 1], score=1)],
    ),
    'labelme': (
        'LabelMe folder',
        dict(version='5', flags={}, shapes=[], imagePath='a.jpg'),
    ),
    'label studio': (
        'Label Studio json',
        [dict(id=1, annotations=[dict(result=[])], data=dict(video='a.mp4'))],
    ),
    'label studio, short': (
        'Label Studio json',
        [dict(video='/a.mp4', id=1, box=[dict(sequence=[])], annotator=1)],
    ),
    'supervisely': (
        'Supervisely video folder',
        dict(size=dict(width=3), framesCount=2, objects=[], frames=[]),
    ),
    'datumaro': ('Datumaro', dict(info={}, categories={}, items=[])),
    'bdd100k': (
        'BDD100K MOTS rles',
        [dict(BDD, labels=[dict(id='1', rle=dict(RLE))])],
    ),
    'bdd100k, new': (
        'BDD100K MOTS rles',
        dict(frames=[dict(BDD, labels=[dict(id='1', rle=RLE)])]),
    ),
    'bdd100k boxes': (
        'BDD100K box tracking json',
        [dict(BDD, labels=[dict(id='1', box2d=dict(x1=0))])],
    ),
    'other': (None, dict(some=1, thing=[2])),
    'numbers': (None, [1, 2, 3]),
}


@pytest.mark.parametrize('case', JSONS)
@pytest.mark.parametrize('style', [dict(), dict(indent=2)])
def test_json(tmp_path, case, style):
    title, content = JSONS[case]
    path = tmp_path / 'Datei mit ä.txt'  # names do not count
    text = json.dumps(content, **style)
    path.write_text(text, encoding='utf-8-sig')
    assert looks_like(path) == title
    if case == 'coco':
        path.write_text(text[: len(text) - 20])
        assert looks_like(path) == title


TEXTS = {
    'MOTChallenge text': [
        '1,-1,794.27,247.59,71.245,174.88,-1,-1,-1,-1\n',
        '\n1, 2, 3, 4, 5, 6, 1, 1, 1.0\r\n2,2,3,4,5,6,1,1,0.5\r\n',
        '1 1 912 484 97 109 0 7 1\n',
        '1,1,nan,484,97,109,0\n',
    ],
    'MOTS text': [f'52 1005 1 24 32 {RLE["counts"]}\n'],
    'KITTI tracking text': [
        '0 2 Van 0 1 -1.79 296.7 161.7 455.2 292.3 2.0 1.8 4.4 -4.5 1.8 13.4'
        ' -2.1\n'
    ],
    'csv': [
        'video,frame,track,class,x,y\r\na,0,1,cat,1,2\r\n',
        '"frame";"id";"x";"y"\n',
    ],
    'CVAT XML': [
        '<?xml version="1.0"?>\n<annotations><version>1.1</version><meta>'
        '</meta><track id="0" label="a"><box/></track></annotations>',
        '<annotations><meta><task/></meta></annotations>',
    ],
    'CVAT for images XML': [
        '<annotations><version>1.1</version><image id="0" name="a"></image>',
        '<annotations><meta><mode>annotation</mode></meta></annotations>',
    ],
    'Pascal VOC XML': ['<annotation><folder>a</folder></annotation>'],
    None: ['', '  \n', 'Dear all, this is a letter.\n', '<html></html>', '<'],
}


@pytest.mark.parametrize(
    'title, text', [(k, text) for k, texts in TEXTS.items() for text in texts]
)
def test_text(tmp_path, title, text):
    path = tmp_path / 'a b.dat'
    path.write_text(text, encoding='utf-8-sig', newline='')
    assert looks_like(path) == title


def test_others(tmp_path):
    assert looks_like(tmp_path / 'missing') is None
    assert looks_like(tmp_path) is None
    (tmp_path / 'a.zip').write_bytes(b'PK\x03\x04 and so on')
    assert looks_like(tmp_path / 'a.zip') == 'zip archive'
    (tmp_path / 'b').write_bytes(b'\x1f\x8b and so on')
    assert looks_like(tmp_path / 'b') == 'tar archive'
    (tmp_path / 'c.png').write_text('no image')
    assert looks_like(tmp_path / 'c.png') is None
    (tmp_path / 'd').write_bytes(bytes(range(256)))
    assert looks_like(tmp_path / 'd') is None


PNGS = {
    'DAVIS PNG folder': ('P', np.uint8),
    'MOTS PNG folder': (None, np.uint16),
    'BDD100K MOTS bitmasks': ('RGBA', np.uint8),
    None: ('RGB', np.uint8),
}


@pytest.mark.parametrize('title', PNGS)
def test_png_folders(tmp_path, title):
    mode, dtype = PNGS[title]
    pixels = np.zeros((4, 5), dtype)
    image = Image.fromarray(pixels)
    image = image if mode is None else image.convert(mode)
    path = tmp_path / 'Annotations' / 'ein video' / '00000.png'
    path.parent.mkdir(parents=True)
    image.save(path)
    (tmp_path / 'JPEGImages').mkdir()
    Image.fromarray(np.zeros((4, 5), np.uint8)).save(
        tmp_path / 'JPEGImages' / 'a.png'
    )
    (tmp_path / '.hidden').mkdir()
    for folder in (path.parent, path.parent.parent, tmp_path):
        expected = title
        if title is None and folder == tmp_path:
            expected = 'DAVIS PNG folder'  # nothing else is left
        assert looks_like(folder) == expected


def test_other_folders(tmp_path):
    def write(name, text):
        path = tmp_path / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(text)

    write('mot/MOT17-02/seqinfo.ini', '[Sequence]')
    write('mot/MOT17-02/gt/gt.txt', TEXTS['MOTChallenge text'][0])
    assert looks_like(tmp_path / 'mot') == 'MOTChallenge text'
    write('mot/MOT17-02/gt/gt.txt', TEXTS['MOTS text'][0])
    assert looks_like(tmp_path / 'mot' / 'MOT17-02') == 'MOTS text'
    (tmp_path / 'mot/MOT17-02/gt/gt.txt').unlink()
    assert looks_like(tmp_path / 'mot') == 'MOTChallenge text'
    # An empty table may be of either format: the next one tells.
    write('mots/a/seqinfo.ini', '[Sequence]')
    write('mots/a/gt/gt.txt', '')
    write('mots/b/gt/gt.txt', TEXTS['MOTS text'][0])
    assert looks_like(tmp_path / 'mots') == 'MOTS text'
    write('jobs/job 1.xml', TEXTS['CVAT XML'][0])
    assert looks_like(tmp_path / 'jobs') == 'CVAT XML'
    write('cvat/annotations.xml', TEXTS['CVAT XML'][0])
    assert looks_like(tmp_path / 'cvat') == 'CVAT XML'
    write('sly/meta.json', '{"classes": [], "tags": []}')
    assert looks_like(tmp_path / 'sly') == 'Supervisely video folder'
    write('lm/clip/0.json', json.dumps(JSONS['labelme'][1]))
    assert looks_like(tmp_path / 'lm') == 'LabelMe folder'


def test_readers_are_guessed(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(JSONS['youtube-vis'][1]))
    assert guess_reader(path) == 'youtube_vis'
    path.write_text(json.dumps(JSONS['coco'][1]))
    with pytest.raises(AnnotationError, match='COCO image json, which no'):
        guess_reader(path)
    path.write_text('?')
    with pytest.raises(AnnotationError, match="not recognised.*'youtube_vis'"):
        guess_reader(path)
    with pytest.raises(AnnotationError, match='does not exist'):
        guess_reader(tmp_path / 'missing')


def test_locate(tmp_path):
    title, content = JSONS['youtube-vis']
    inner = tmp_path / 'a' / 'b'
    inner.mkdir(parents=True)
    (inner / 'x.json').write_text(json.dumps(content))
    (inner / 'y.json').write_text(json.dumps(JSONS['coco'][1]))
    assert locate(tmp_path, title) == inner / 'x.json'
    assert locate(inner / 'y.json', title) == inner / 'y.json'
    assert locate(tmp_path, 'LabelMe folder') == tmp_path
    (tmp_path / 'second.json').write_text(json.dumps(content))
    assert locate(tmp_path, title) == tmp_path


@pytest.mark.parametrize(
    'files, inner',
    [
        (['my export/x.json', '__MACOSX/x', '.DS_Store'], 'my export'),
        (['MOT17-02/gt/gt.txt'], 'MOT17-02'),
        (['gt/gt.txt', 'gt/labels.txt'], ''),
        (['Annotations/a/0.png'], ''),
        (['a/x.json', 'b/x.json'], ''),
        (['x.json'], ''),
    ],
)
def test_unwrap(tmp_path, files, inner):
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch()
    assert unwrap(tmp_path) == tmp_path / inner


def test_json_keys():
    text = '{"a": [{"b\\"]": 1, "c": {"d": "e: {"}}], "f": "g", "h": [[{"i":'
    keys = {'a', 'a[].b\\"]', 'a[].c', 'a[].c.d', 'f', 'h', 'h[][].i'}
    assert json_keys(text) == keys
    assert json_keys(' [{"a": 1}, {"b": 2}]') == {'[].a', '[].b'}
    assert json_keys('text "a": 1') == set()
    assert json_keys('{}}]] {"a":1}') == set()
    assert loose_keys('5], "a" : {"b":1}, "c"') == {'a', 'b'}


def test_json_keys_agree_with_the_parser():
    def walk(value, path):
        if isinstance(value, dict):
            for key, inner in value.items():
                here = f'{path}.{key}' if path else key
                yield here
                yield from walk(inner, here)
        elif isinstance(value, list):
            for inner in value:
                yield from walk(inner, path + '[]')

    for _, content in JSONS.values():
        assert json_keys(json.dumps(content)) == set(walk(content, ''))


def test_deep_nesting_takes_no_memory(tmp_path):
    path = tmp_path / 'deep.json'
    path.write_text('[' * 200_000)
    tracemalloc.start()
    found = looks_like(path)
    peak = tracemalloc.get_traced_memory()[1]
    tracemalloc.stop()
    assert found is None
    assert peak < 100e6
    text = '{"a": ' * 4 + '[' * 50 + ']' * 50 + ', "b": 1}'
    assert json_keys(text) == {'a', 'a.a', 'a.a.a', 'a.a.a.a', 'a.a.a.b'}
