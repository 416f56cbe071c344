"""Small videos as readers give them, and datasets made of these."""

import json
from pathlib import Path
from typing import Any, Dict, Iterable, Optional, Tuple

from PIL import Image

from ..formats.readers import ImportedTrack, ImportedVideo, assemble
from ..structures.video_annotations import Box, parse_annotations

IMPORTED_BOX: Box = (2.0, 3.0, 12.0, 8.0)


def imported_track(
    key: Any = 7,
    category: Optional[str] = 'cat',
    boxes: Optional[Dict[int, Any]] = None,
    **more: Any,
) -> ImportedTrack:
    """Make a track, with a box in frame 0 unless others are given."""
    return ImportedTrack(key, category, boxes or {0: IMPORTED_BOX}, **more)


def imported_video(
    name: str = 'clip', tracks: Iterable[ImportedTrack] = (), **known: Any
) -> ImportedVideo:
    """Make a video of four frames of 32x24 pixels, unless said otherwise."""
    facts: Dict[str, Any] = dict(width=32, height=24, length=4)
    facts.update(known)
    return ImportedVideo(name, list(tracks), file='boxes.txt', **facts)


def assembled(*videos: ImportedVideo, **options: Any) -> Dict[str, Any]:
    """Assemble; prove that it is json and that our loader takes it.

    Args:
        *videos (ImportedVideo): What a reader found.
        **options: Of :func:`~pmvis_mm.formats.readers.assemble`; names of
            frames are made up unless ``frames`` are given.

    Returns:
        dict: The dataset.
    """
    options.setdefault('invent_names', 'frames' not in options)
    content = assemble(videos, **options)
    assert json.loads(json.dumps(content)) == content
    parse_annotations(content, with_masks=True)
    return content


def assembled_track(track: ImportedTrack, **options: Any) -> Dict[str, Any]:
    """Assemble one video with one track; give its annotation."""
    content = assembled(imported_video(tracks=[track]), **options)
    (annotation,) = content['annotations']
    return annotation


def write_images(
    folder: Path, count: int = 4, size: Tuple[int, int] = (32, 24)
) -> None:
    """Write black frames 00000.jpg ... of width and height ``size``."""
    folder.mkdir(parents=True)
    for t in range(count):
        Image.new('RGB', size).save(folder / f'{t:05d}.jpg')
