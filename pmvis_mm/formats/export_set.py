"""Writing masks or boxes of a whole dataset in any format."""

from collections import Counter
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Union,
)

from ..structures import PseudoMaskSet, VideoAnnotations
from ..structures.frame_reader import FrameReader
from ..structures.video_track import StreamInfo, VideoTrack
from ..utils.errors import ConfigError
from ..utils.fileio import atomic_folder, disk_errors
from .base import ResultWriter
from .export import write_part
from .export_checks import (
    check_out,
    choose_videos,
    with_masks_only,
    writer_arguments,
)
from .export_marker import write_marker
from .export_names import file_stems, make_unique, video_name
from .export_rules import ExportRule, check_options, find_rule
from .export_source import (
    ExportSource,
    from_annotations,
    from_mask_set,
)
from .sequence_files import add_sequence, write_seqmap
from .track_file import NumberedWriter, VideoPart, VideosFileWriter

Exportable = Union[PseudoMaskSet, VideoAnnotations, ExportSource]


@dataclass
class ExportReport:
    """What was written, and what was not.

    Attributes:
        path (Path): File, or folder of one file or folder for each video.
        files (dict[str, str]): Of each video by its name, relative to the
            folder; empty if one file holds all.
        counts (Counter): Videos, tracks, masks and boxes without a mask
            that were given to the format.
        lost (Counter): What it could not hold, by description.
        notes (list[str]): What else a reader should know.
    """

    path: Path
    files: Dict[str, str] = field(default_factory=dict)
    counts: Counter = field(default_factory=Counter)
    lost: Counter = field(default_factory=Counter)
    notes: List[str] = field(default_factory=list)

    def add(self, tracks: Sequence[VideoTrack]) -> None:
        """Count what one video has."""
        masks = sum(m is not None for t in tracks for m in t.masks)
        shown = sum(len(t.masks) for t in tracks)
        self.counts.update(
            videos=1, tracks=len(tracks), masks=masks, boxes=shown - masks
        )


def export_set(
    source: Exportable,
    format: str,
    out: Union[str, Path],
    *,
    videos: Optional[Sequence[Union[str, int]]] = None,
    score_thr: Optional[float] = None,
    options: Optional[Mapping[str, Any]] = None,
    tight_boxes: bool = False,
    img_prefix: Optional[Union[str, Path]] = None,
    fps: Optional[float] = None,
    overwrite: bool = False,
) -> ExportReport:
    """Write pseudo masks, annotations or results of many videos.

    One file holds all videos in 'json' (a YouTube-VIS dataset), 'results',
    'coco_video' and 'csv'; all other formats have one file or folder for
    each video in the folder ``out``. Files appear only when all is written.

    Categories keep names and ids where the format has them. Ids of tracks
    are kept where the format can hold all of them; otherwise tracks are
    numbered by ascending id, from 1 in each video, and a note says so. What
    a format cannot hold is counted, see :class:`ExportReport`.

    Args:
        source (PseudoMaskSet | VideoAnnotations | ExportSource): What to
            write; see :func:`load_source` for files.
        format (str): 'json', 'results', 'coco_video', 'csv', 'mots', 'mot',
            'png', 'cvat', 'mp4' or 'webm'.
        out (str | Path): File or folder to write.
        videos (Sequence[str | int], optional): Names or ids of the videos
            to write. Defaults to None: all.
        score_thr (float, optional): Tracks of a lower score are left out;
            an unknown score counts as 1. Defaults to None: none are.
        options (Mapping, optional): Arguments of the writer, such as
            ``shape`` of 'cvat', and ``layout`` of 'mot' and 'mots': 'files'
            or 'sequences' (with ``gt/gt.txt`` and ``seqinfo.ini``).
        tight_boxes (bool): Whether boxes are the tight ones around masks.
            Defaults to False: those of the source, if it has some.
        img_prefix (str | Path, optional): Folder of the frames, for videos.
        fps (float, optional): Frames per second. Defaults to None: unknown.
        overwrite (bool): Whether an older export is replaced. A folder is
            one if the list of its files in it ('.pmvis_export.json') names
            all that it holds. Defaults to False.

    Returns:
        ExportReport: Counts, losses and names of files.

    Raises:
        ConfigError: If format or options are unknown, or the format cannot
            hold boxes without masks.
        MaskSetError: If there is no such video, or none at all.
        FrameError: If frames are missing for a video.
        OutputError: If something is in the way or cannot be written.
    """
    job = _Job(
        _as_source(source),
        format,
        Path(out),
        find_rule(format),
        dict(options or {}),
        tight_boxes,
        img_prefix,
        fps,
    )
    job.prepare(videos, score_thr)
    check_out(job.out, job.rule, overwrite, job.source.name)
    if job.rule.one_file:
        job.write_file()
    else:
        job.write_folder()
    return job.report


def _as_source(source: Exportable) -> ExportSource:
    if isinstance(source, PseudoMaskSet):
        return from_mask_set(source)
    if isinstance(source, VideoAnnotations):
        return from_annotations(source)
    return source


@dataclass
class _Job:
    """One export; see the arguments of :func:`export_set`."""

    source: ExportSource
    format: str
    out: Path
    rule: ExportRule
    options: Dict[str, Any]
    tight_boxes: bool
    img_prefix: Optional[Union[str, Path]]
    fps: Optional[float]

    def prepare(
        self,
        chosen: Optional[Sequence[Union[str, int]]],
        score_thr: Optional[float],
    ) -> None:
        """Check everything that can be checked before anything is done."""
        self.report = ExportReport(self.out)
        self.arguments, self.layout = check_options(
            self.format, self.rule, self.options
        )
        if score_thr is not None:
            self.source = self.source.above(score_thr)
        self._choose_videos(chosen)
        self._adapt_boxes()
        if self.rule.writer_class.needs_images and self.img_prefix is None:
            raise ConfigError(
                f'format {self.format!r} paints on the frames',
                fix='name the folder of the frames (--img-prefix)',
            )
        self._choose_numbers()
        self.report.notes += [
            f'the format has no place for {what}'
            for what in self.rule.lacks
            if what != 'names of classes' or not self._listed_classes()
        ]

    def _listed_classes(self) -> List[str]:
        """Names that stand beside the tables of sequences."""
        plain = self.arguments.get('class_ids') is None
        listed = plain and self.layout.endswith('gt.txt')
        return self.source.classes if listed else []

    def _choose_videos(
        self, chosen: Optional[Sequence[Union[str, int]]]
    ) -> None:
        """Find and name the videos; note what looks strange."""
        names = {k: video_name(v) for k, v in self.source.videos.items()}
        self.ids = choose_videos(names, chosen, self.source)
        unique = make_unique([names[key] for key in self.ids])
        self.names = dict(zip(self.ids, unique))
        shared = sum(names[key] != name for key, name in self.names.items())
        if shared:
            self.report.notes.append(
                f'{shared} videos got a number after a name that others have'
            )
        strange = {*(self.arguments.get('class_ids') or ())}
        strange -= {*self.source.classes}
        if strange:
            self.report.notes.append(
                f'class_ids names {sorted(strange)}, no classes of this file'
            )

    def _adapt_boxes(self) -> None:
        """Write boxes only, or refuse to, if there are no masks."""
        if not self.rule.boxes and not self.source.has_masks:
            raise ConfigError(
                f'format {self.format!r} holds masks, but this file has '
                'boxes only',
                file=self.source.name,
                fix='label it first, or choose json, coco_video, csv, mot '
                'or cvat',
            )
        taken = writer_arguments(self.rule)
        if 'with_masks' in taken:
            self.arguments['with_masks'] = self.source.has_masks
        if 'tight_boxes' in taken:
            self.arguments['tight_boxes'] = self.tight_boxes
        if 'category_entries' in taken:
            self.arguments['category_entries'] = self.source.categories

    def _choose_numbers(self) -> None:
        """Keep ids, shift them, or number tracks anew."""
        self.offset, self.renumber = 0, False
        if self.rule.keeps_ids:
            return
        smallest, largest = 1, 0
        for key in self.ids:
            for track in self.source.read(key):
                if track.iscrowd and not self.rule.numbers_crowds:
                    continue
                smallest = min(smallest, track.id)
                largest = max(largest, track.id)
        limit = self.rule.max_id
        if self.options.get('id_style') == 'plain':
            limit = None
        if self.rule.one_file:
            self.offset = 1 - smallest
            if self.offset:
                self.report.notes.append(
                    f'ids of tracks are {self.offset} higher than in the '
                    'source: 0 and less stand for "no instance"'
                )
        elif smallest < 1 or (limit is not None and largest > limit):
            self.renumber = True
            self.report.notes.append(
                'tracks are numbered from 1 in each video, by ascending id: '
                f'ids {smallest} ... {largest} do not fit'
            )

    def part(self, key: int) -> VideoPart:
        """Show one video; tracks are read when they are asked for."""
        video = self.source.videos[key]
        info = StreamInfo(
            name=self.names[key],
            height=video.height,
            width=video.width,
            fps=self.fps,
            length=video.length,
            file_names=video.file_names,
        )
        return VideoPart(info, _Tracks(self, key), video.length, key)

    def tracks(self, key: int) -> List[VideoTrack]:
        """Read the tracks of a video, with their numbers."""
        tracks = self.source.read(key)
        if not self.renumber:
            return tracks
        return [replace(t, id=n) for n, t in enumerate(tracks, 1)]

    def build(self, path: Path) -> ResultWriter:
        """Make the writer of a file or folder."""
        writer = self.rule.writer_class(
            path,  # type: ignore[arg-type]
            id_offset=self.offset,  # type: ignore[call-arg]
            **self.arguments,
        )
        return writer

    # ------------------------------------------------------------ writing
    def write_file(self) -> None:
        """Write all videos into one file."""
        writer = self.build(self.out)
        assert isinstance(writer, VideosFileWriter)
        parts = [self.part(key) for key in self.ids]
        writer.write_videos(parts, self.source.classes)
        for key in self.ids:
            self.report.add(self.source.read(key))
        self.report.lost.update(writer.lost)

    def write_folder(self) -> None:
        """Write one file or folder for each video."""
        stems = file_stems([self.names[key] for key in self.ids])
        with atomic_folder(self.out) as folder:
            for key, stem in zip(self.ids, stems):
                self._write_video(key, stem, folder)
            if self.layout.endswith('gt.txt'):
                write_seqmap(folder, stems)
            write_marker(folder)
        changed = sum(
            name.split('/')[-1] != stem
            for name, stem in zip(self.names.values(), stems)
        )
        if changed:
            self.report.notes.append(
                f'{changed} videos have other names as files'
            )

    def _write_video(self, key: int, stem: str, folder: Path) -> None:
        place = self.layout.format(stem)
        path = folder / place
        with disk_errors(path):
            path.parent.mkdir(parents=True, exist_ok=True)
        writer = self.build(path)
        part = self.part(key)
        part = replace(part, tracks=list(part.tracks))
        assert isinstance(part.tracks, list)
        self.report.add(part.tracks)
        if not self.rule.boxes:
            part.tracks[:] = with_masks_only(part.tracks, self.report.lost)
        images: Iterable[Any] = ()
        if writer.needs_images:
            images = FrameReader(self.source.videos[key], str(self.img_prefix))
        write_part(part, self.source.classes, [writer], images)
        if self.layout.endswith('gt.txt'):
            first = getattr(writer, 'first_frame', 1)
            add_sequence(path, stem, part.info, first, self._listed_classes())
        self.report.files[self.names[key]] = place
        if isinstance(writer, NumberedWriter):
            self.report.lost.update(writer.lost)
            new = {*writer.remarks} - {*self.report.notes}
            self.report.notes += sorted(new)


@dataclass
class _Tracks:
    """The tracks of a video, read anew each time that one walks over."""

    job: _Job
    key: int

    def __iter__(self) -> Iterator[VideoTrack]:
        return iter(self.job.tracks(self.key))
