from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats.readers import (
    BDD100KBitmaskReader,
    BDD100KRLEReader,
    FrameFolders,
)
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.class_names import BDD100K_MOTS_CLASSES
from pmvis_mm.utils.errors import AnnotationError, FrameError

SIZE = (24, 32)  # height, width
VIDEO = 'b1c81faa-3df17267'
WRITTEN = Path(__file__).parents[2] / 'data/formats/bdd100k'


def pixel(category, number, truncated=0, occluded=0, crowd=0, ignored=0):
    """As the documentation of BDD100K has it."""
    return [
        category,
        (truncated << 3) + (occluded << 2) + (crowd << 1) + ignored,
        number >> 8,
        number & 255,
    ]


def save(root, frame, *regions, video=VIDEO):
    values = np.zeros((*SIZE, 4), np.uint8)
    for (x0, y0, x1, y1), value in regions:
        values[y0:y1, x0:x1] = value
    path = root / video / f'{video}-{frame:07d}.png'
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(values).save(path)
    return path


def only(source, **options):
    (video,) = BDD100KBitmaskReader(source, **options).videos()
    return video


def fill(*box):
    return box_rle(box, *SIZE)


def test_images_by_hand(tmp_path):
    first, second, third = (4, 2, 14, 12), (20, 3, 25, 9), (0, 20, 32, 24)
    save(
        tmp_path,
        1,
        (first, pixel(3, 1, truncated=1, occluded=1)),
        (second, pixel(8, 515)),
        (third, pixel(1, 7, crowd=1)),
    )
    save(tmp_path, 2, (first, pixel(3, 1)), (third, pixel(1, 7, ignored=1)))
    video = only(tmp_path)
    assert (video.name, video.height, video.width) == (VIDEO, 24, 32)
    assert video.file_names == [
        f'{VIDEO}/{VIDEO}-000000{n}.jpg' for n in (1, 2)
    ]
    found = {track.id: track for track in video.tracks}
    assert {key: (t.category, t.iscrowd) for key, t in found.items()} == {
        1: ('car', False),
        515: ('bicycle', False),
        7: ('pedestrian', True),
    }
    assert found[1].masks == {0: fill(*first), 1: fill(*first)}
    assert found[515].masks == {0: fill(*second)}
    assert found[515].boxes == {0: second}
    assert found[7].masks == {0: fill(*third), 1: fill(*third)}


def test_all_categories_and_the_background(tmp_path):
    regions = [((n, 0, n + 1, 5), pixel(n, n)) for n in range(1, 9)]
    # Some files mark the background as ignored.
    save(tmp_path, 1, ((0, 10, 32, 24), pixel(0, 1, crowd=1)), *regions)
    reader = BDD100KBitmaskReader(tmp_path)
    (video,) = reader.videos()
    names = 'pedestrian rider car truck bus train motorcycle bicycle'.split()
    assert [track.category for track in video.tracks] == names
    assert reader.classes() == BDD100K_MOTS_CLASSES == tuple(names)


def test_instance_that_is_ignored_for_a_while(tmp_path):
    box = (4, 2, 14, 12)
    for frame, ignored in enumerate((0, 1, 0), 1):
        save(tmp_path, frame, (box, pixel(3, 1, ignored=ignored)))
    found = {t.id: (t.iscrowd, sorted(t.masks)) for t in only(tmp_path).tracks}
    assert found == {1: (False, [0, 2]), '1 (ignored)': (True, [1])}


def test_splits_are_read_one_by_one(tmp_path):
    for split in ('train', 'val'):
        save(tmp_path / 'bitmasks' / split, 1, ((4, 2, 14, 12), pixel(3, 1)))
    with pytest.raises(AnnotationError, match='several sets.*train, val'):
        only(tmp_path / 'bitmasks')
    save(tmp_path / 'bitmasks/val', 1, video='a b ü')
    reader = BDD100KBitmaskReader(tmp_path / 'bitmasks/val')
    videos = list(reader.videos())
    assert [video.name for video in videos] == ['a b ü', VIDEO]
    assert videos[0].tracks == [] and videos[0].length == 1


def test_frames_on_disk(tmp_path):
    for n in range(1, 4):
        path = tmp_path / f'f/{VIDEO}/{VIDEO}-{n:07d}.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        Image.new('RGB', SIZE[::-1]).save(path)
    save(tmp_path / 'm', 3, ((4, 2, 14, 12), pixel(3, 1)))
    frames = FrameFolders(tmp_path / 'f')
    video = only(tmp_path / 'm', frames=frames)
    assert sorted(video.tracks[0].masks) == [2] and video.length == 3
    save(tmp_path / 'm', 4, ((4, 2, 14, 12), pixel(3, 1)))
    with pytest.raises(AnnotationError, match='label image of no frame'):
        only(tmp_path / 'm', frames=frames)


def test_two_objects_with_one_id_are_named(tmp_path):
    save(
        tmp_path,
        1,
        ((4, 2, 14, 12), pixel(3, 1)),
        ((14, 2, 20, 12), pixel(4, 1)),
    )
    with pytest.raises(AnnotationError, match='two objects with id 1') as err:
        only(tmp_path)
    found = err.value
    assert (found.video, found.frame, found.instance) == (VIDEO, 0, 1)


def test_unknown_category_is_named(tmp_path):
    save(tmp_path, 1, ((4, 2, 14, 12), pixel(9, 260)))
    with pytest.raises(AnnotationError, match='category 9 is not in 1') as err:
        only(tmp_path)
    assert err.value.instance == 260


def test_colormaps_are_refused(tmp_path):
    path = save(tmp_path, 1, ((4, 2, 14, 12), pixel(3, 1)))
    Image.new('RGB', SIZE[::-1]).save(path)
    with pytest.raises(FrameError, match='mode RGB, .*"colormaps"'):
        only(tmp_path)


def test_truncated_image_is_named(tmp_path):
    path = save(tmp_path, 1, ((4, 2, 14, 12), pixel(3, 1)))
    path.write_bytes(path.read_bytes()[:-25])
    with pytest.raises(FrameError, match=f'truncated.*video {VIDEO}, frame 0'):
        only(tmp_path)


def test_json_is_no_folder(tmp_path):
    (tmp_path / 'a.json').write_text('[]')
    with pytest.raises(AnnotationError, match='not BDD100K MOTS bitmasks'):
        only(tmp_path / 'a.json')


@pytest.mark.parametrize(
    ('reader', 'folder', 'crowd'),
    [
        (BDD100KBitmaskReader, 'bitmasks', True),
        (BDD100KRLEReader, 'rles', False),  # written without attributes
    ],
)
def test_what_the_toolkit_of_the_dataset_wrote(reader, folder, crowd):
    (video,) = reader(WRITTEN / folder).videos()
    assert (video.name, video.width, video.height) == (VIDEO, 40, 24)
    names = [f'{VIDEO}/{VIDEO}-{t:07d}.jpg' for t in (1, 2, 3)]
    assert video.file_names == names
    found = {track.category: track for track in video.tracks}
    assert list(found) == ['car', 'pedestrian', 'bicycle']
    assert [t.iscrowd for t in found.values()] == [False, crowd, False]
    for t in range(3):
        box = (4 + t, 2, 16 + t, 12)
        assert found['car'].masks[t] == box_rle(box, 24, 40)
        assert found['car'].boxes[t] == box
        person = found['pedestrian'].masks[t]
        assert person == box_rle((20, 3, 26, 20), 24, 40)
    assert list(found['bicycle'].masks) == [1]
    assert found['bicycle'].boxes[1] == (28, 4, 38, 20)
