"""Pseudo masks of a whole dataset, with their source and score."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    Any,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
    Union,
)

from ..utils.errors import AnnotationError, MaskSetError
from ..utils.fileio import dump_json, load_json
from .mask_track import MaskTrack, read_mask_track
from .video_annotations import (
    VideoAnnotations,
    VideoInfo,
    parse_annotations,
)


@dataclass
class PseudoMaskSet:
    """One mask or nothing for every instance and frame of a dataset.

    On disk it is a YouTube-VIS json that any VIS loader reads, with
    ``sources`` and ``scores`` beside the ``segmentations``.

    Attributes:
        videos (dict[int, VideoInfo]): By id, in the order of the file.
        categories (list[dict]): As in the annotation file.
        tracks (dict[int, list[MaskTrack]]): By video id; every video has an
            entry, tracks are in the order of the annotations.
        name (str): Names the set in messages, usually its file.
    """

    videos: Dict[int, VideoInfo]
    categories: List[Dict[str, Any]]
    tracks: Dict[int, List[MaskTrack]] = field(default_factory=dict)
    name: str = 'pseudo masks'

    @classmethod
    def empty_like(
        cls,
        annotations: Union[VideoAnnotations, 'PseudoMaskSet'],
        name: str = 'pseudo masks',
    ) -> 'PseudoMaskSet':
        """Start a set without tracks for the videos of a dataset."""
        return cls(
            dict(annotations.videos),
            list(annotations.categories),
            {key: [] for key in annotations.videos},
            name,
        )

    def __iter__(self) -> Iterator[MaskTrack]:
        for tracks in self.tracks.values():
            yield from tracks

    @property
    def num_masks(self) -> int:
        """Number of (instance, frame) pairs with a mask."""
        return sum(track.num_masks for track in self)

    def source_counts(self) -> Dict[str, int]:
        """Count the masks of every source, by name in sorted order."""
        counts: Dict[str, int] = {}
        for track in self:
            for source in track.sources:
                if source is not None:
                    counts[source] = counts.get(source, 0) + 1
        return dict(sorted(counts.items()))

    # ------------------------------------------------------------- disk
    @classmethod
    def load(
        cls, path: Union[str, Path], source: Optional[str] = None
    ) -> 'PseudoMaskSet':
        """Read a set, or any YouTube-VIS json with masks.

        Args:
            path (str | Path): File to read.
            source (str, optional): Source of masks that name none; the
                stem of the file by default.

        Returns:
            PseudoMaskSet: The content.

        Raises:
            MaskSetError: If the file is malformed; names video, frame and
                instance.
        """
        data = load_json(path, MaskSetError)
        return cls.from_json(data, str(path), source or Path(path).stem)

    @classmethod
    def from_json(
        cls, data: Any, name: str, source: str = 'unknown'
    ) -> 'PseudoMaskSet':
        """Parse the content of a file; see :meth:`load`."""
        data = _with_annotated_boxes(data)
        try:
            parsed = parse_annotations(
                data, name, with_masks=True, clip_boxes=True
            )
        except AnnotationError as error:
            raise MaskSetError(
                error.problem,
                file=error.file,
                video=error.video,
                frame=error.frame,
                instance=error.instance,
                fix=error.fix,
            ) from None
        result = cls.empty_like(parsed, name)
        raw = {entry['id']: entry for entry in data.get('annotations') or ()}
        for box_track in parsed:
            entry = raw[box_track.id]
            if box_track.segmentations is None:
                raise MaskSetError(
                    'no "segmentations"',
                    file=name,
                    video=box_track.video_id,
                    instance=box_track.id,
                    fix='this file holds boxes only; name one with masks',
                )
            result.tracks[box_track.video_id].append(
                read_mask_track(box_track, entry, name, source)
            )
        return result

    def to_json(self) -> Dict[str, Any]:
        """Turn into the content of a YouTube-VIS json."""
        return dict(
            videos=[video.to_json() for video in self.videos.values()],
            categories=self.categories,
            annotations=[
                track.to_json(self.videos[track.video_id]) for track in self
            ],
        )

    def dump(self, path: Union[str, Path]) -> None:
        """Write atomically; the same set always gives the same bytes.

        Raises:
            OutputError: If the folder cannot be written.
        """
        dump_json(self.to_json(), path)

    # ------------------------------------------------------ set operations
    def check_same_videos(
        self, other: Union['PseudoMaskSet', VideoAnnotations], name: str = ''
    ) -> None:
        """Check that another set or file speaks of the same videos.

        Raises:
            MaskSetError: If ids, sizes, lengths or frame names differ.
        """
        name = name or getattr(other, 'name', None) or 'the annotations'
        missing = sorted(set(self.videos) ^ set(other.videos))
        if missing:
            raise MaskSetError(
                f'videos {missing[:5]} are only in one of this set and {name}',
                file=self.name,
                video=missing[0],
                fix='label the same annotation file with every source',
            )
        for key, video in self.videos.items():
            if video != other.videos[key]:
                raise MaskSetError(
                    f'size, length or frames differ from {name}',
                    file=self.name,
                    video=key,
                    fix='label the same annotation file with every source',
                )

    def validate(self, annotations: VideoAnnotations) -> None:
        """Check that every track belongs to an annotation.

        Raises:
            MaskSetError: If videos differ, or a track has no annotation or
                another category than it.
        """
        self.check_same_videos(annotations, annotations.file or '')
        known = {track.id: track for track in annotations}
        for track in self:
            box_track = known.get(track.id)
            if (
                box_track is None
                or box_track.video_id != track.video_id
                or box_track.category_id != track.category_id
            ):
                raise MaskSetError(
                    'no annotation with this id, video and category',
                    file=self.name,
                    video=track.video_id,
                    instance=track.id,
                    fix=f'use the masks made from {annotations.file}',
                )

    def merge(self, other: 'PseudoMaskSet') -> 'PseudoMaskSet':
        """Unite with a set of other videos or other instances.

        Returns:
            PseudoMaskSet: Videos and tracks of both, sorted by id.

        Raises:
            MaskSetError: If both hold a track of the same id, or a video of
                the same id that is not the same.
        """
        if self.categories != other.categories:
            raise MaskSetError(
                f'categories differ from {other.name}',
                file=self.name,
                fix='merge sets of one dataset',
            )
        videos = dict(self.videos)
        for key, video in other.videos.items():
            if videos.setdefault(key, video) != video:
                raise MaskSetError(
                    f'not the same video as in {other.name}',
                    file=self.name,
                    video=key,
                    fix='merge sets of one dataset',
                )
        ids = {track.id for track in self}
        result = PseudoMaskSet(
            {key: videos[key] for key in sorted(videos)},
            self.categories,
            {key: [] for key in sorted(videos)},
            self.name,
        )
        for track in other:
            if track.id in ids:
                raise MaskSetError(
                    f'instance is also in {other.name}',
                    file=self.name,
                    video=track.video_id,
                    instance=track.id,
                    fix='choose between them with a selector, not by merging',
                )
        for track in [*self, *other]:
            result.tracks[track.video_id].append(track)
        for tracks in result.tracks.values():
            tracks.sort(key=lambda track: track.id)
        return result


def join(
    sets: Mapping[str, PseudoMaskSet],
) -> Iterator[Tuple[VideoInfo, Dict[int, Dict[str, MaskTrack]]]]:
    """Walk over several sets of one dataset, video by video.

    Args:
        sets (Mapping[str, PseudoMaskSet]): By name of the source.

    Yields:
        tuple: The video, and per annotation id the tracks by source. A
        source without that instance is absent there.

    Raises:
        MaskSetError: If the sets have different videos.
    """
    names = list(sets)
    for name in names[1:]:
        sets[names[0]].check_same_videos(sets[name])
    for key, video in sets[names[0]].videos.items() if names else ():
        tracks: Dict[int, Dict[str, MaskTrack]] = {}
        for name in names:
            for track in sets[name].tracks[key]:
                tracks.setdefault(track.id, {})[name] = track
        yield video, dict(sorted(tracks.items()))


def _with_annotated_boxes(data: Any) -> Any:
    """Show the annotated boxes, which are those that count."""
    entries = data.get('annotations') if isinstance(data, dict) else None
    if not isinstance(entries, list):
        return data
    shown = [
        dict(entry, bboxes=entry['annotated_bboxes'])
        if isinstance(entry, dict) and 'annotated_bboxes' in entry
        else entry
        for entry in entries
    ]
    return dict(data, annotations=shown)
