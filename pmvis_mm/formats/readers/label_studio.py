"""Label Studio's json of videos with boxes."""

import re
from pathlib import PurePosixPath
from typing import (
    TYPE_CHECKING,
    Any,
    Dict,
    Iterator,
    List,
    Optional,
    Tuple,
    Union,
)
from urllib.parse import parse_qs, unquote, urlsplit

from ...structures.frame_path import VIDEO_SUFFIXES
from ...utils.errors import AnnotationError
from .base import ANNOTATION_READERS, AnnotationReader, ImportedVideo
from .files import read_json, wrong_format
from .label_studio_regions import TaskReader

if TYPE_CHECKING:
    from .frame_folders import FrameFolders, VideoFrames

_UPLOADED = re.compile(r'[0-9a-f]{8}-(?=.)')


@ANNOTATION_READERS.register_module(name='label_studio')
class LabelStudioReader(AnnotationReader):
    """Reads Label Studio's export "JSON" of tasks with ``VideoRectangle``.

    A region lists keyframes only (frame numbers from 1, boxes in percent of
    the frame, turned clockwise around their upper left corner): without
    interpolation nothing but keyframes comes through. As in Label Studio's
    own player, between keyframes boxes move linearly; a keyframe with
    ``enabled: false`` is the last frame of a stretch, it has a box itself,
    and from the next frame on the object is out of view; after an enabled
    last keyframe the box stays up to the end of the video. That end is
    given as one more box, marked as interpolated, as are frames that Label
    Studio itself interpolated into the export (``auto``). Turned boxes
    become the upright boxes around them.

    The size of the video comes from the frames on disk, or from
    ``original_width`` and ``original_height`` of the region, or it is the
    one that :func:`assemble` is given; without either the boxes cannot be
    read. Label Studio numbers frames by the
    ``frameRate`` of its ``<Video>`` tag: if its count differs from the
    frames on disk by more than two, the file is refused.

    A task that nobody submitted (no annotation, or only cancelled ones) is
    left out. Of several annotations the ground truth is read, or else the
    one submitted last. The name of the video is that of its file, without
    the prefix that uploading adds.

    Args:
        source (str | Path): The json file.
        frames (FrameFolders, optional): See :class:`AnnotationReader`.
        first_frame (int, optional): Number of the first frame. Defaults to
            None: 1.
        annotator (int | str, optional): Id or e-mail of the annotator whose
            work is read; tasks without it are left out. Defaults to None:
            see above.
        video_key (str, optional): Name of the video in the data of a task.
            Defaults to None: the one whose value looks like a video file.
        hold_last (bool): Whether the last box stays to the end of the
            video. Defaults to True.
        skip_unsupported (bool): Leave out regions other than video
            rectangles instead of refusing them. Defaults to False.
    """

    title = 'Label Studio json'
    default_first_frame = 1

    def __init__(
        self,
        source: Any,
        frames: Optional['FrameFolders'] = None,
        first_frame: Optional[int] = None,
        annotator: Union[int, str, None] = None,
        video_key: Optional[str] = None,
        hold_last: bool = True,
        skip_unsupported: bool = False,
    ) -> None:
        super().__init__(source, frames, first_frame)
        self.annotator = annotator
        self.video_key = video_key
        self.hold_last = hold_last
        self.skip_unsupported = skip_unsupported

    def videos(self) -> Iterator[ImportedVideo]:
        """Read the videos, see :meth:`AnnotationReader.videos`."""
        seen: Dict[str, Any] = {}
        for number, task in enumerate(self._tasks()):
            label = task.get('id', f'number {number}')
            annotation = self._choose(task, label)
            if annotation is None:
                continue
            name, found = self._find(task, label)
            if name in seen:
                raise self._error(
                    f'tasks {seen[name]} and {label} are about one video',
                    name,
                    'export one of them only',
                )
            seen[name] = label
            reader = TaskReader(
                self.source,
                name,
                found,
                self.first_frame,
                self.hold_last,
                self.size,
            )
            yield reader.read(annotation['result'], self.skip_unsupported)
        if not seen:
            raise AnnotationError(
                'no task has an annotation that was submitted'
                + (
                    f' by {self.annotator!r}'
                    if self.annotator is not None
                    else ''
                ),
                file=self.source,
                fix='submit the annotations, or choose another annotator',
            )

    def _tasks(self) -> List[Dict[str, Any]]:
        data = read_json(self.source, self.title)
        tasks = data if isinstance(data, list) else [data]
        if not tasks or not all(isinstance(task, dict) for task in tasks):
            raise self._wrong('it is no list of tasks')
        for task in tasks:
            if 'annotations' in task or 'completions' in task:
                continue
            if any(map(_is_minimal, task.values())):
                raise AnnotationError(
                    'this is the export "JSON-MIN", which tells neither ids '
                    'of objects nor annotators',
                    file=self.source,
                    fix='export "JSON"',
                )
            raise self._wrong('a task has no "annotations"')
        return tasks

    def _wrong(self, reason: str) -> AnnotationError:
        return wrong_format(self.source, self.title, reason)

    def _choose(
        self, task: Dict[str, Any], label: Any
    ) -> Optional[Dict[str, Any]]:
        """Choose among the annotations of a task."""
        key = 'annotations' if 'annotations' in task else 'completions'
        annotations = task[key]
        if not isinstance(annotations, list) or not all(
            isinstance(a, dict) and isinstance(a.get('result'), list)
            for a in annotations
        ):
            raise self._wrong(f'the annotations of task {label} are no list')
        done = [a for a in annotations if not a.get('was_cancelled')]
        if self.annotator is not None:
            done = [a for a in done if self.annotator in _annotators(a)]
        if not done:
            return None
        order = {id(a): place for place, a in enumerate(done)}
        return max(
            done,
            key=lambda a: (
                bool(a.get('ground_truth')),
                str(a.get('updated_at') or a.get('created_at') or ''),
                order[id(a)],
            ),
        )

    def _find(
        self, task: Dict[str, Any], label: Any
    ) -> Tuple[str, Optional['VideoFrames']]:
        """Find the name of the video, and its frames if they are there."""
        names = _video_names(self._location(task, label))
        if not names:
            raise self._error(
                f'the video of task {label} has no name', None, 'correct it'
            )
        if self.frames is not None:
            for name in names:
                found = self.frames.find(name)
                if found is not None:
                    return name, found
        return names[-1], None

    def _location(self, task: Dict[str, Any], label: Any) -> str:
        data = task.get('data')
        values = data if isinstance(data, dict) else {}
        texts = {k: v for k, v in values.items() if isinstance(v, str)}
        if self.video_key is not None:
            chosen = [texts[k] for k in texts if k == self.video_key]
        else:
            chosen = [v for v in texts.values() if _names_video(v)]
            if not chosen and 'video' in texts:
                chosen = [texts['video']]
        if len(chosen) != 1:
            raise self._error(
                f'the data of task {label} name {len(chosen)} videos (it '
                f'has {sorted(values)})',
                None,
                'set video_key to the name that the labelling setup uses in '
                '<Video value="$...">',
            )
        return chosen[0]

    def _error(
        self, problem: str, video: Optional[str], fix: str
    ) -> AnnotationError:
        return AnnotationError(problem, file=self.source, video=video, fix=fix)


def _is_minimal(value: Any) -> bool:
    """Whether a value of a task lists video regions without ids."""
    return isinstance(value, list) and any(
        isinstance(entry, dict) and 'sequence' in entry for entry in value
    )


def _annotators(annotation: Dict[str, Any]) -> List[Any]:
    by = annotation.get('completed_by')
    if isinstance(by, dict):
        return [by.get('id'), by.get('email')]
    return [by]


def _names_video(location: str) -> bool:
    return _path_of(location).suffix.lower() in VIDEO_SUFFIXES


def _path_of(location: str) -> PurePosixPath:
    """Read the path of a URL, or of a file that is served locally."""
    parts = urlsplit(location)
    local = parse_qs(parts.query).get('d')
    path = local[0] if local else unquote(parts.path)
    return PurePosixPath(path.replace('\\', '/'))


def _video_names(location: str) -> List[str]:
    """List names that the video may have, the likeliest first or last.

    The first ones are looked for on disk: with ever fewer folders, then
    without the prefix of uploads. The last one is the name if nothing is
    found.
    """
    path = _path_of(location)
    folders = [part for part in path.parent.parts if part not in ('/', '..')]
    stem = path.stem
    if not stem:
        return []
    names = ['/'.join([*folders[i:], stem]) for i in range(len(folders) + 1)]
    plain = _UPLOADED.sub('', stem, count=1)
    if 'upload' in folders and plain != stem:
        names.append(plain)
    return names
