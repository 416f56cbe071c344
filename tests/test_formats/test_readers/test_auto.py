"""Every format is recognised, from its folder or file and from a zip."""

import csv
import json
import zipfile
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats.readers import (
    ANNOTATION_READERS,
    import_annotations,
    looks_like,
)
from pmvis_mm.structures import parse_annotations
from pmvis_mm.structures.rle import encode
from pmvis_mm.testing.imported_videos import write_images

VIDEO = 'ein Clip'
MASK = np.zeros((24, 32), bool)
MASK[3:8, 2:12] = True
RLE = encode(MASK)
XYWH = [2, 3, 10, 5]
FRAMES = [f'{VIDEO}/{t:05d}.jpg' for t in range(4)]


def write(path, text):
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text, encoding='utf-8')
    return path


def write_png(path, pixels, palette=False):
    path.parent.mkdir(parents=True, exist_ok=True)
    image = Image.fromarray(pixels)
    if palette:
        image.putpalette([0, 0, 0, 128, 0, 0])
    image.save(path)


def youtube_vis(root):
    data = dict(
        videos=[dict(id=1, width=32, height=24, file_names=FRAMES)],
        categories=[dict(id=1, name='cat')],
        annotations=[
            dict(
                id=1,
                video_id=1,
                category_id=1,
                bboxes=[XYWH, None, None, None],
            )
        ],
    )
    return write(root / 'instances.json', json.dumps(data))


def coco_video(root):
    data = dict(
        videos=[dict(id=1, name=VIDEO)],
        images=[
            dict(
                id=t,
                video_id=1,
                frame_id=t,
                file_name=name,
                width=32,
                height=24,
            )
            for t, name in enumerate(FRAMES)
        ],
        annotations=[
            dict(
                id=1,
                image_id=0,
                video_id=1,
                category_id=1,
                instance_id=1,
                bbox=XYWH,
            )
        ],
        categories=[dict(id=1, name='cat')],
    )
    return write(root / 'coco.json', json.dumps(data))


def csv_table(root):
    path = root / f'{VIDEO}.csv'
    with open(path, 'w', newline='') as file:
        table = csv.writer(file)
        table.writerow(['frame', 'id', 'class', 'x', 'y', 'w', 'h'])
        table.writerow([0, 1, 'cat', *XYWH])
    return path


def mot(root):
    line = ','.join(map(str, [1, 1, *XYWH, 1, 1, 1]))
    write(root / VIDEO / 'gt' / 'gt.txt', line + '\n')
    return root


def mots(root):
    write(root / VIDEO / 'gt' / 'gt.txt', f'1 1001 1 24 32 {RLE["counts"]}\n')
    return root


def mots_png(root):
    pixels = np.where(MASK, 1001, 0).astype(np.uint16)
    for t in range(4):
        shown = pixels if t == 0 else pixels * 0
        write_png(root / 'instances' / VIDEO / f'{t:05d}.png', shown)
    return root


def davis(root):
    pixels = MASK.astype(np.uint8)
    for t in range(4):
        shown = pixels if t == 0 else pixels * 0
        path = root / 'Annotations' / VIDEO / f'{t:05d}.png'
        write_png(path, shown, palette=True)
    return root


def bitmasks(root):
    pixels = np.zeros((24, 32, 4), np.uint8)
    pixels[MASK] = (3, 0, 0, 1)
    for t in range(4):
        shown = pixels if t == 0 else pixels * 0
        write_png(root / VIDEO / f'{t:05d}.png', shown)
    return root


def scalabel(root, label):
    frames = [
        dict(
            name=name.split('/')[1],
            videoName=VIDEO,
            frameIndex=t,
            labels=[dict(id='1', category='car', **label)] if t == 0 else [],
        )
        for t, name in enumerate(FRAMES)
    ]
    write(root / f'{VIDEO}.json', json.dumps(frames))
    return root


def bdd100k_rles(root):
    return scalabel(root, dict(rle=RLE))


def bdd100k_boxes(root):
    return scalabel(root, dict(box2d=dict(x1=2, y1=3, x2=11, y2=7)))


def cvat(root):
    meta = (
        f'<meta><task><name>{VIDEO}</name><size>4</size><mode>interpolation'
        '</mode><start_frame>0</start_frame><stop_frame>3</stop_frame>'
        '<original_size><width>32</width><height>24</height></original_size>'
        '</task></meta>'
    )
    box = (
        '<box frame="{}" outside="{}" occluded="0" keyframe="1" xtl="2.00" '
        'ytl="3.00" xbr="12.00" ybr="8.00" z_order="0"></box>'
    )
    track = f'<track id="0" label="cat">{box.format(0, 0)}{box.format(1, 1)}'
    text = f'<annotations><version>1.1</version>{meta}{track}</track>'
    return write(root / 'annotations.xml', text + '</annotations>')


def labelme(root):
    for t in range(4):
        shape = dict(
            label='cat',
            points=[[2, 3], [12, 8]],
            group_id=1,
            shape_type='rectangle',
            flags={},
        )
        data = dict(
            version='5.4.1',
            flags={},
            shapes=[shape] if t == 0 else [],
            imagePath=f'{t:05d}.jpg',
            imageData=None,
            imageHeight=24,
            imageWidth=32,
        )
        write(root / VIDEO / f'{t:05d}.json', json.dumps(data))
    return root


def label_studio(root):
    box = dict(x=6.25, y=12.5, width=31.25, height=125 / 6, rotation=0)
    value = dict(
        sequence=[dict(box, frame=1, enabled=False, time=0.04)],
        framesCount=4,
        duration=0.16,
        labels=['cat'],
    )
    result = dict(
        id='abc',
        type='videorectangle',
        from_name='box',
        to_name='video',
        value=value,
    )
    task = dict(
        id=1,
        annotations=[dict(id=1, result=[result])],
        data=dict(video=f'/data/upload/1/{VIDEO}.mp4'),
    )
    return write(root / 'project-1.json', json.dumps([task]))


def supervisely(root):
    meta = dict(
        classes=[dict(title='cat', shape='rectangle', color='#FF0000')],
        tags=[],
        projectType='videos',
    )
    write(root / 'meta.json', json.dumps(meta))
    key = 'a' * 32
    figure = dict(
        key='b' * 32,
        objectKey=key,
        geometryType='rectangle',
        geometry=dict(points=dict(exterior=[[2, 3], [11, 7]], interior=[])),
    )
    data = dict(
        size=dict(height=24, width=32),
        framesCount=4,
        objects=[dict(key=key, classTitle='cat', tags=[])],
        frames=[dict(index=0, figures=[figure], tags=[])],
        tags=[],
    )
    path = root / 'ds0' / 'ann' / f'{VIDEO}.mp4.json'
    write(path, json.dumps(data))
    return root


def datumaro(root):
    library = pytest.importorskip('datumaro')
    box = library.Bbox(*XYWH, label=0, attributes=dict(track_id=1))
    items = [
        library.DatasetItem(
            name[:-4], annotations=[box] if t == 0 else [], attributes={}
        )
        for t, name in enumerate(FRAMES)
    ]
    dataset = library.Dataset.from_iterable(items, categories=['cat'])
    dataset.export(str(root), 'datumaro')
    return root


SOURCES = dict(
    bdd100k_bitmasks=bitmasks,
    bdd100k_boxes=bdd100k_boxes,
    bdd100k_rles=bdd100k_rles,
    coco_video=coco_video,
    csv=csv_table,
    cvat=cvat,
    datumaro=datumaro,
    davis=davis,
    label_studio=label_studio,
    labelme=labelme,
    mot=mot,
    mots=mots,
    mots_png=mots_png,
    supervisely=supervisely,
    youtube_vis=youtube_vis,
)


def test_every_reader_is_here():
    assert sorted(SOURCES) == sorted(ANNOTATION_READERS.module_dict)


@pytest.mark.parametrize('name', sorted(SOURCES))
def test_recognised_and_read(tmp_path, name):
    folder = tmp_path / 'mein Export'
    folder.mkdir()
    source = SOURCES[name](folder)
    assert looks_like(source) == ANNOTATION_READERS.get(name).title
    frames = tmp_path / 'Bilder'
    write_images(frames / VIDEO)
    packed = {
        inside: tmp_path / f'{inside or "x"}.zip' for inside in ('', 'a')
    }
    for inside, path in packed.items():
        with zipfile.ZipFile(path, 'w') as archive:
            for file in folder.rglob('*'):
                archive.write(file, Path(inside, file.relative_to(folder)))

    def read(path, format):
        content, _ = import_annotations(
            path, format, frames, default_class='cat'
        )
        return content

    expected = read(source, name)
    (video,) = expected['videos']
    assert video['file_names'] == FRAMES
    (track,) = expected['annotations']
    assert track['bboxes'][0] == pytest.approx(XYWH, abs=1e-3)
    assert track['bboxes'][1:] == [None] * 3
    parse_annotations(expected)
    assert read(source, 'auto') == expected
    for path in packed.values():
        assert read(path, 'auto') == expected
        assert read(path, name) == expected
