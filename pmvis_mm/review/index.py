"""Builds the index of a label review: one SQLite file with everything.

Candidates are read one set after the other, so that beside the final masks
one source is in memory at a time.
"""

import json
import math
import sqlite3
import zlib
from contextlib import closing, contextmanager
from dataclasses import asdict
from pathlib import Path
from typing import (
    Any,
    Dict,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np

from ..structures import (
    MaskTrack,
    PseudoMaskSet,
    VideoAnnotations,
    VideoInfo,
)
from ..utils.errors import MaskSetError, OutputError, ReviewError
from ..utils.fileio import PathLike, atomic_path, file_sha256
from .decisions import RESERVED_NAMES
from .measures import (
    FrameMeasures,
    mean_agreement,
    measure_frames,
    measure_track,
)
from .track_runs import TrackRuns

FORMAT = 1
FINAL = 'final'
# Numbers of JavaScript are float64.
LARGEST_ID = 2**53 - 1
# Frames per stored row of masks: what a page reads ahead at a time.
CHUNK = 64
MEASURES = (
    'suspicion',
    'score',
    'agreement',
    'overflow',
    'area_jump',
    'flicker',
    'missing',
)
_SORTED_BY = ('video_name', 'category_id', *MEASURES)
_SCHEMA = f"""
CREATE TABLE meta (key TEXT PRIMARY KEY, value TEXT);
CREATE TABLE videos (
    id INTEGER PRIMARY KEY, name TEXT, width INTEGER, height INTEGER,
    file_names BLOB);
CREATE TABLE tracks (
    id INTEGER PRIMARY KEY, video_id INTEGER, video_name TEXT,
    category_id INTEGER, category TEXT, num_frames INTEGER,
    num_boxes INTEGER, num_masks INTEGER,
    {', '.join(f'{name} REAL' for name in MEASURES)});
CREATE TABLE frames (track_id INTEGER PRIMARY KEY, data BLOB);
CREATE TABLE masks (
    track_id INTEGER, source TEXT, start INTEGER, data BLOB,
    PRIMARY KEY (track_id, source, start));
CREATE INDEX tracks_of_video ON tracks (video_id);
"""
Source = Union[PseudoMaskSet, str, Path]
Ious = Dict[int, Dict[str, np.ndarray]]


def pack(value: Any) -> bytes:
    """Compress a plain value to a blob."""
    text = json.dumps(value, separators=(',', ':'))
    return zlib.compress(text.encode())


def unpack(blob: bytes) -> Any:
    """Invert :func:`pack`."""
    return json.loads(zlib.decompress(blob))


def build_index(
    path: PathLike,
    final: PseudoMaskSet,
    sources: Mapping[str, Source],
    annotations: Optional[VideoAnnotations] = None,
    img_prefix: Optional[PathLike] = None,
    title: Optional[str] = None,
) -> Dict[str, int]:
    """Measure all tracks and write the index of a review.

    Args:
        path (str | Path): SQLite file to write; appears when complete.
        final (PseudoMaskSet): The masks to be reviewed; ``name`` is the
            file that they were read from.
        sources (Mapping[str, PseudoMaskSet | str | Path]): Candidate masks
            by name, or files with them, which are read one at a time. A
            source may lack videos and tracks. Variants of a source are
            named 'NAME, VARIANT'.
        annotations (VideoAnnotations, optional): The annotated boxes; their
            tracks without any final mask are reviewed, too. By default the
            boxes of ``final``.
        img_prefix (str | Path, optional): Folder or URL of the frames.
        title (str, optional): Heading of the page.

    Returns:
        dict[str, int]: ``videos``, ``tracks`` and ``masks`` (those of the
        sources included) that were written.

    Raises:
        MaskSetError: If a set does not fit the final one or the
            annotations.
        ReviewError: If a source has a name that means something else, or an
            id is too large for a browser.
        OutputError: If the file cannot be written.
    """
    for name in sources:
        _check_name(name)
    if annotations is not None:
        final.validate(annotations)
    tracks = _tracks_to_review(final, annotations)
    _check_ids(final, tracks)
    with atomic_path(path) as temporary, _disk_errors(path):
        # Closed before the file is renamed; half a file is removed anyway.
        with closing(sqlite3.connect(temporary)) as db:
            db.executescript('PRAGMA journal_mode=OFF;PRAGMA synchronous=OFF')
            db.executescript(_SCHEMA)
            builder = _Builder(db, final, tracks)
            for name, source in sources.items():
                builder.add_source(name, load_source(name, source))
            builder.add_final()
            builder.add_meta(list(sources), img_prefix, title)
            db.commit()
    return builder.counts


@contextmanager
def _disk_errors(path: PathLike) -> Iterator[None]:
    try:
        yield
    except sqlite3.OperationalError as reason:
        raise OutputError(
            f'the index cannot be written: {reason}',
            file=path,
            fix='check the free space of the disk',
        ) from None


def _check_name(name: str) -> None:
    if name in RESERVED_NAMES or not name.strip():
        raise ReviewError(
            f'a source cannot be named {name!r}',
            fix=f'choose another name than {sorted(RESERVED_NAMES)}',
        )


def _check_ids(
    final: PseudoMaskSet, tracks: Mapping[int, List[MaskTrack]]
) -> None:
    ids: List[Tuple[str, int, Optional[int]]] = [
        ('category', c['id'], None) for c in final.categories
    ]
    for video, found in tracks.items():
        ids += [('video', video, video)]
        ids += [('annotation', track.id, video) for track in found]
    for kind, key, where in ids:
        if abs(key) > LARGEST_ID:
            raise ReviewError(
                f'{kind} id {key} is too large for a browser',
                file=final.name,
                video=where,
                fix=f'use ids up to {LARGEST_ID}',
            )


def load_source(name: str, source: Source) -> PseudoMaskSet:
    """Read candidates, unless they are in memory already."""
    if isinstance(source, PseudoMaskSet):
        return source
    return PseudoMaskSet.load(source, name)


def _tracks_to_review(
    final: PseudoMaskSet, annotations: Optional[VideoAnnotations]
) -> Dict[int, List[MaskTrack]]:
    """List the tracks of every video, those without masks included."""
    if annotations is None:
        return final.tracks
    chosen = {track.id: track for track in final}
    result: Dict[int, List[MaskTrack]] = {}
    for key, box_tracks in annotations.tracks.items():
        result[key] = []
        for box_track in box_tracks:
            track = chosen.get(box_track.id)
            if track is None:
                track = MaskTrack.empty_like(box_track)
            elif track.boxes != box_track.boxes:
                track = track.copy()
                track.boxes = list(box_track.boxes)
            result[key].append(track)
    return result


def check_videos(source: PseudoMaskSet, final: PseudoMaskSet) -> None:
    """Check that candidates are of the same videos, or of some of them.

    Raises:
        MaskSetError: If a video differs, or none is shared.
    """
    shared = [key for key in source.videos if key in final.videos]
    for key in shared:
        if source.videos[key] != final.videos[key]:
            raise MaskSetError(
                f'size, length or frames differ from {final.name}',
                file=source.name,
                video=key,
                fix='name candidates that were made for the same videos',
            )
    if not shared:
        raise MaskSetError(
            f'has no video of {final.name}',
            file=source.name,
            fix='name candidates that were made for the same videos',
        )


class _Builder:
    """Fills the tables, video by video."""

    def __init__(
        self,
        db: sqlite3.Connection,
        final: PseudoMaskSet,
        tracks: Mapping[int, List[MaskTrack]],
    ) -> None:
        self.db, self.final, self.tracks = db, final, tracks
        self.ious: Ious = {t.id: {} for ts in tracks.values() for t in ts}
        self.names = {c['id']: c.get('name') for c in final.categories}
        self.counts = dict(videos=0, tracks=0, masks=0)

    def __iter__(self) -> Iterator[Tuple[VideoInfo, List[MaskTrack]]]:
        for key, video in self.final.videos.items():
            yield video, list(self.tracks[key])

    def add_source(self, name: str, source: PseudoMaskSet) -> None:
        """Store candidates and compare them with the final masks."""
        check_videos(source, self.final)
        for video, tracks in self:
            candidates = {t.id: t for t in source.tracks.get(video.id, ())}
            for track in tracks:
                candidate = candidates.get(track.id)
                if candidate is None or not candidate.num_masks:
                    continue
                size = (video.height, video.width)
                runs = TrackRuns(track.masks, *size)
                ious = runs.ious(TrackRuns(candidate.masks, *size))
                self.ious[track.id][name] = ious.astype(np.float32)
                self._write_masks(track.id, name, candidate)

    def add_final(self) -> None:
        """Store the final masks with all measures."""
        for video, tracks in self:
            self.db.execute(
                'INSERT INTO videos VALUES (?, ?, ?, ?, ?)',
                (
                    video.id,
                    _text(video.name),
                    video.width,
                    video.height,
                    pack(video.file_names),
                ),
            )
            self.counts['videos'] += 1
            for track in tracks:
                self._add_track(video, track)
        for column in _SORTED_BY:
            self.db.execute(f'CREATE INDEX by_{column} ON tracks ({column})')

    def _add_track(self, video: VideoInfo, track: MaskTrack) -> None:
        ious = self.ious.pop(track.id)
        frames = measure_frames(
            TrackRuns(track.masks, video.height, video.width),
            track.boxes,
            mean_agreement(ious, track.sources),
        )
        measures = asdict(measure_track(track, frames))
        self.db.execute(
            f'INSERT INTO tracks VALUES ({",".join("?" * 15)})',
            (
                track.id,
                video.id,
                _text(video.name),
                track.category_id,
                _text(self.names[track.category_id] or track.category_id),
                video.length,
                sum(box is not None for box in track.boxes),
                track.num_masks,
                *(_number(measures[name]) for name in MEASURES),
            ),
        )
        self.counts['tracks'] += 1
        if track.num_masks:
            self._write_masks(track.id, FINAL, track)
        self.db.execute(
            'INSERT INTO frames VALUES (?, ?)',
            (track.id, pack(_frame_columns(track, frames))),
        )

    def _write_masks(self, key: int, source: str, track: MaskTrack) -> None:
        """Store masks; a chunk without any has no row."""
        for start in range(0, len(track.masks), CHUNK):
            masks = track.masks[start : start + CHUNK]
            number = sum(mask is not None for mask in masks)
            if not number:
                continue
            counts = [mask and mask['counts'] for mask in masks]
            self.db.execute(
                'INSERT INTO masks VALUES (?, ?, ?, ?)',
                (key, source, start, pack(counts)),
            )
            self.counts['masks'] += number

    def add_meta(
        self,
        sources: Sequence[str],
        img_prefix: Optional[PathLike],
        title: Optional[str],
    ) -> None:
        """Store what belongs to the whole review."""
        file = Path(self.final.name)
        digest = file_sha256(file) if file.is_file() else None
        meta = dict(
            format=FORMAT,
            title=title or f'Label review: {file.name}',
            sources=sources,
            img_prefix=None if img_prefix is None else _absolute(img_prefix),
            categories=self.final.categories,
            final=dict(file=file.name, sha256=digest),
        )
        self.db.executemany(
            'INSERT INTO meta VALUES (?, ?)',
            [(key, json.dumps(value)) for key, value in meta.items()],
        )


def _absolute(img_prefix: PathLike) -> str:
    """Make a local folder independent of where the server is started."""
    text = str(img_prefix)
    return text if '://' in text else str(Path(text).absolute())


def _text(name: Any) -> str:
    """Replace what UTF-8 cannot hold: half of a pair, in json or a path."""
    return str(name).encode('utf-8', 'replace').decode()


def _number(value: float) -> Optional[float]:
    return None if math.isnan(value) else round(float(value), 4)


def _frame_columns(
    track: MaskTrack, frames: FrameMeasures
) -> Dict[str, List[Any]]:
    """What the page shows of each frame, one list per column."""
    columns: Dict[str, List[Any]] = dict(
        box=[box and [round(float(v), 2) for v in box] for box in track.boxes],
        source=track.sources,
        score=track.scores,
    )
    for name in ('agreement', 'overflow', 'area_jump', 'flicker'):
        columns[name] = [_number(v) for v in getattr(frames, name)]
    return columns
