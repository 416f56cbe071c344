"""YouTube-VIS json: a dataset, or the results of a model on one."""

from collections import Counter
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Tuple, Union

from ...evaluation.functional.results_check import load_results
from ...structures.rle import RLE, from_any, tight_boxes
from ...structures.rle_check import read_many
from ...structures.video_annotations import (
    BoxTrack,
    VideoAnnotations,
    VideoInfo,
    parse_annotations,
)
from ...utils.errors import AnnotationError, ConfigError, ResultsError
from ...utils.fileio import load_json
from ..export_names import video_name
from .base import (
    ANNOTATION_READERS,
    AnnotationReader,
    ImportedTrack,
    ImportedVideo,
)
from .files import wrong_format
from .frame_folders import FrameFolders
from .sniffing import looks_like


@ANNOTATION_READERS.register_module(name='youtube_vis')
class YouTubeVISReader(AnnotationReader):
    """Reads YouTube-VIS 2019/2021/2022, OVIS, and what this package writes.

    A dataset is an object with ``videos``, ``categories`` and
    ``annotations`` (``bboxes`` in xywh, pixels, half-open: x + w is the
    column behind the last one). Results are a list of ``video_id``,
    ``category_id``, ``score`` and ``segmentations``; the tracks of a video
    are numbered from 1 by their place in the list, boxes are the tight ones
    of the masks, and every frame has the score of its track. Boxes of a set
    of pseudo masks are the annotated ones (``annotated_bboxes``), also where
    there is no mask.

    Frames are named in the file, so that ``first_frame`` has no meaning.

    Args:
        source (str | Path): Json of a dataset or of results.
        frames (FrameFolders, optional): Frames on disk.
        first_frame (int, optional): Must be None.
        ann_file (str | Path, optional): For results, the dataset that the
            model was run on, which knows the videos and classes.
        min_score (float): Of results to read. Defaults to 0: all.
    """

    title = 'YouTube-VIS json'

    def __init__(
        self,
        source: Union[str, Path],
        frames: Optional[FrameFolders] = None,
        first_frame: Optional[int] = None,
        ann_file: Optional[Union[str, Path]] = None,
        min_score: float = 0.0,
    ) -> None:
        super().__init__(source, frames, first_frame)
        if first_frame:
            raise ConfigError(
                f'first_frame={first_frame} but this format names frames, it '
                'does not number them',
                file=source,
                fix='leave it out (--first-frame)',
            )
        self.ann_file = ann_file
        self.min_score = min_score
        self._classes: Optional[Tuple[str, ...]] = None

    def videos(self) -> Iterator[ImportedVideo]:
        """Read the videos, see :meth:`AnnotationReader.videos`."""
        data, truth = self._read(self.ann_file or self.source)
        names = self._class_names(truth)
        self._classes = tuple(names.values())
        if self.ann_file is None:
            tracks = self._tracks(truth, data, names)
        else:
            tracks = self._results(truth, names)
        titles = _video_names(truth)
        for key, video in truth.videos.items():
            yield ImportedVideo(
                titles[key],
                tracks.pop(key),
                video.width,
                video.height,
                video.length,
                list(video.file_names),
                str(self.source),
            )

    def classes(self) -> Optional[Tuple[str, ...]]:
        """Tell the categories, by ascending id."""
        return self._classes

    # ------------------------------------------------------------ reading
    def _read(self, path: Union[str, Path]) -> Tuple[Any, VideoAnnotations]:
        """Read and check a dataset; name the format of other files."""
        try:
            data = load_json(path)
            if isinstance(data, list):
                raise AnnotationError(
                    'a list, as results are; it tells neither videos nor '
                    'classes',
                    file=path,
                    fix='name the annotations that the model was run on '
                    '(option ann_file: --option ann_file=FILE)',
                )
            # Boxes are checked and clipped when they are assembled.
            # Masks are read later, many at once.
            return data, parse_annotations(data, str(path), False, None)
        except AnnotationError as error:
            found = looks_like(path)
            if found in (None, self.title):
                raise
            raise wrong_format(path, self.title, error.problem) from None

    def _class_names(self, truth: VideoAnnotations) -> Dict[int, str]:
        names: Dict[int, str] = {}
        for entry in sorted(truth.categories, key=lambda c: c['id']):
            name = entry.get('name', str(entry['id']))
            if not isinstance(name, str) or name in names.values():
                raise AnnotationError(
                    f'category {entry["id"]} has the name {name!r}, which is '
                    'no text or that of another one',
                    file=truth.file,
                    fix='give every category a name of its own',
                )
            names[entry['id']] = name
        return names

    def _tracks(
        self, truth: VideoAnnotations, data: Any, names: Dict[int, str]
    ) -> Dict[int, List[ImportedTrack]]:
        raw = {entry['id']: entry for entry in data.get('annotations') or ()}
        videos = truth.videos
        return {
            key: [
                self._track(
                    track, raw[track.id], names[track.category_id], videos[key]
                )
                for track in tracks
            ]
            for key, tracks in truth.tracks.items()
        }

    def _track(
        self,
        track: BoxTrack,
        entry: Dict[str, Any],
        name: str,
        video: VideoInfo,
    ) -> ImportedTrack:
        marks = track.interpolated or ()
        return ImportedTrack(
            track.id,
            name,
            {t: box for t, box in enumerate(track.boxes) if box is not None},
            self._masks(entry, video),
            {t for t, mark in enumerate(marks) if mark},
            track.iscrowd,
            self._scores(track, entry),
            entry.get('annotated_bboxes') is not None,
        )

    def _masks(
        self, entry: Dict[str, Any], video: VideoInfo
    ) -> Dict[int, RLE]:
        height, width = video.height, video.width

        def read(frame: int, raw: Any) -> Optional[RLE]:
            try:
                return from_any(raw, height, width)
            except (ValueError, TypeError) as reason:
                raise AnnotationError(
                    f'bad segmentation: {reason}',
                    file=self.source,
                    video=video.id,
                    frame=frame,
                    instance=entry['id'],
                    fix='export the masks again at the size of the frames',
                ) from None

        raw = entry.get('segmentations') or ()
        return _present(read_many(raw, height, width, read))

    def _scores(
        self, track: BoxTrack, entry: Dict[str, Any]
    ) -> Dict[int, float]:
        values = entry.get('scores')
        if values is None:
            return {}
        good = isinstance(values, list) and len(values) == len(track.boxes)
        if not good or not all(
            value is None or type(value) in (int, float) for value in values
        ):
            raise AnnotationError(
                '"scores" are no list of a number or null for every frame',
                file=self.source,
                video=track.video_id,
                instance=track.id,
                fix='correct them or leave them out',
            )
        return {t: float(v) for t, v in enumerate(values) if v is not None}

    def _results(
        self, truth: VideoAnnotations, names: Dict[int, str]
    ) -> Dict[int, List[ImportedTrack]]:
        try:
            results = load_results(self.source, truth)
        except ResultsError as error:
            raise AnnotationError(
                error.problem,
                file=error.file,
                video=error.video,
                frame=error.frame,
                instance=error.instance,
                fix=error.fix,
            ) from None
        tracks: Dict[int, List[ImportedTrack]] = {k: [] for k in truth.videos}
        for entry in results:
            own = tracks[entry['video_id']]
            if entry['score'] >= self.min_score:
                name = names[int(entry['category_id'])]
                own.append(_found_track(len(own) + 1, name, entry))
        return tracks


def _present(masks: Any) -> Dict[int, RLE]:
    return {t: mask for t, mask in enumerate(masks) if mask is not None}


def _found_track(
    number: int, name: str, entry: Dict[str, Any]
) -> ImportedTrack:
    masks = _present(entry['segmentations'])
    boxes = tight_boxes(list(masks.values())).tolist()
    score = float(entry['score'])
    return ImportedTrack(
        number,
        name,
        {t: (box[0], box[1], box[2], box[3]) for t, box in zip(masks, boxes)},
        masks,
        scores=dict.fromkeys(masks, score),
    )


def _video_names(truth: VideoAnnotations) -> Dict[int, str]:
    """Name videos as exports do; add the id where names are shared."""
    names = {key: video_name(video) for key, video in truth.videos.items()}
    counts = Counter(names.values())
    return {
        key: name if counts[name] == 1 else f'{name}#{key}'
        for key, name in names.items()
    }
