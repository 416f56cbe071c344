"""Tracks for CVAT, to be corrected by people."""

import math
import re
import tempfile
from pathlib import Path
from typing import IO, Dict, Iterable, Iterator, List, Set, Tuple, Union
from xml.sax.saxutils import escape, quoteattr

import numpy as np

from ..structures.polygons import mask_polygons
from ..structures.rle import RLE
from ..structures.rle_crop import decode_tight
from ..structures.video_track import VideoTrack
from ..utils.errors import ConfigError
from .base import RESULT_WRITERS
from .track_file import ShownMask, TrackFileWriter, class_name

_SHAPES = ('polygon', 'mask', 'box')
# What XML 1.0 cannot hold in any spelling.
_FORBIDDEN = re.compile(
    '[\x00-\x08\x0b\x0c\x0e-\x1f\ud800-\udfff\ufffe\uffff]'
)
_UNSEEN_MASK = 'rle="0, 1" left="0" top="0" width="1" height="1"'

# A shape: its frame, its tag and its other attributes.
_Shape = Tuple[int, str, str]


@RESULT_WRITERS.register_module(name='cvat')
class CVATWriter(TrackFileWriter):
    """Writes 'CVAT for video 1.1', which CVAT loads into a task.

    The task must have the frames of the video and labels of the same names:
    CVAT takes nothing but tracks from the file. Every frame is a keyframe,
    ``outside`` where an instance is gone. Scores and crowds are not kept.

    - 'polygon': polygon tracks. Every piece of a mask is a track; those of
      one instance have one ``group_id``. Holes are cut in from the outline
      (keyholes), see :func:`~pmvis_mm.structures.polygons.mask_polygons`.
    - 'mask': exact. CVAT (2.x) has no tracks of masks: it takes the first
      mask of a track as a shape, without its group. So every mask is a track
      of one frame, as CVAT itself exports them, and masks of one instance
      have one ``group_id``, which our reader and others understand.
    - 'box': the boxes.

    Frames of which only the box is known are written as boxes in all three.
    The id of a track is the number of its instance; further tracks of an
    instance get ids above all numbers. ``join_groups`` of the reader 'cvat'
    makes one instance of them again.

    Format: https://docs.cvat.ai/docs/manual/advanced/xml_format

    Args:
        path (str | Path): File to write.
        shape (str): 'polygon', 'mask' or 'box'. Defaults to 'polygon'.
        tolerance (float): Of polygons: largest distance between their
            outline and that of the mask, pixels. Up to 0.5 no pixel changes
            sides, with four times as many corners. Defaults to 1.
        min_area (float): Of polygons: pieces and holes of fewer pixels are
            left out, but never the largest piece. Defaults to 0.
        id_offset (int): Added to ids of tracks. Defaults to 1.
        tight_boxes (bool): See :class:`TrackFileWriter`. Defaults to True.

    Raises:
        ConfigError: If ``shape`` is unknown, or a number is negative.
    """

    suffix = '.xml'
    needs_masks = False

    def __init__(
        self,
        path: Union[str, Path],
        shape: str = 'polygon',
        tolerance: float = 1.0,
        min_area: float = 0.0,
        id_offset: int = 1,
        tight_boxes: bool = True,
    ) -> None:
        super().__init__(path, id_offset, tight_boxes)
        if shape not in _SHAPES:
            raise ConfigError(
                f'shape={shape!r} is unknown', fix=f'choose from {_SHAPES}'
            )
        for key, value in (('tolerance', tolerance), ('min_area', min_area)):
            if not (math.isfinite(value) and value >= 0):
                raise ConfigError(
                    f'{key}={value!r} is no number from 0 on',
                    fix='give pixels, such as 1',
                )
        self.shape, self.tolerance, self.min_area = shape, tolerance, min_area
        if shape == 'box':
            self.remarks = ('masks are written as boxes',)
        elif shape == 'polygon':
            self.remarks = (
                'masks are polygons with a tolerance of '
                f'{tolerance:g} pixels; shape=mask keeps every pixel',
            )

    def _write(
        self, file: IO[str], tracks: Iterable[VideoTrack], length: int
    ) -> None:
        # Labels stand above the tracks, ids of further tracks above all
        # numbers: both are known at the end only.
        with _spool() as first, _spool() as further:
            labels: Set[int] = set(range(len(self.classes)))
            largest = 0
            for track in self.visible(tracks):
                rows = self._rows(track)
                if rows:
                    labels.add(int(track.labels[0]))
                    largest = max(largest, self.number(track.id))
                    self._write_track(track, rows, length, (first, further))
            file.write('<?xml version="1.0" encoding="utf-8"?>\n')
            file.write('<annotations>\n  <version>1.1</version>\n')
            file.writelines(self._meta(sorted(labels), length))
            for part in (first, further):
                part.seek(0)
            file.writelines(first)
            for line in further:
                if line.startswith('  <track '):
                    largest += 1
                    line = f'  <track id="{largest}"{line[8:]}'
                file.write(line)
            file.write('</annotations>\n')

    def _meta(self, labels: Iterable[int], length: int) -> Iterator[str]:
        video = self.video
        name = escape(_clean(video.name))
        yield '  <meta>\n    <task>\n      <id></id>\n'
        yield f'      <name>{name}</name>\n      <size>{length}</size>\n'
        yield '      <mode>interpolation</mode>\n      <overlap>0</overlap>\n'
        yield '      <bugtracker></bugtracker>\n'
        yield '      <subset>default</subset>\n'
        yield '      <start_frame>0</start_frame>\n'
        yield f'      <stop_frame>{max(length - 1, 0)}</stop_frame>\n'
        yield '      <frame_filter></frame_filter>\n      <labels>\n'
        for label in labels:
            text = escape(_clean(class_name(self.classes, label)))
            yield f'        <label>\n          <name>{text}</name>\n'
            yield '          <type>any</type>\n'
            yield '          <attributes></attributes>\n        </label>\n'
        yield '      </labels>\n      <original_size>\n'
        yield f'        <width>{video.width}</width>\n'
        yield f'        <height>{video.height}</height>\n'
        yield '      </original_size>\n    </task>\n'
        yield f'    <source>{name}</source>\n  </meta>\n'

    def _rows(self, track: VideoTrack) -> List[List[_Shape]]:
        """Collect the shapes of every track that an instance becomes."""
        rows: Dict[Tuple[str, int], List[_Shape]] = {}
        for mask in self.shown(track):
            for place, (tag, attributes) in enumerate(self._shapes(mask)):
                # Tracks in CVAT are of one kind; see above about masks.
                key = (tag, mask.frame if tag == 'mask' else place)
                row = rows.setdefault(key, [])
                row.append((mask.frame, tag, attributes))
        return list(rows.values())

    def _shapes(self, mask: ShownMask) -> Iterator[Tuple[str, str]]:
        if mask.rle is None or self.shape == 'box':
            keys = ('xtl', 'ytl', 'xbr', 'ybr')
            pairs = zip(keys, map(_short, mask.box))
            yield 'box', ' '.join(f'{key}="{text}"' for key, text in pairs)
        elif self.shape == 'mask':
            yield 'mask', _mask_attributes(mask.rle)
        else:
            for ring in mask_polygons(mask.rle, self.tolerance, self.min_area):
                points = (f'{_short(x)},{_short(y)}' for x, y in ring)
                yield 'polygon', f'points="{";".join(points)}"'

    def _write_track(
        self,
        track: VideoTrack,
        rows: List[List[_Shape]],
        length: int,
        files: Tuple[IO[str], IO[str]],
    ) -> None:
        number = self.number(track.id)
        label = class_name(self.classes, int(track.labels[0]))
        shared = f'label={quoteattr(_clean(label))} source="auto"'
        if len(rows) > 1:
            shared += f' group_id="{number}"'
        files[0].write(f'  <track id="{number}" {shared}>\n')
        files[0].writelines(_lines(rows[0], length))
        files[0].write('  </track>\n')
        for row in rows[1:]:
            files[1].write(f'  <track {shared}>\n')  # its id comes later
            files[1].writelines(_lines(row, length))
            files[1].write('  </track>\n')


def _spool() -> IO[str]:
    return tempfile.SpooledTemporaryFile(  # type: ignore[return-value]
        1 << 24, 'w+', encoding='utf-8', newline=''
    )


def _lines(row: List[_Shape], length: int) -> Iterator[str]:
    """Write the shapes of a track, and marks where it goes out of view."""
    frames = [frame for frame, _, _ in row]
    for (frame, tag, attributes), after in zip(row, [*frames[1:], length]):
        yield _line(frame, tag, attributes, 0)
        if after > frame + 1:
            gone = _UNSEEN_MASK if tag == 'mask' else attributes
            yield _line(frame + 1, tag, gone, 1)


def _line(frame: int, tag: str, attributes: str, outside: int) -> str:
    return (
        f'    <{tag} frame="{frame}" keyframe="1" outside="{outside}" '
        f'occluded="0" {attributes} z_order="0"></{tag}>\n'
    )


def _mask_attributes(rle: RLE) -> str:
    """Write runs along the rows of the tight box, background first."""
    tight = decode_tight(rle)
    if tight is None:  # shown() left those out
        raise ValueError('empty mask')
    left, top, mask = tight
    flat = mask.ravel()
    edges = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    runs = np.diff(edges, prepend=0, append=flat.size).tolist()
    text = ', '.join(map(str, [0, *runs] if flat[0] else runs))
    height, width = mask.shape
    return (
        f'rle="{text}" left="{left}" top="{top}" width="{width}" '
        f'height="{height}"'
    )


def _short(value: float) -> str:
    """Write a coordinate to 0.0001 pixels, without zeros at the end."""
    return f'{float(value):.4f}'.rstrip('0').rstrip('.')


def _clean(text: str) -> str:
    return _FORBIDDEN.sub('\ufffd', text)
