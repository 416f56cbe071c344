"""Public datasets, tiny and generated, laid out as their downloads.

Each has all categories of the real one, file names, numbering and keys as
there, and two videos to train on.
"""

from pathlib import Path
from typing import Any, Callable, Dict, List, Sequence, Tuple, Union

import numpy as np
from PIL import Image

from ..datasets.metainfo import DATASET_CLASSES
from ..formats.readers import import_annotations
from ..structures import rle
from ..utils.fileio import dump_json
from .tiny_coco import write_tiny_coco_clips
from .tiny_vis import write_tiny_vis
from .tiny_vos import write_labels, write_tiny_davis, write_tiny_youtube_vos

# Height and width of the frames.
SIZE = (48, 64)
# Ids of COCO that are not used.
COCO_GAPS = (12, 26, 29, 30, 45, 66, 68, 69, 71, 83)
_VIDEOS = ('003234408d', '0043f083b5')


def write_tiny_download(name: str, data: Union[str, Path]) -> Path:
    """Write a tiny copy of a public dataset.

    Args:
        name (str): A key of ``datasets.layouts.LAYOUTS``, or 'own'.
        data (str | Path): Stands for ``data/``: gets the folder that the
            shipped configs expect below it.

    Returns:
        Path: The root of the dataset.
    """
    folder = Path(data) / _FOLDERS[name]
    _WRITERS[name](folder)
    return folder


def _write_2019(root: Path) -> None:
    for split in ('train', 'valid'):
        _write_vis(root / split, root / f'{split}.json', 'youtube_vis_2019')


def _write_2021(root: Path) -> None:
    for split in ('train', 'valid'):
        file = root / split / 'instances.json'
        _write_vis(root / split, file, 'youtube_vis_2021')


def _write_vis(folder: Path, file: Path, version: str) -> None:
    """Write a split of YouTube-VIS: frames and, beside or above, its json."""
    content = write_tiny_vis(folder, num_frames=4, size=SIZE)
    (folder / 'instances.json').unlink()
    names = [f'{5 * t:05d}.jpg' for t in range(4)]
    _rename_frames(content, folder / 'JPEGImages', names)
    _as_official(content, version)
    if folder.name == 'valid':  # its masks are not public
        content['annotations'] = None
    dump_json(content, file)


def _write_ovis(root: Path) -> None:
    for split in ('train', 'valid'):
        made = root / 'made'
        content = write_tiny_vis(made, num_frames=4, size=SIZE)
        (made / 'JPEGImages').rename(root / split)
        (made / 'instances.json').unlink()
        made.rmdir()
        names = [f'img_{t:07d}.jpg' for t in range(1, 5)]
        _rename_frames(content, root / split, names)
        _as_official(content, 'ovis')
        for entry in content['annotations']:
            entry['occlusion'] = [
                None if box is None else 'no_occlusion'
                for box in entry['bboxes']
            ]
        if split == 'valid':
            content['annotations'] = None
        dump_json(content, root / f'annotations_{split}.json')


def _rename_frames(
    content: Dict[str, Any], images: Path, names: Sequence[str]
) -> None:
    """Give videos and frames names as the real ones, frames as JPEG."""
    for video, name in zip(content['videos'], _VIDEOS):
        (images / name).mkdir()
        for old, new in zip(video['file_names'], names):
            with Image.open(images / old) as image:
                image.save(images / name / new, quality=95)
            (images / old).unlink()
        (images / old).parent.rmdir()
        video['file_names'] = [f'{name}/{new}' for new in names]


def _as_official(content: Dict[str, Any], version: str) -> None:
    """Give ids, categories and keys as the official files have them."""
    content['info'] = dict(description=version, version='1.0')
    content['licenses'] = []
    content['categories'] = official_categories(version)
    for video in content['videos']:
        video['id'] += 1
        video.update(license=1, coco_url='', flickr_url='', date_captured='')
    for entry in content['annotations']:
        entry['id'] += 1
        entry['video_id'] += 1
        # Squares are of one class, bars of another.
        entry['category_id'] = 1 if entry['id'] % 2 else 4
        entry.update(
            height=SIZE[0],
            width=SIZE[1],
            length=len(entry['bboxes']),
            iscrowd=0,
            areas=[
                None if mask is None else rle.area(mask)
                for mask in entry['segmentations']
            ],
            segmentations=[
                None if mask is None else _runs(mask)
                for mask in entry['segmentations']
            ],
        )


def official_categories(version: str) -> List[Dict[str, Any]]:
    """List all categories of a dataset of videos, with its ids.

    Args:
        version (str): A key of ``DATASET_CLASSES``.

    Returns:
        list[dict]: ``id``, counted from 1, and ``name``.
    """
    return [
        dict(id=number, name=name)
        for number, name in enumerate(DATASET_CLASSES[version], 1)
    ]


def _runs(mask: rle.RLE) -> Dict[str, Any]:
    """Write a mask as the official files do: numbers, not a string."""
    pixels = rle.decode(mask).astype(np.uint8).ravel(order='F')
    changes = np.flatnonzero(np.diff(np.concatenate([[0], pixels]))).tolist()
    ends = [0, *changes, len(pixels)]
    counts = [end - start for start, end in zip(ends, ends[1:])]
    return dict(size=list(SIZE), counts=counts)


def write_coco_download(
    root: Path,
    names: Sequence[str] = ('person', 'dog'),
    size: Tuple[int, int] = SIZE,
    num_images: int = 3,
) -> None:
    """Write tiny COCO 2017.

    Args:
        root (Path): Gets ``train2017`` and
            ``annotations/instances_train2017.json``.
        names (Sequence[str]): Classes of the squares and of the triangles.
            Defaults to ('person', 'dog').
        size (tuple[int]): (height, width), pixels. Defaults to ``SIZE``.
        num_images (int): Images with annotations; one without comes after
            them. Defaults to 3.
    """
    content = write_tiny_coco_clips(root, num_images, size)
    (root / 'images').rename(root / 'train2017')
    (root / 'instances.json').unlink()
    ids = [i for i in range(1, 91) if i not in COCO_GAPS]
    categories = dict(zip(DATASET_CLASSES['coco'], ids))
    content['categories'] = [
        dict(id=number, name=name) for name, number in categories.items()
    ]
    for image in content['images']:
        old = root / 'train2017' / image['file_name']
        image['file_name'] = f'{image["id"]:012d}.jpg'
        with Image.open(old) as picture:
            picture.save(root / 'train2017' / image['file_name'], quality=95)
        old.unlink()
    for entry in content['annotations']:
        entry['id'] += 1
        name = names[0] if entry['category_id'] == 2 else names[1]
        entry['category_id'] = categories[name]
        entry['area'] = entry['bbox'][2] * entry['bbox'][3]
    dump_json(content, root / 'annotations/instances_train2017.json')


# ------------------------------------------------------------- BDD100K MOTS
def _write_bdd100k(root: Path) -> None:
    """Write frames, bitmasks, RLE and what the import makes of them."""
    for split, videos in (('train', _BDD_VIDEOS), ('val', _BDD_VIDEOS[:1])):
        for video in videos:
            _write_bdd_video(root, split, video)
        content, _ = import_annotations(
            root / 'labels/seg_track_20/bitmasks' / split,
            'bdd100k_bitmasks',
            root / 'images/seg_track_20' / split,
            with_masks=True,
        )
        dump_json(content, root / f'annotations/mots_{split}.json')


_BDD_VIDEOS = ('00a395fe-d60c0b47', '00d18b13-52d3e4c1')
_BDD_FRAMES = 4
# Number in the bitmasks, label, left upper corner in frame 0, width, height.
_BDD_OBJECTS = (
    (1, 'pedestrian', (10, 12), (6, 14)),
    (2, 'car', (30, 20), (16, 10)),
)


def _bdd_box(number: int, t: int) -> List[int]:
    _, _, (x, y), (width, height) = _BDD_OBJECTS[number]
    return [x + t, y, width, height]


def _write_bdd_video(root: Path, split: str, video: str) -> None:
    frames = []
    for t in range(_BDD_FRAMES):
        # Frames count from 1 in their names.
        stem = f'{video}-{t + 1:07d}'
        picture = np.full((*SIZE, 3), 90 + t, np.uint8)
        bitmask = np.zeros((*SIZE, 4), np.uint8)
        labels = []
        for index, (number, name, _, _) in enumerate(_BDD_OBJECTS):
            x, y, width, height = _bdd_box(index, t)
            where = (slice(y, y + height), slice(x, x + width))
            picture[where] = (220, 60 * index, 40)
            category = DATASET_CLASSES['bdd100k_mots'].index(name) + 1
            # R category, G attributes, B and A high and low byte of the id.
            bitmask[where] = (category, 0, number >> 8, number & 255)
            mask = rle.box_rle((x, y, x + width, y + height), *SIZE)
            labels.append(dict(id=str(number), category=name, rle=mask))
        images = root / 'images/seg_track_20' / split / video
        masks = root / 'labels/seg_track_20/bitmasks' / split / video
        for folder in (images, masks):
            folder.mkdir(parents=True, exist_ok=True)
        Image.fromarray(picture).save(images / f'{stem}.jpg', quality=95)
        Image.fromarray(bitmask).save(masks / f'{stem}.png')
        frames.append(
            dict(
                name=f'{stem}.jpg',
                videoName=video,
                frameIndex=t,
                labels=labels,
            )
        )
    file = root / 'labels/seg_track_20/rles' / split / f'{video}.json'
    dump_json(frames, file)


# --------------------------------------------------------- other datasets
def _write_youtube_vos(root: Path) -> None:
    """Write videos of which the first is in tiny YouTube-VIS, too."""
    for split in ('train', 'valid'):
        folder = root / split
        meta = write_tiny_youtube_vos(folder)
        names = dict(zip(meta['videos'], (_VIDEOS[0], 'ffe59ed1c1')))
        for old, new in names.items():
            for kind in ('JPEGImages', 'Annotations'):
                (folder / kind / old).rename(folder / kind / new)
        meta['videos'] = {names[k]: v for k, v in meta['videos'].items()}
        dump_json(meta, folder / 'meta.json')


def _write_davis(root: Path) -> None:
    write_tiny_davis(root)


def _write_static(root: Path) -> None:
    """Write pairs of an image and a mask, of four sets."""
    folders = [('VOCdevkit/VOC2012/JPEGImages', 'SegmentationObject', 1)]
    folders += [
        (f'{name}/images', 'masks', 255)
        for name in ('msra10k', 'ecssd', 'pascal_s')
    ]
    for images, masks, value in folders:
        (root / images).mkdir(parents=True, exist_ok=True)
        for number in range(2):
            picture = np.full((*SIZE, 3), 80, np.uint8)
            labels = np.zeros(SIZE, np.uint8)
            labels[10:30, 10 + 8 * number : 40] = value
            picture[labels > 0] = (200, 40, 40)
            Image.fromarray(picture).save(root / images / f'{number:04d}.jpg')
            path = (root / images).parent / masks / f'{number:04d}.png'
            if value == 1:
                write_labels(path, labels)
            else:
                path.parent.mkdir(parents=True, exist_ok=True)
                Image.fromarray(labels).save(path)


def _write_own(root: Path) -> None:
    """Write a set of one's own, as docs and configs name its files."""
    for split in ('train', 'val'):
        folder = root / split
        content = write_tiny_vis(folder, num_frames=4, size=SIZE)
        for entry in content['annotations']:
            del entry['segmentations']
        dump_json(content, folder / 'boxes.json')


_FOLDERS = dict(
    youtube_vis_2019='youtube_vis_2019',
    youtube_vis_2021='youtube_vis_2021',
    youtube_vis_2022='youtube_vis_2022',
    ovis='ovis',
    coco='coco',
    bdd100k_mots='bdd100k',
    youtube_vos='youtube_vos',
    davis='DAVIS',
    static_images='.',
    own='own',
)
_WRITERS: Dict[str, Callable[[Path], None]] = dict(
    youtube_vis_2019=_write_2019,
    youtube_vis_2021=_write_2021,
    youtube_vis_2022=_write_2021,  # the same classes and folders
    ovis=_write_ovis,
    coco=write_coco_download,
    bdd100k_mots=_write_bdd100k,
    youtube_vos=_write_youtube_vos,
    davis=_write_davis,
    static_images=_write_static,
    own=_write_own,
)
