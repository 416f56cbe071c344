"""Reading tracks of CVAT."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Dict, Iterator, List, Optional, Set, Tuple, Union
from xml.etree.ElementTree import Element

from ...utils.errors import AnnotationError
from .base import ANNOTATION_READERS, AnnotationReader, ImportedVideo
from .cvat_groups import GroupKey, join_groups
from .cvat_meta import CVATMeta, CVATTask, read_meta
from .cvat_shapes import OTHER_SHAPES, SHAPES, flag, integer, read_shape
from .frame_folders import FrameFolders, VideoFrames
from .shapes import Size
from .sightings import frame_at
from .track_collector import TrackCollector, TrackId
from .xml_file import read_children


@ANNOTATION_READERS.register_module(name='cvat')
class CVATReader(AnnotationReader):
    """Reads 'CVAT for video 1.1', the export of a task, job or project.

    Coordinates of boxes, polygons and ellipses are continuous, from the
    upper left corner of the frame: half-open as they are. Of a turned box
    the upright box around it is read, which may stick out of the frame.
    Polygons, ellipses (by 72 corners) and masks give masks, and boxes that
    just hold them; rectangles give boxes only. Points, lines, cuboids and
    skeletons are left out, and counted.

    ``outside="1"`` means out of view from there on, ``keyframe="0"``
    interpolated by CVAT. Files with keyframes only want interpolation (the
    option of the import); CVAT itself exports all frames.

    Frames are numbered as in the source of the task: the video begins at its
    ``start_frame``, and ``frame_filter`` ("step=5") tells which frames it
    has. Where the frames on disk are those of the whole source, the names of
    the right ones are picked; else they must be just those of the task. A
    task is called as in CVAT, or where there are frames on disk, as these
    are: by the name of the task, of its source file, or of the file read.

    Format: https://docs.cvat.ai/docs/manual/advanced/xml_format

    Args:
        source (str | Path): An XML file, or a folder of them, such as an
            unpacked export (``annotations.xml``).
        frames (FrameFolders, optional): Frames on disk. Files of tasks made
            of images lack their size: masks need the frames then. Defaults
            to None.
        first_frame (int, optional): Number of the first frame. Defaults to
            None: as the file says, else 0.
        join_groups (bool): Whether tracks of one group and label are parts
            of one instance, as :class:`~pmvis_mm.formats.CVATWriter` writes
            masks of several pieces. Defaults to False: groups mean other
            things to many.
    """

    title = 'CVAT XML'

    def __init__(
        self,
        source: Union[str, Path],
        frames: Optional[FrameFolders] = None,
        first_frame: Optional[int] = None,
        join_groups: bool = False,
    ) -> None:
        super().__init__(source, frames, first_frame)
        self.join_groups = join_groups
        self._given_first = first_frame
        self._labels: List[str] = []
        self._names: Set[str] = set()

    def videos(self) -> Iterator[ImportedVideo]:
        """Read the tasks, see :meth:`AnnotationReader.videos`."""
        self._labels, self._names = [], set()
        for path in self._files():
            yield from self._read(path)

    def classes(self) -> Optional[Tuple[str, ...]]:
        """Tell the labels of the tasks, None if the files name none."""
        return tuple(self._labels) or None

    def _files(self) -> List[Path]:
        if not self.source.is_dir():
            return [self.source]
        found = sorted(self.source.rglob('*.xml'))
        if not found:
            raise AnnotationError(
                'no .xml file in this folder',
                file=self.source,
                fix='name the "annotations.xml" of an export from CVAT',
            )
        return found

    def _read(self, path: Path) -> Iterator[ImportedVideo]:
        opened: Optional[List[_Task]] = None
        for child in read_children(path, self.title, 'annotations'):
            if child.tag == 'image':
                raise AnnotationError(
                    'this is "CVAT for images 1.1", where objects have no '
                    'tracks',
                    file=path,
                    fix='export the task from CVAT as "CVAT for video 1.1"',
                )
            if child.tag == 'meta':
                opened = self._open(read_meta(child, path), path)
            elif child.tag == 'track':
                if opened is None:
                    opened = self._open(read_meta(None, path), path)
                task = _task_of(child, opened, path)
                task.read_track(child, self._given_first)
        if opened is None:
            opened = self._open(read_meta(None, path), path)
        for task in opened:
            yield task.close(self.join_groups)

    def _open(self, meta: CVATMeta, path: Path) -> List['_Task']:
        for label in meta.labels:
            if label not in self._labels:
                self._labels.append(label)
        single = len(meta.tasks) == 1
        return [self._open_task(task, path, single) for task in meta.tasks]

    def _open_task(self, task: CVATTask, path: Path, single: bool) -> '_Task':
        name, found = self._find_frames(task, single)
        unique, number = name or task.names[0], 1
        while unique in self._names:
            number += 1
            unique = f'{name or task.names[0]}_{number}'
        self._names.add(unique)
        size: Size = None
        if task.height is not None and task.width is not None:
            size = (task.height, task.width)
        elif found is not None:
            size = (found.height, found.width)
        names = None
        if found is not None:
            if self._given_first is None:
                names = _pick(found, task)
            if names is None and unique != name:
                names = list(found.file_names)
        tracks = TrackCollector(str(path), unique)
        return _Task(task, tracks, unique, size, names)

    def _find_frames(
        self, task: CVATTask, single: bool
    ) -> Tuple[str, Optional[VideoFrames]]:
        """Look for frames of any name that the task may have."""
        # Frames that lie in the root itself have no name.
        names = [*task.names, ''] if single else [*task.names]
        for name in names if self.frames is not None else []:
            found = self.frames.find(name) if self.frames else None
            if found is not None:
                return name, found
        return task.names[0], None


def _pick(found: VideoFrames, task: CVATTask) -> Optional[List[str]]:
    """Choose the frames of a task among those of its source."""
    if task.length is None or (task.start == 0 and task.step == 1):
        return None
    stop = task.start + (task.length - 1) * task.step
    names = list(found.file_names)
    if len(names) <= stop:
        return None
    return names[task.start : stop + 1 : task.step]


@dataclass
class _Task:
    """A video that is being read."""

    task: CVATTask
    tracks: TrackCollector
    name: str
    size: Size
    file_names: Optional[List[str]]
    groups: Dict[TrackId, GroupKey] = field(default_factory=dict)
    seen: Set[TrackId] = field(default_factory=set)

    def read_track(self, track: Element, first: Optional[int]) -> None:
        key = _track_id(track, len(self.seen))
        if key in self.seen:
            raise self.tracks.error(
                'two tracks have the same id',
                'give every track an id of its own',
                instance=key,
            )
        self.seen.add(key)
        if not len(track):
            self.tracks.dropped['tracks without a shape'] += 1
        label = track.get('label') or None
        group = track.get('group_id', '0').strip()
        if group not in ('', '0'):
            self.groups[key] = (group, label)
        for shape in track:
            if shape.tag in OTHER_SHAPES:
                self.tracks.dropped[f'shapes of type <{shape.tag}>'] += 1
            elif shape.tag in SHAPES:
                self._read_shape(key, label, shape, first)

    def _read_shape(
        self,
        key: TrackId,
        label: Optional[str],
        shape: Element,
        first: Optional[int],
    ) -> None:
        frame = None
        try:
            frame = self._frame(key, shape, first)
            if frame is None:
                return
            keyframe = flag(shape, 'keyframe', True)
            outside = flag(shape, 'outside', False)
            drawn = None if outside else read_shape(shape, self.size)
        except AnnotationError:
            raise
        except ValueError as reason:
            raise self.tracks.error(
                f'bad <{shape.tag}>: {reason}',
                'correct it in CVAT, and export again',
                frame,
                key,
            ) from None
        self.tracks.add(
            key,
            frame,
            None if drawn is None else drawn.box,
            label,
            None if drawn is None else drawn.mask,
            interpolated=not keyframe,
        )

    def _frame(
        self, key: TrackId, shape: Element, first: Optional[int]
    ) -> Optional[int]:
        """Tell our frame; None for an end mark beyond the last one."""
        number = integer(shape, 'frame')
        start = self.task.start if first is None else first
        step, length = self.task.step, self.task.length
        if (number - start) % step:
            raise ValueError(
                f'frame {number} is none of {start}, {start + step}, '
                f'{start + 2 * step}, ... which the task has'
            )
        span = None if length is None else length * step
        outside = flag(shape, 'outside', False)
        # CVAT may close a track one step after the last frame.
        if outside and span is not None and number - start >= span:
            return None
        where, file = f'track {key}', self.tracks.file
        offset = frame_at(number, start, span, where, file, self.name)
        return offset // step

    def close(self, joined: bool) -> ImportedVideo:
        tracks = self.tracks.tracks
        if joined:
            tracks = join_groups(tracks, self.groups, self.tracks.error)
        return ImportedVideo(
            self.name,
            tracks,
            width=None if self.size is None else self.size[1],
            height=None if self.size is None else self.size[0],
            length=self.task.length,
            file_names=self.file_names,
            file=str(self.tracks.file),
            dropped=self.tracks.dropped,
        )


def _track_id(track: Element, position: int) -> TrackId:
    text = track.get('id', '').strip()
    if not text:
        return position
    return int(text) if text.isdecimal() and len(text) < 19 else text


def _task_of(track: Element, tasks: List[_Task], path: Path) -> _Task:
    if len(tasks) == 1:
        return tasks[0]
    wanted = track.get('task_id')
    for task in tasks:
        if wanted is not None and task.task.id == wanted.strip():
            return task
    raise AnnotationError(
        f'track of task_id={wanted!r}, but the tasks are '
        f'{[task.task.id for task in tasks][:5]}',
        file=path,
        instance=track.get('id'),
        fix='export the project again from CVAT',
    )
