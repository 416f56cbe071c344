import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats.readers import FrameFolders, MOTSPNGReader
from pmvis_mm.structures.rle import box_rle, encode
from pmvis_mm.utils.errors import AnnotationError, FrameError

SIZE = (24, 32)  # height, width


def save(path, labels):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(labels.astype(np.uint16)).save(path)
    return path


def paint(**values):
    labels = np.zeros(SIZE, np.uint16)
    for name, (x0, y0, x1, y1) in values.items():
        labels[y0:y1, x0:x1] = int(name[1:])
    return labels


def only(source, **options):
    (video,) = MOTSPNGReader(source, **options).videos()
    return video


def masks(video):
    return {track.id: track.masks for track in video.tracks}


def fill(*box):
    return box_rle(box, *SIZE)


def test_images_by_hand(tmp_path):
    folder = tmp_path / 'instances/0002'
    save(folder / '000001.png', paint(v2001=(4, 2, 14, 12)))
    save(
        folder / '000002.png',
        paint(
            v2001=(5, 2, 15, 12), v1001=(20, 3, 25, 9), v10000=(0, 20, 32, 24)
        ),
    )
    for source in (tmp_path, tmp_path / 'instances', folder):
        video = only(source)
        assert (video.name, video.height, video.width) == ('0002', 24, 32)
        assert video.length == 2 and video.file_names is None
        assert masks(video) == {
            2001: {0: fill(4, 2, 14, 12), 1: fill(5, 2, 15, 12)},
            1001: {1: fill(20, 3, 25, 9)},
            10000: {1: fill(0, 20, 32, 24)},
        }
        found = {t.id: (t.category, t.iscrowd) for t in video.tracks}
        assert found == {
            2001: ('pedestrian', False),
            1001: ('car', False),
            10000: (None, True),
        }


def test_frames_on_disk_by_name(tmp_path):
    for n in range(1, 4):
        path = tmp_path / f'f/0002/img1/{n:06d}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', SIZE[::-1]).save(path)
    frames = FrameFolders(tmp_path / 'f')
    save(tmp_path / 'm/0002/000003.png', paint(v2001=(4, 2, 14, 12)))
    video = only(tmp_path / 'm', frames=frames)
    assert sorted(video.tracks[0].boxes) == [2] and video.length == 3
    # KITTI begins with 000000, and there is no such frame here.
    save(tmp_path / 'm/0002/000000.png', paint(v2001=(4, 2, 14, 12)))
    with pytest.raises(AnnotationError, match='no image is called .000000.'):
        only(tmp_path / 'm', frames=frames)


def test_class_names(tmp_path):
    save(tmp_path / 'a/0.png', paint(v3001=(4, 2, 14, 12)))
    with pytest.raises(AnnotationError) as error:
        only(tmp_path)
    text = str(error.value)
    assert 'value 3001: class 3 has no name' in text
    assert 'video a, frame 0' in text and '"davis"' in text
    reader = MOTSPNGReader(tmp_path, class_names=['ant', 'bee', 'cat'])
    (video,) = reader.videos()
    assert video.tracks[0].category == 'cat'
    assert reader.classes() == ('ant', 'bee', 'cat')
    # Beside the images of all videos.
    (tmp_path / 'labels.txt').write_text('ant\nbee\nbig cat\n')
    reader = MOTSPNGReader(tmp_path)
    assert reader.classes() is None
    assert next(reader.videos()).tracks[0].category == 'big cat'
    assert reader.classes() == ('ant', 'bee', 'big cat')


def test_plain_numbers_are_no_mots(tmp_path):
    labels = paint(v1=(4, 2, 14, 12)).astype(np.uint8)
    (tmp_path / 'a').mkdir()
    Image.fromarray(labels).save(tmp_path / 'a/0.png')
    with pytest.raises(AnnotationError, match='value 1: class 0 has no name'):
        only(tmp_path)


def test_bad_images(tmp_path):
    path = save(tmp_path / 'ä b/0.png', paint(v2001=(4, 2, 14, 12)))
    path.write_bytes(path.read_bytes()[:-30])
    with pytest.raises(FrameError, match='truncated.*video ä b, frame 0'):
        only(tmp_path)
    Image.new('RGBA', SIZE).save(path)
    with pytest.raises(FrameError, match='mode RGBA'):
        only(tmp_path)
    (tmp_path / 'a.txt').write_text('1 2001 2 24 32 RLE0\n')
    with pytest.raises(AnnotationError, match='it looks like MOTS text'):
        only(tmp_path / 'a.txt')


def test_datumaro_writes_the_same(tmp_path):
    datumaro = pytest.importorskip('datumaro')
    from datumaro.components.annotation import Mask
    from datumaro.components.media import Image as Media

    owner = np.random.default_rng(0).integers(0, 4, (3, *SIZE))
    items = [
        datumaro.DatasetItem(
            id=f'{frame:06d}',
            subset='train',
            media=Media.from_numpy(np.zeros((*SIZE, 3), np.uint8)),
            annotations=[
                Mask(
                    owner[frame] == key,
                    label=key % 2,
                    attributes=dict(track_id=key),
                )
                for key in (1, 2, 3)
            ],
        )
        for frame in range(3)
    ]
    dataset = datumaro.Dataset.from_iterable(
        items, categories=['ant', 'big bee']
    )
    dataset.export(str(tmp_path), 'mots_png')
    reader = MOTSPNGReader(tmp_path / 'train')
    (video,) = reader.videos()
    assert video.name == 'train'
    ids = {1: 2001, 2: 1002, 3: 2003}
    assert masks(video) == {
        ids[key]: {t: encode(owner[t] == key) for t in range(3)}
        for key in (1, 2, 3)
    }
    names = {t.id: t.category for t in video.tracks}
    assert names == {2001: 'big bee', 1002: 'ant', 2003: 'big bee'}
    assert reader.classes() == ('ant', 'big bee')


def test_datumaro_reads_the_same(tmp_path):
    datumaro = pytest.importorskip('datumaro')
    rng = np.random.default_rng(1)
    folder = tmp_path / 'instances'
    for frame in range(3):
        labels = rng.choice([0, 1001, 2001, 2002, 3001], SIZE)
        save(folder / f'0002/{frame:06d}.png', labels)
    (folder / 'labels.txt').write_text('car\npedestrian\nignored\n')
    theirs = {
        (item.id.replace('\\', '/'), a.label, a.attributes['track_id']): a
        for item in datumaro.Dataset.import_from(str(tmp_path), 'mots')
        for a in item.annotations
    }
    ours = {}
    for track in only(tmp_path).tracks:
        kind, number = divmod(track.id, 1000)
        assert track.iscrowd == (kind == 3)
        for t, mask in track.masks.items():
            ours[f'0002/{t:06d}', kind - 1, number] = mask
    assert ours.keys() == theirs.keys() and len(ours) == 12
    for place, mask in ours.items():
        assert mask == encode(theirs[place].image)
