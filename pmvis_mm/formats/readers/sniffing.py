"""Recognising the formats of annotations."""

import os
import re
from pathlib import Path
from typing import List, Optional, Set, Union

from PIL import Image

from ...structures.frame_sources import natural_key
from ...utils.errors import AnnotationError
from .archives import archive_kind
from .base import ANNOTATION_READERS
from .json_keys import json_keys, loose_keys

PathLike = Union[str, Path]

_HEAD = 256 * 1024
_TAIL = 64 * 1024
_ENTRIES = 50  # of a folder that are looked at
_DEPTH = 3  # of folders

# Folders whose names belong to a format, not to a video or an export.
_LAYOUT = ('gt', 'det', 'ann', 'annotations', 'video', 'img1', 'images')

# Lines of text; numbers as all tools write them.
_NUMBER = r'[-+]?(?:\d+\.?\d*|\.\d+)(?:[eE][-+]?\d+)?|[-+]?(?:nan|inf)'
_MOT_LINE = re.compile(
    rf'\s*(?:{_NUMBER})(?:\s*[,\s]\s*(?:{_NUMBER})){{5,9}}\s*,?\s*',
    re.IGNORECASE,
)
_MOTS_LINE = re.compile(r'\d+ \d+ \d+ \d+ \d+ [0-o]+\s*')
_KITTI_LINE = re.compile(rf'\d+ -?\d+ [A-Za-z]\w*(?: (?:{_NUMBER})){{14,15}}')


def looks_like(path: PathLike) -> Optional[str]:
    """Tell which format a file or folder seems to have.

    Of files the beginning is read (256 KiB) and, of json, the end (64 KiB);
    of folders the first entries.

    Args:
        path (str | Path): File or folder; may not exist.

    Returns:
        str, optional: Title of the format, as its reader has it; also of
        some formats that no reader takes, such as 'COCO image json'. None
        if it looks like nothing known.
    """
    path = Path(path)
    try:
        if path.is_dir():
            return _folder_kind(path, _DEPTH)
        return _file_kind(path) if path.is_file() else None
    except OSError:
        return None


def guess_reader(path: PathLike) -> str:
    """Choose the reader of a file or folder.

    Args:
        path (str | Path): File or folder.

    Returns:
        str: Its name in ``ANNOTATION_READERS``.

    Raises:
        AnnotationError: If it does not exist or looks like nothing that can
            be read.
    """
    names = {
        reader.title: name
        for name, reader in ANNOTATION_READERS.module_dict.items()
    }
    title = looks_like(path)
    if title in names:
        return names[title]
    if not Path(path).exists():
        problem, fix = 'does not exist', 'check the path'
    else:
        problem = 'its format is not recognised'
        if title is not None:
            problem = f'it looks like {title}, which no reader takes'
        fix = f'name its format; known are {sorted(names.values())}'
    raise AnnotationError(problem, file=path, fix=fix)


def locate(path: PathLike, title: str) -> Path:
    """Find the file of annotations in a folder, such as an unpacked archive.

    Args:
        path (str | Path): File or folder.
        title (str): Of the reader.

    Returns:
        Path: The only file below the folder, at most three folders deep,
        that looks like this format, if that is one of single files;
        otherwise ``path``.
    """
    path = Path(path)
    if not title.endswith(('json', 'XML', 'csv')) or not path.is_dir():
        return path
    found = [
        file
        for depth in range(_DEPTH + 1)
        for file in path.glob('*/' * depth + '*.*')
        if file.suffix.lower() in ('.json', '.xml', '.csv')
        and not _ignored(file.relative_to(path))
        and looks_like(file) == title
    ]
    return found[0] if len(found) == 1 else path


def unwrap(path: PathLike) -> Path:
    """Step into the folder that archives often have around everything.

    Args:
        path (str | Path): Folder, such as an unpacked archive.

    Returns:
        Path: The only entry, if that is a folder with a name of its own;
        otherwise ``path``.
    """
    path = Path(path)
    entries = [e for e in path.iterdir() if not _ignored(Path(e.name))]
    if len(entries) != 1 or not entries[0].is_dir():
        return path
    return path if entries[0].name.lower() in _LAYOUT else entries[0]


def _ignored(path: Path) -> bool:
    """Hidden files, and what archives of macOS bring along."""
    return any(p.startswith('.') or p == '__MACOSX' for p in path.parts)


# ---------------------------------------------------------------- files
def _file_kind(path: Path) -> Optional[str]:
    packed = archive_kind(path)
    if packed is not None:
        return f'{packed} archive'
    if path.suffix.lower() == '.png':
        return _png_kind(path)
    with open(path, 'rb') as file:
        head = file.read(_HEAD)
        file.seek(max(len(head), path.stat().st_size - _TAIL))
        tail = file.read()
    if b'\0' in head:
        return None
    text = head.decode('utf-8-sig', 'ignore').lstrip()
    if text.startswith('<'):
        return _xml_kind(text)
    if text.startswith(('{', '[')):
        end = loose_keys(tail.decode('utf-8', 'ignore'))
        return _json_kind(json_keys(text), end)
    return _text_kind(text)


def _xml_kind(text: str) -> Optional[str]:
    tags = re.findall(r'<([A-Za-z_][\w.-]*)', text)
    if not tags:
        return None
    if tags[0] == 'annotation':
        return 'Pascal VOC XML'
    if tags[0] != 'annotations':
        return None
    # A video without tracks has neither; its task has a mode then.
    for tag in tags:
        if tag in ('track', 'image'):
            is_video = tag == 'track'
            return 'CVAT XML' if is_video else 'CVAT for images XML'
    if '<mode>annotation</mode>' in text:
        return 'CVAT for images XML'
    return 'CVAT XML' if 'meta' in tags or 'version' in tags else None


def _json_kind(keys: Set[str], end: Set[str]) -> Optional[str]:
    """Judge by the keys in the beginning, and those near the end."""
    listed = _list_kind(keys)
    if listed or any(key.startswith('[]') for key in keys):
        return listed
    if 'shapes' in keys and keys & {'imagePath', 'imageData', 'imageHeight'}:
        return 'LabelMe folder'
    if {'annotations[].result', 'data'} <= keys:
        return 'Label Studio json'
    if 'dm_format_version' in keys or _has(keys, end, 'items', 'categories'):
        return 'Datumaro'
    if 'framesCount' in keys or _has(keys, end, 'frames', 'objects'):
        return 'Supervisely video folder'
    if {'classes', 'tags'} <= keys and 'videos' not in keys | end:
        return 'Supervisely video folder'
    if {'frames', 'frames[].labels'} <= keys:
        return _bdd_kind(keys, 'frames[].')
    return _coco_kind(keys, end)


def _has(keys: Set[str], end: Set[str], *names: str) -> bool:
    return set(names) <= keys | end and bool(set(names) & keys)


def _list_kind(keys: Set[str]) -> Optional[str]:
    """Judge the entries of a file that is a list."""
    entry = {key[3:] for key in keys if key.startswith('[].')}
    if {'video_id', 'segmentations'} <= entry:
        return 'YouTube-VIS json'
    if entry & {'videoName', 'frameIndex'} and 'labels' in entry:
        return _bdd_kind(keys, '[].')
    if entry & {'annotations', 'completions'} and 'data' in entry:
        return 'Label Studio json'
    if 'video' in entry and entry & {'box', 'annotator', 'annotation_id'}:
        return 'Label Studio json'
    if {'image_id', 'category_id'} <= entry:
        return 'COCO results json'
    return None


def _bdd_kind(keys: Set[str], prefix: str) -> str:
    if f'{prefix}labels[].box2d' in keys and not any(
        key.startswith(f'{prefix}labels[].rle') for key in keys
    ):
        return 'BDD100K box tracking json'
    return 'BDD100K MOTS rles'


def _coco_kind(keys: Set[str], end: Set[str]) -> Optional[str]:
    per_video = {
        'videos[].file_names',
        'annotations[].bboxes',
        'annotations[].segmentations',
    }
    if keys & per_video:
        return 'YouTube-VIS json'
    about_videos = {
        'images[].video_id',
        'images[].frame_index',
        'annotations[].track_id',
        'annotations[].instance_id',
        'tracks',
    }
    has_images = 'images' in keys or any(k.startswith('images') for k in end)
    if keys & about_videos or (has_images and 'videos' in keys):
        return 'COCO-video json'
    if 'annotations' in keys and has_images:
        tracked = bool(end & {'track_id', 'frame_index'})
        return 'COCO-video json' if tracked else 'COCO image json'
    if {'videos', 'annotations'} & keys and 'file_names' in end:
        return 'YouTube-VIS json'
    return 'COCO image json' if {'images', 'categories'} <= keys else None


def _text_kind(text: str) -> Optional[str]:
    lines = [line for line in text.splitlines()[:5] if line.strip()]
    if not lines:
        return None
    if all(re.fullmatch(r'\s*[\d\s]+', line) for line in lines):
        return 'MOTChallenge text' if _MOT_LINE.fullmatch(lines[0]) else None
    for pattern, title in (
        (_MOTS_LINE, 'MOTS text'),
        (_KITTI_LINE, 'KITTI tracking text'),
        (_MOT_LINE, 'MOTChallenge text'),
    ):
        if pattern.fullmatch(lines[0]):
            return title
    # The first line of a table names its columns.
    cells = [cell.strip(' "\'') for cell in re.split('[,;\t]', lines[0])]
    named = all(re.fullmatch(r'[A-Za-z_][\w .-]*', cell) for cell in cells)
    return 'csv' if named and len(cells) >= 4 else None


def _png_kind(path: Path) -> Optional[str]:
    try:
        with Image.open(path) as image:
            mode, kind = image.mode, image.format
    except (OSError, SyntaxError, ValueError):
        return None
    if kind != 'PNG':
        return None
    if mode == 'RGBA':
        return 'BDD100K MOTS bitmasks'
    if mode.startswith('I'):
        return 'MOTS PNG folder'
    return 'DAVIS PNG folder' if mode in ('P', 'L', '1') else None


# -------------------------------------------------------------- folders
def _folder_kind(path: Path, depth: int) -> Optional[str]:
    """Judge a folder by its own files first, then by its folders."""
    if (path / 'annotations.xml').is_file():
        return _file_kind(path / 'annotations.xml')
    names = _entries(path)
    folders = [n for n in names if (path / n).is_dir()]
    files = [n for n in names if n not in folders]
    if 'meta.json' in files:
        kind = _file_kind(path / 'meta.json')
        if kind is not None:  # that of YouTube-VOS lies beside its images
            return kind
    if 'seqinfo.ini' in files:
        # MOTS has the same folders. An empty table tells nothing.
        truth = path / 'gt' / 'gt.txt'
        return _file_kind(truth) if truth.is_file() else 'MOTChallenge text'
    for suffix in ('.txt', '.json', '.xml', '.png', '.csv'):
        for name in [n for n in files if n.lower().endswith(suffix)][:3]:
            kind = _file_kind(path / name)
            if kind is not None:
                return kind
    for name in _likely_first(folders) if depth else []:
        kind = _folder_kind(path / name, depth - 1)
        if kind is not None:
            return kind
    return None


def _entries(path: Path) -> List[str]:
    names = [name for name in os.listdir(path) if not _ignored(Path(name))]
    return sorted(names, key=natural_key)[:_ENTRIES]


def _likely_first(folders: List[str]) -> List[str]:
    """Annotations before images, which may be PNG as well."""
    images = {'jpegimages', 'images', 'img1', 'frames', 'video', 'img'}
    return sorted(folders, key=lambda name: name.lower() in images)[:5]
