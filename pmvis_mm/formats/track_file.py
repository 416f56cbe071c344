"""What formats have in common that are one file, written at the end."""

import json
import math
from abc import abstractmethod
from collections import Counter
from dataclasses import dataclass
from pathlib import Path
from typing import (
    IO,
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
    Union,
)

from ..structures.rle import RLE, area, tight_boxes
from ..structures.video_track import StreamInfo, VideoTrack
from ..utils.errors import OutputError
from ..utils.fileio import atomic_write, disk_errors, ensure_writable
from .base import ResultWriter


class ShownMask(NamedTuple):
    """A mask of at least one pixel, or a box without a mask.

    Attributes:
        frame (int): 0-based.
        rle (dict, optional): Ready for json; None where there is only the
            box.
        box (tuple[float]): Half-open xyxy, pixels; integers if tight.
        score (float, optional): In this frame; None where unknown.
        area (int, optional): Pixels of the mask.
        time (float, optional): Of the frame, seconds.
    """

    frame: int
    rle: Optional[Dict[str, Any]]
    box: Tuple[float, ...]
    score: Optional[float]
    area: Optional[int]
    time: Optional[float] = None


@dataclass(frozen=True)
class VideoPart:
    """One video of a file that holds several.

    Attributes:
        info (StreamInfo): What is known of it.
        tracks (Iterable[VideoTrack]): By ascending id; made anew by each
            ``iter()``, so that only one video is held.
        length (int): Number of frames.
        id (int, optional): Of the video in its dataset.
    """

    info: StreamInfo
    tracks: Iterable[VideoTrack]
    length: int
    id: Optional[int] = None


class NumberedWriter(ResultWriter):
    """Gives tracks their numbers and remembers the video.

    The number of a track is its id plus ``id_offset``. It is the same in
    every format, and with the default offset never 0, which means
    'background' or 'no instance' to readers of PNG, MOTS and COCO files.

    Args:
        path (str | Path): File or folder to write.
        id_offset (int): Added to ids. Defaults to 1.

    Attributes:
        lost (Counter): What the format could not hold, by description;
            counted while writing.
        remarks (Sequence[str]): What else a reader of the file should know.
    """

    remarks: Sequence[str] = ()

    def __init__(self, path: Union[str, Path], id_offset: int = 1) -> None:
        super().__init__(path)
        self.id_offset = id_offset
        self.lost: Counter = Counter()
        self.classes: Tuple[str, ...] = ()
        self._video: Optional[StreamInfo] = None

    @property
    def video(self) -> StreamInfo:
        """The video that was begun."""
        if self._video is None:
            raise self.not_begun()
        return self._video

    def not_begun(self) -> OutputError:
        """Make the error about calls that come too early or too late."""
        return OutputError(
            'no video was begun', file=self.path, fix='call start() first'
        )

    def start(self, video: StreamInfo, classes: Sequence[str]) -> None:
        """Begin a video, see :meth:`ResultWriter.start`."""
        ensure_writable(self.path.parent)
        with disk_errors(self.path):  # such as of a name that is too long
            is_dir = self.path.is_dir()
        if not self.is_folder and is_dir:
            raise OutputError(
                'this is a folder', file=self.path, fix='name a file'
            )
        self._video, self.classes = video, tuple(classes)

    def number(self, track_id: int) -> int:
        """Tell the number of a track in files.

        Raises:
            OutputError: If it is not positive.
        """
        number = int(track_id) + self.id_offset
        if number < 1:
            raise OutputError(
                f'instance {track_id} would get the number {number}, and 0 '
                'is the background',
                file=self.path,
                video=self.video.name,
                fix=f'give a larger id_offset than {self.id_offset}',
            )
        return number

    def frame_names(self, length: int, suffix: str = '.jpg') -> List[str]:
        """Name the frames: as in the source, else by five digits.

        Args:
            length (int): Number of frames.
            suffix (str): Of names that the source does not tell. Defaults
                to '.jpg'.

        Returns:
            list[str]: Relative to the folder of all videos.
        """
        names = list(self.video.file_names or ())[:length]
        names += [
            f'{self.video.name}/{frame:05d}{suffix}'
            for frame in range(len(names), length)
        ]
        return names

    def plain_rle(self, rle: RLE, frame: int) -> Dict[str, Any]:
        """Check a mask and make it ready for json.

        Raises:
            OutputError: If it is not of the size of the video.
        """
        size = [self.video.height, self.video.width]
        if list(rle['size']) != size:
            raise OutputError(
                f'a mask is {list(rle["size"])} but the video is {size} '
                '(height, width)',
                file=self.path,
                video=self.video.name,
                frame=frame,
                fix='give masks at the size of the frames',
            )
        counts = rle['counts']
        if isinstance(counts, bytes):
            counts = counts.decode('ascii')
        return dict(size=size, counts=counts)


class TrackFileWriter(NumberedWriter):
    """Writes one file from the tracks; subclasses fill it.

    Args:
        path (str | Path): File to write.
        id_offset (int): Added to ids. Defaults to 1.
        tight_boxes (bool): Whether boxes are the tight ones around the
            masks; else those of the tracks, as an annotation file gave
            them. Defaults to True.

    Attributes:
        needs_masks (bool): Whether frames of which only the box is known
            are left out.
    """

    needs_masks: bool = True

    def __init__(
        self,
        path: Union[str, Path],
        id_offset: int = 1,
        tight_boxes: bool = True,
    ) -> None:
        super().__init__(path, id_offset)
        self.tight_boxes = tight_boxes

    def shown(self, track: VideoTrack) -> Iterator[ShownMask]:
        """Walk over the masks of a track that have a pixel.

        Boxes without a mask are among them, unless ``needs_masks``.

        Raises:
            OutputError: If a mask is not of the size of the video.
        """
        boxes = tight_boxes(track.masks)
        rows = zip(track.frames, track.masks, boxes, track.frame_scores)
        for i, (frame, mask, box, score) in enumerate(rows):
            rle = pixels = None
            corners: Tuple[float, ...] = tuple(int(value) for value in box)
            if mask is None:
                if self.needs_masks:
                    self.lost['boxes without a mask'] += 1
                    continue
            else:
                rle = self.plain_rle(mask, int(frame))
                pixels = area(rle)
                if not pixels:
                    continue
            if mask is None or not self.tight_boxes:
                corners = tuple(float(value) for value in track.bboxes[i])
            time = None if track.times is None else float(track.times[i])
            known = None if math.isnan(score) else float(score)
            yield ShownMask(int(frame), rle, corners, known, pixels, time)

    def visible(self, tracks: Iterable[VideoTrack]) -> Iterator[VideoTrack]:
        """Leave out tracks of which nothing would be written."""
        for track in tracks:
            if any(
                not self.needs_masks if mask is None else area(mask)
                for mask in track.masks
            ):
                yield track
                continue
            boxes = sum(mask is None for mask in track.masks)
            if boxes:
                self.lost['boxes without a mask'] += boxes
            kind = 'mask' if self.needs_masks else 'box'
            self.lost[f'tracks without a {kind}'] += 1

    def finish(self, tracks: Iterable[VideoTrack], length: int) -> Path:
        """Complete the file, see :meth:`ResultWriter.finish`."""
        with disk_errors(self.path), atomic_write(self.path) as file:
            self._write(file, tracks, length)
        return self.path

    @abstractmethod
    def _write(
        self, file: IO[str], tracks: Iterable[VideoTrack], length: int
    ) -> None:
        """Fill the open file."""


class VideosFileWriter(TrackFileWriter):
    """Writes a file that can hold several videos."""

    def write_videos(
        self, parts: Sequence[VideoPart], classes: Sequence[str]
    ) -> Path:
        """Write a file of several videos, one in memory at a time.

        Args:
            parts (Sequence[VideoPart]): The videos.
            classes (Sequence[str]): Name of every label.

        Returns:
            Path: What was written.

        Raises:
            OutputError: If it cannot be written.
        """
        if parts:
            self.start(parts[0].info, classes)
        self.classes = tuple(classes)
        with disk_errors(self.path), atomic_write(self.path) as file:
            self._write_videos(file, parts)
        return self.path

    def begin(self, part: VideoPart) -> VideoPart:
        """Turn to the next video."""
        self._video = part.info
        return part

    def _write(
        self, file: IO[str], tracks: Iterable[VideoTrack], length: int
    ) -> None:
        self._write_videos(file, [VideoPart(self.video, tracks, length)])

    @abstractmethod
    def _write_videos(self, file: IO[str], parts: Sequence[VideoPart]) -> None:
        """Fill the open file."""


class CategoryWriter(VideosFileWriter):
    """Writes the ids of the categories of a dataset.

    Args:
        path (str | Path): File to write.
        category_ids (Sequence[int], optional): Category id of every label,
            such as ``category_ids`` of a dataset's meta information.
            Defaults to None: label + 1.
        id_offset (int): See :class:`NumberedWriter`. Defaults to 1.
        tight_boxes (bool): See :class:`TrackFileWriter`. Defaults to True.
        with_masks (bool): Whether to write masks; if not, boxes only, and
            nothing that was derived from a mask but tight boxes. Defaults
            to True.
        category_entries (Sequence[dict], optional): Entry of ``categories``
            of every label, with ``id`` and ``name``; written as they are,
            and then they count, not ``category_ids``. Defaults to None.
    """

    def __init__(
        self,
        path: Union[str, Path],
        category_ids: Optional[Sequence[int]] = None,
        id_offset: int = 1,
        tight_boxes: bool = True,
        with_masks: bool = True,
        category_entries: Optional[Sequence[Dict[str, Any]]] = None,
    ) -> None:
        super().__init__(path, id_offset, tight_boxes)
        self.category_entries = category_entries
        if category_entries is not None:
            category_ids = [entry['id'] for entry in category_entries]
        self.category_ids = None if category_ids is None else [*category_ids]
        self.with_masks = self.needs_masks = with_masks

    def category_id(self, label: int) -> int:
        """Tell the category of a label.

        Raises:
            OutputError: If ``category_ids`` has none for it.
        """
        if self.category_ids is None:
            return int(label) + 1
        if not 0 <= label < len(self.category_ids):
            raise OutputError(
                f'no category id for label {label}; there are '
                f'{len(self.category_ids)}',
                file=self.path,
                video=self.video.name,
                fix='give category_ids with an entry for every class of the '
                'model',
            )
        return int(self.category_ids[label])

    def categories(self, labels: Iterable[int]) -> List[Dict[str, Any]]:
        """List all categories, those of unnamed ``labels`` too."""
        if self.category_entries is not None:
            return [dict(entry) for entry in self.category_entries]
        # At least one: readers refuse an empty list.
        known = range(max(len(self.classes), 1))
        return [
            dict(
                id=self.category_id(label),
                name=class_name(self.classes, label),
                supercategory='object',
            )
            for label in sorted({*known, *labels})
        ]


class ListWriter:
    """Writes a json list, entry by entry.

    Args:
        file (IO[str]): Open text file.
    """

    def __init__(self, file: IO[str]) -> None:
        self._file = file
        self._before = '['

    def add(self, entry: Any) -> None:
        """Append an entry."""
        self.add_text(to_text(entry))

    def add_text(self, entry: str) -> None:
        """Append an entry that is json already."""
        self._file.write(self._before + entry)
        self._before = ',\n'

    def close(self) -> None:
        """End the list."""
        self._file.write('[]' if self._before == '[' else ']')


def to_text(data: Any) -> str:
    """Write compact json."""
    return json.dumps(data, separators=(',', ':'))


def class_name(classes: Sequence[str], label: int) -> str:
    """Name a class; 'class N' where there is no name."""
    label = int(label)
    return classes[label] if 0 <= label < len(classes) else f'class {label}'
