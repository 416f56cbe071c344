"""A dataset out of what a reader found."""

from dataclasses import dataclass
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Set,
    Tuple,
    Union,
)

from ...structures.video_annotations import VideoInfo
from ...utils.errors import AnnotationError, ConfigError
from .assemble_track import TrackAssembler, TrackOptions
from .base import AnnotationReader, ImportedTrack, ImportedVideo
from .frame_folders import FrameFolders
from .frame_resolver import FrameResolver
from .import_report import ImportReport

Json = Dict[str, Any]


def assemble(
    videos: Union[AnnotationReader, Iterable[ImportedVideo]],
    frames: Optional[FrameFolders] = None,
    *,
    with_masks: bool = False,
    interpolate: bool = False,
    max_gap: Optional[int] = None,
    classes: Optional[Sequence[str]] = None,
    class_map: Optional[Mapping[str, str]] = None,
    default_class: Optional[str] = None,
    drop_other_classes: bool = False,
    size: Optional[Tuple[int, int]] = None,
    clip_boxes: bool = False,
    invent_names: bool = False,
    report: Optional[ImportReport] = None,
) -> Json:
    """Make a YouTube-VIS dataset of what a reader found.

    Everything about frames, sizes, lengths, classes and ids that readers do
    not care for is settled or refused here, so that the result passes
    :meth:`~pmvis_mm.structures.VideoAnnotations.from_file`.

    Names of frames are those of the source, or those found in ``frames``
    under the name of the video (without suffix, or without the folders in
    front of it; a single video may also lie in ``frames`` itself or in the
    only folder there), or made up if asked for. Sizes are those of the
    source, of ``size``, of the first frame on disk, or of a mask; whatever
    is known of it must agree.

    Entries of ``videos`` have a ``name`` in addition. Entries of
    ``annotations`` have ``source_id`` (that of the track in the source),
    ``interpolated`` (1 for frames whose box was interpolated; only if there
    are such) and ``scores`` (per frame, or null; only if the source has
    them). Ids count from 1, in the order of the source. Boxes are rounded to
    4 digits; those that stick out by up to 2 pixels are clipped.

    Args:
        videos (AnnotationReader | Iterable[ImportedVideo]): What to take.
        frames (FrameFolders, optional): Frames on disk. Defaults to None:
            those of the reader.
        with_masks (bool): Whether to keep masks, as ``segmentations`` and
            ``areas``. Otherwise the result has no trace of them. Defaults to
            False.
        interpolate (bool): Whether to fill gaps between boxes, see
            :func:`interpolate_boxes`. Defaults to False: null.
        max_gap (int, optional): Longest gap to fill, frames. Defaults to
            None: no limit.
        classes (Sequence[str], optional): Names of the classes, in the order
            of their ids. Defaults to None: those that the source declares,
            then others in alphabetical order.
        class_map (Mapping[str, str], optional): New names of classes; comes
            before ``classes``.
        default_class (str, optional): For tracks without a class. Defaults
            to None: an error; regions that are not judged (``iscrowd``) are
            left out.
        drop_other_classes (bool): Leave out tracks of classes that are not
            among ``classes`` instead of refusing them. Defaults to False.
        size (tuple[int], optional): Width and height of the frames, pixels.
        clip_boxes (bool): Clip boxes that stick out of the frame further,
            and leave out those wholly outside. Defaults to False: an error.
        invent_names (bool): Make up names '<video>/00000.jpg' where they
            are not known. Defaults to False: an error.
        report (ImportReport, optional): Filled with counts.

    Returns:
        dict: ``videos``, ``categories`` and ``annotations``, ready for json.

    Raises:
        AnnotationError: If something contradicts itself, is missing or
            outside; names video, frame, track and the fix.
        FrameError: If frames are missing or differ from the annotations.
        ConfigError: If options contradict.
    """
    _check_options(interpolate, max_gap, classes, drop_other_classes, size)
    report = ImportReport() if report is None else report
    reader: Optional[AnnotationReader] = None
    if isinstance(videos, AnnotationReader):
        reader, videos = videos, videos.videos()
        frames = reader.frames if frames is None else frames
        reader.size = size
    resolver = FrameResolver(frames, size, invent_names, report)
    table = _ClassTable(classes, class_map, default_class, drop_other_classes)
    options = TrackOptions(with_masks, interpolate, max_gap, clip_boxes)
    parts = _Parts([], [], [], set())
    for video, alone in _tell_last(videos):
        _check_new(video, parts.names)
        info = resolver.resolve(video, len(parts.videos) + 1, alone)
        parts.videos.append(dict(info.to_json(), name=video.name))
        _add_tracks(parts, video, info, table, options, report)
        for reason, number in video.dropped.items():
            report.drop(reason, number)
    declared = reader.classes() if reader is not None else None
    file = None if reader is None else str(reader.source)
    return _finish(parts, table, declared, report, file)


@dataclass
class _Parts:
    """The dataset so far; class names stand beside their annotations."""

    videos: List[Json]
    annotations: List[Json]
    labels: List[str]
    names: Set[str]


def _check_options(
    interpolate: bool,
    max_gap: Optional[int],
    classes: Optional[Sequence[str]],
    drop_other_classes: bool,
    size: Optional[Tuple[int, int]],
) -> None:
    if max_gap is not None and (max_gap < 1 or not interpolate):
        raise ConfigError(
            f'max_gap={max_gap} with interpolate={interpolate}',
            fix='give a number of frames from 1, and ask for interpolation '
            '(--interpolate)',
        )
    if drop_other_classes and not classes:
        raise ConfigError(
            'classes other than which are to be dropped?',
            fix='name the classes to keep (--classes)',
        )
    if classes is not None and (
        not classes or len(set(classes)) != len(classes)
    ):
        raise ConfigError(
            f'classes={list(classes)}', fix='name every class once'
        )
    if size is not None and min(size) < 1:
        raise ConfigError(
            f'size={size[0]}x{size[1]}', fix='give width and height in pixels'
        )


def _tell_last(
    videos: Iterable[ImportedVideo],
) -> Iterator[Tuple[ImportedVideo, bool]]:
    """Tell with every video whether it is the only one."""
    iterator = iter(videos)
    first = next(iterator, None)
    second = next(iterator, None)
    if first is not None:
        yield first, second is None
    if second is not None:
        yield second, False
    del first, second
    for video in iterator:
        yield video, False


def _check_new(video: ImportedVideo, names: Set[str]) -> None:
    if video.name in names:
        raise AnnotationError(
            'two videos have the same name',
            file=video.file,
            video=video.name,
            fix='rename one of them, or import them one by one',
        )
    names.add(video.name)


def _add_tracks(
    parts: _Parts,
    video: ImportedVideo,
    info: VideoInfo,
    table: '_ClassTable',
    options: TrackOptions,
    report: ImportReport,
) -> None:
    seen: Set[Union[int, str]] = set()
    for track in video.tracks:
        if track.id in seen:
            raise AnnotationError(
                'two tracks have the same id',
                file=video.file,
                video=video.name,
                instance=track.id,
                fix='give every track of a video an id of its own',
            )
        seen.add(track.id)
        label = table.label_of(track, video)
        if label is None:
            report.drop(
                'tracks of other classes'
                if track.category or table.default_class
                else 'regions without a class that are not judged'
            )
            continue
        body = TrackAssembler(track, video, info, options, report).build()
        if body is None:
            report.drop('tracks without a box')
            continue
        head = dict(id=len(parts.annotations) + 1, video_id=info.id)
        # The category is filled in when all are known.
        parts.annotations.append(dict(head, category_id=None, **body))
        parts.labels.append(label)


def _finish(
    parts: _Parts,
    table: '_ClassTable',
    declared: Optional[Sequence[str]],
    report: ImportReport,
    file: Optional[str],
) -> Json:
    if not parts.videos:
        raise AnnotationError(
            'there is no video in it',
            file=file,
            fix='check the path, and that the export is complete',
        )
    names = table.names(declared, parts.labels)
    if not names:
        raise AnnotationError(
            'no track with a box and no class in it',
            file=file,
            fix='check the export; to keep videos without tracks, name the '
            'classes (--classes)',
        )
    ids = {name: number for number, name in enumerate(names, 1)}
    report.categories = dict.fromkeys(names, 0)
    for annotation, label in zip(parts.annotations, parts.labels):
        annotation['category_id'] = ids[label]
        report.categories[label] += 1
    report.unused_names = table.unused()
    report.videos = len(parts.videos)
    report.frames = sum(video['length'] for video in parts.videos)
    report.tracks = len(parts.annotations)
    categories = [dict(id=number, name=name) for name, number in ids.items()]
    return dict(
        videos=parts.videos,
        categories=categories,
        annotations=parts.annotations,
    )


class _ClassTable:
    """Decides what the class of a track is called, and the order of all."""

    def __init__(
        self,
        classes: Optional[Sequence[str]],
        class_map: Optional[Mapping[str, str]],
        default_class: Optional[str],
        drop_other: bool,
    ) -> None:
        self.classes = None if classes is None else list(classes)
        self.class_map = dict(class_map or {})
        self.default_class = default_class
        self.drop_other = drop_other
        self._unused = set(self.class_map)

    def label_of(
        self, track: ImportedTrack, video: ImportedVideo
    ) -> Optional[str]:
        """Name the class of a track; None if it is to be dropped."""
        name = track.category or self.default_class
        where: Json = dict(
            file=video.file, video=video.name, instance=track.id
        )
        if not name and track.iscrowd:
            return None  # no class is the right one for it
        if not name:
            raise AnnotationError(
                'this track has no class',
                fix='name the class of all such tracks (--default-class)',
                **where,
            )
        name = self._renamed(name)
        if self.classes is None or name in self.classes:
            return name
        if self.drop_other:
            return None
        raise AnnotationError(
            f'class {name!r} is not among {self.classes}',
            fix='add it (--classes), give it another name (--map '
            f"'{name}=OTHER') or leave such tracks out "
            '(--drop-other-classes)',
            **where,
        )

    def names(
        self, declared: Optional[Sequence[str]], labels: Sequence[str]
    ) -> List[str]:
        """List all classes in the order of their ids."""
        known = [self._renamed(name) for name in declared or ()]
        if self.classes is not None:
            return self.classes
        return list(dict.fromkeys([*known, *sorted(set(labels))]))

    def unused(self) -> List[str]:
        """List the old names that did not occur."""
        return sorted(self._unused)

    def _renamed(self, name: str) -> str:
        self._unused.discard(name)
        return self.class_map.get(name, name)
