"""What formats have in common that are one file, written at the end."""

import json
from abc import abstractmethod
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
    """A mask of at least one pixel.

    Attributes:
        frame (int): 0-based.
        rle (dict): Ready for json.
        box (tuple[int]): Tight, half-open xyxy, pixels.
        score (float): In this frame.
        area (int): Pixels.
        time (float, optional): Of the frame, seconds.
    """

    frame: int
    rle: Dict[str, Any]
    box: Tuple[int, ...]
    score: float
    area: int
    time: Optional[float] = None


class NumberedWriter(ResultWriter):
    """Gives tracks their numbers and remembers the video.

    The number of a track is its id plus ``id_offset``. It is the same in
    every format, and with the default offset never 0, which means
    'background' or 'no instance' to readers of PNG, MOTS and COCO files.

    Args:
        path (str | Path): File or folder to write.
        id_offset (int): Added to ids. Defaults to 1.
    """

    def __init__(self, path: Union[str, Path], id_offset: int = 1) -> None:
        super().__init__(path)
        self.id_offset = id_offset
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
    """Writes one file from the tracks; subclasses fill it."""

    def shown(self, track: VideoTrack) -> Iterator[ShownMask]:
        """Walk over the masks of a track that have a pixel.

        Raises:
            OutputError: If one is not of the size of the video.
        """
        boxes = tight_boxes(track.masks)
        rows = zip(track.frames, track.masks, boxes, track.frame_scores)
        for i, (frame, mask, box, score) in enumerate(rows):
            rle = self.plain_rle(mask, int(frame))
            pixels = area(rle)
            if pixels:
                corners = tuple(int(value) for value in box)
                time = None if track.times is None else float(track.times[i])
                yield ShownMask(
                    int(frame), rle, corners, float(score), pixels, time
                )

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


class CategoryWriter(TrackFileWriter):
    """Writes the ids of the categories of a dataset.

    Args:
        path (str | Path): File to write.
        category_ids (Sequence[int], optional): Category id of every label,
            such as ``category_ids`` of a dataset's meta information.
            Defaults to None: label + 1.
        id_offset (int): See :class:`NumberedWriter`. Defaults to 1.
    """

    def __init__(
        self,
        path: Union[str, Path],
        category_ids: Optional[Sequence[int]] = None,
        id_offset: int = 1,
    ) -> None:
        super().__init__(path, id_offset)
        self.category_ids = None if category_ids is None else [*category_ids]

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


def with_masks(tracks: Iterable[VideoTrack]) -> Iterator[VideoTrack]:
    """Leave out tracks without a single pixel."""
    for track in tracks:
        if any(area(mask) for mask in track.masks):
            yield track


def to_text(data: Any) -> str:
    """Write compact json."""
    return json.dumps(data, separators=(',', ':'))


def class_name(classes: Sequence[str], label: int) -> str:
    """Name a class; 'class N' where there is no name."""
    label = int(label)
    return classes[label] if 0 <= label < len(classes) else f'class {label}'


def to_xywh(bbox: Sequence[float]) -> List[float]:
    """Turn a half-open xyxy box into [x, y, width, height]."""
    x0, y0, x1, y1 = (float(v) for v in bbox)
    return [x0, y0, x1 - x0, y1 - y0]
