"""Pseudo masks of a whole dataset, with their source and score."""
from dataclasses import dataclass, field
from pathlib import Path
from typing import (
    Any,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Tuple,
    Union,
)

from ..utils.errors import AnnotationError, MaskSetError
from ..utils.fileio import dump_json, load_json
from .rle import RLE, area
from .video_annotations import (
    Box,
    BoxTrack,
    VideoAnnotations,
    VideoInfo,
    parse_annotations,
)


@dataclass
class MaskTrack:
    """Pseudo masks of one annotated instance.

    Id, video and category are always those of the box annotation; a
    predicted category is never a label (PM-VIS, section III-C).

    Attributes:
        id (int): Id of the annotation.
        video_id (int): Video it belongs to.
        category_id (int): As in the annotation file.
        masks (list): Per frame an RLE, or None where there is no mask.
        boxes (list): Per frame the annotated box (half-open xyxy, pixels),
            or None.
        sources (list): Per frame the name of the source, None without mask.
        scores (list): Per frame the agreement (SCM) or quality in [0, 1];
            None where unknown.
    """

    id: int
    video_id: int
    category_id: int
    masks: List[Optional[RLE]]
    boxes: List[Optional[Box]]
    sources: List[Optional[str]]
    scores: List[Optional[float]]

    @classmethod
    def empty_like(cls, track: Union[BoxTrack, 'MaskTrack']) -> 'MaskTrack':
        """Start without any mask, with the boxes of an annotation."""
        length = len(track.boxes)
        return cls(
            track.id,
            track.video_id,
            track.category_id,
            masks=[None] * length,
            boxes=list(track.boxes),
            sources=[None] * length,
            scores=[None] * length,
        )

    @property
    def num_masks(self) -> int:
        """Number of frames with a mask."""
        return sum(mask is not None for mask in self.masks)

    def set(
        self,
        frame: int,
        mask: Optional[RLE],
        source: str,
        score: Optional[float] = None,
    ) -> None:
        """Store a mask; None or an empty mask removes it."""
        if mask is None or area(mask) == 0:
            self.masks[frame] = self.sources[frame] = None
            self.scores[frame] = None
            return
        self.masks[frame] = mask
        self.sources[frame] = source
        # Rounded, so that a file read and written again stays the same.
        self.scores[frame] = None if score is None else round(float(score), 5)

    def copy(self) -> 'MaskTrack':
        """Copy the lists; the masks themselves are shared."""
        return MaskTrack(
            self.id,
            self.video_id,
            self.category_id,
            list(self.masks),
            list(self.boxes),
            list(self.sources),
            list(self.scores),
        )

    def to_json(self, video: VideoInfo) -> Dict[str, Any]:
        """Write as an entry of ``annotations``.

        Masks, boxes and areas are null together (a loader that finds a box
        expects a mask); the annotated boxes of such frames are not lost:
        they stay in ``annotated_bboxes``.
        """
        shown = [
            box if mask is not None else None
            for box, mask in zip(self.boxes, self.masks)
        ]
        return dict(
            id=self.id,
            video_id=self.video_id,
            category_id=self.category_id,
            iscrowd=0,
            width=video.width,
            height=video.height,
            length=video.length,
            bboxes=[_to_xywh(box) for box in shown],
            segmentations=self.masks,
            areas=[None if m is None else area(m) for m in self.masks],
            sources=self.sources,
            scores=self.scores,
            annotated_bboxes=[_to_xywh(box) for box in self.boxes],
        )


def _to_xywh(box: Optional[Box]) -> Optional[List[float]]:
    if box is None:
        return None
    x0, y0, x1, y1 = box
    # Rounded, so that x0 + (x1 - x0) survives any number of round trips.
    return [round(v, 4) for v in (x0, y0, x1 - x0, y1 - y0)]


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
        raw = _entries_by_id(data)
        for entry in raw.values():
            # The boxes that count are the annotated ones.
            if 'annotated_bboxes' in entry:
                entry['bboxes'] = entry['annotated_bboxes']
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
                _read_track(box_track, entry, name, source)
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
                f'videos {missing[:5]} are only in one of this set and '
                f'{name}',
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


def _entries_by_id(data: Any) -> Dict[Any, Dict[str, Any]]:
    entries = data.get('annotations') if isinstance(data, dict) else None
    return {
        entry.get('id'): entry
        for entry in entries or ()
        if isinstance(entry, dict)
    }


def _read_track(
    box_track: BoxTrack, entry: Dict[str, Any], name: str, source: str
) -> MaskTrack:
    track = MaskTrack.empty_like(box_track)
    length = len(track.boxes)
    extras: Dict[str, Iterable] = {}
    for key, default in (('sources', source), ('scores', None)):
        values = entry.get(key) or [default] * length
        if len(values) != length:
            raise MaskSetError(
                f'"{key}" has length {len(values)}, expected {length}',
                file=name,
                video=track.video_id,
                instance=track.id,
                fix='one entry for every frame',
            )
        extras[key] = values
    for frame, (mask, from_source, score) in enumerate(
        zip(
            box_track.segmentations or (), extras['sources'], extras['scores']
        )
    ):
        track.set(frame, mask, from_source or source, score)
    return track
