"""Reads the index of a label review, only what is asked for."""

import json
import sqlite3
from contextlib import closing
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence

from ..structures import RLE, VideoInfo
from ..utils.errors import ReviewError
from ..utils.fileio import PathLike, file_stamp
from .decisions import STATUSES
from .index import CHUNK, FINAL, FORMAT, MEASURES, unpack

# What tracks can be sorted by, and the column of it.
SORT_COLUMNS = dict(
    id='id',
    video='video_name',
    **{name: name for name in MEASURES},
)
_ROW = (
    'id',
    'video_id',
    'video_name',
    'category',
    'category_id',
    'num_frames',
    'num_boxes',
    'num_masks',
    *MEASURES,
)
_REBUILD = 'build the index again with tools/labeling/review.py'
Row = Dict[str, Any]


class ReviewIndex:
    """An index that :func:`~pmvis_mm.review.index.build_index` wrote.

    Every call opens the file anew, so that threads share nothing.

    Args:
        path (str | Path): The SQLite file.

    Attributes:
        title (str): Heading of the page.
        sources (list[str]): Names of the candidates.
        categories (dict[int, str]): Names by id.
        final (dict): ``file`` and ``sha256`` of the masks under review.
        img_prefix (str, optional): Folder or URL of the frames.
        num_videos (int): Number of videos.
        num_tracks (int): Number of tracks.

    Raises:
        ReviewError: If it is missing or no index of this version.
    """

    def __init__(self, path: PathLike) -> None:
        self.path = Path(path)
        if not self.path.is_file():
            raise ReviewError(
                'the index of the review does not exist',
                file=path,
                fix=_REBUILD,
            )
        self._stamp = file_stamp(self.path)
        try:
            rows = self._rows('SELECT key, value FROM meta')
            meta = {row['key']: json.loads(row['value']) for row in rows}
            self.num_videos = self._count('videos')
            self.num_tracks = self._count('tracks')
        except (sqlite3.DatabaseError, ValueError) as reason:
            raise ReviewError(
                f'not the index of a review ({reason})',
                file=path,
                fix=_REBUILD,
            ) from None
        if meta.get('format') != FORMAT:
            raise ReviewError(
                f'index of format {meta.get("format")}, not {FORMAT}',
                file=path,
                fix=_REBUILD,
            )
        self.title: str = meta['title']
        self.sources: List[str] = meta['sources']
        self.categories: Dict[int, str] = {
            c['id']: str(c.get('name', c['id'])) for c in meta['categories']
        }
        self.final: Dict[str, Any] = meta['final']
        self.img_prefix: Optional[str] = meta['img_prefix']

    def _rows(self, query: str, values: Sequence[Any] = ()) -> List[Row]:
        if file_stamp(self.path) != self._stamp:
            # What was decided would be noted for other masks.
            raise ReviewError(
                'the index has been built again or moved meanwhile',
                file=self.path,
                fix='start the review server again',
            )
        # Never changed once it is there: no locks, also on network disks.
        uri = f'{self.path.absolute().as_uri()}?immutable=1'
        with closing(sqlite3.connect(uri, uri=True)) as db:
            db.row_factory = sqlite3.Row
            # SQLite's LIKE knows the case of ASCII letters only.
            db.create_function('FOLD', 1, str.casefold)
            try:
                return [dict(row) for row in db.execute(query, values)]
            except OverflowError:  # an id of more than 64 bits
                return []

    def _count(self, table: str) -> int:
        number: int = self._rows(f'SELECT COUNT(*) AS n FROM {table}')[0]['n']
        return number

    # -------------------------------------------------------------- tracks
    def find_tracks(
        self,
        statuses: Dict[int, str],
        offset: int = 0,
        limit: int = 100,
        sort: str = 'suspicion',
        descending: bool = True,
        category: Optional[int] = None,
        status: str = 'all',
        search: str = '',
    ) -> Dict[str, Any]:
        """List tracks, some at a time.

        Args:
            statuses (dict[int, str]): Status by track id; 'open' where
                absent.
            offset (int): Number of tracks to skip. Defaults to 0.
            limit (int): Most tracks to return. Defaults to 100.
            sort (str): One of ``SORT_COLUMNS``. Defaults to 'suspicion'.
            descending (bool): Highest first; what has no value is last
                either way, ties are in the order of ids. Defaults to True.
            category (int, optional): Only this category id.
            status (str): Only this status. Defaults to 'all'.
            search (str): Only tracks with this text, whatever its case, in
                the name of video or category, or with this id.

        Returns:
            dict: ``total`` number that fit, ``offset`` and ``rows``.
        """
        where, values = ['1'], []  # type: List[str], List[Any]
        if category is not None:
            where.append('category_id = ?')
            values.append(category)
        if search:
            where.append(
                '(INSTR(FOLD(video_name), ?) OR INSTR(FOLD(category), ?) '
                'OR CAST(id AS TEXT) = ?)'
            )
            values += [search.casefold(), search.casefold(), search]
        if status in STATUSES:
            where.append(_status_clause(status, statuses))
        condition = ' AND '.join(where)
        column = SORT_COLUMNS[sort]
        order = 'DESC' if descending else 'ASC'
        total = self._rows(
            f'SELECT COUNT(*) AS n FROM tracks WHERE {condition}', values
        )
        rows = self._rows(
            f'SELECT {", ".join(_ROW)} FROM tracks WHERE {condition} '
            f'ORDER BY {column} IS NULL, {column} {order}, id '
            'LIMIT ? OFFSET ?',
            [*values, limit, offset],
        )
        for row in rows:
            row['status'] = statuses.get(row['id'], 'open')
        number = total[0]['n'] if total else 0
        return dict(total=number, offset=offset, rows=rows)

    def track(self, key: int) -> Row:
        """Read the row of a track.

        Raises:
            ReviewError: If there is none of this id.
        """
        rows = self._rows(
            f'SELECT {", ".join(_ROW)} FROM tracks WHERE id = ?', [key]
        )
        if not rows:
            raise ReviewError(
                'there is no such track in this review',
                file=self.path,
                instance=key,
                fix='use an id that /api/tracks lists',
            )
        return rows[0]

    def lengths(self) -> Dict[int, int]:
        """Number of frames of every track, by id."""
        rows = self._rows('SELECT id, num_frames FROM tracks')
        return {row['id']: row['num_frames'] for row in rows}

    def neighbours(self, track: Row) -> List[int]:
        """List the ids of the other tracks of a track's video."""
        rows = self._rows(
            'SELECT id FROM tracks WHERE video_id = ? AND id != ? ORDER BY id',
            [track['video_id'], track['id']],
        )
        return [row['id'] for row in rows]

    def frames(self, key: int) -> Dict[str, List[Any]]:
        """Read the measures of a track's frames.

        Returns:
            dict[str, list]: ``box``, ``source``, ``score``, ``agreement``,
            ``overflow``, ``area_jump`` and ``flicker``, a value per frame.
        """
        rows = self._rows('SELECT data FROM frames WHERE track_id = ?', [key])
        columns: Dict[str, List[Any]] = unpack(rows[0]['data'])
        return columns

    def matters(self, key: int) -> List[bool]:
        """Tell which frames of a track have a box or a final mask."""
        columns = self.frames(key)
        return [
            box is not None or source is not None
            for box, source in zip(columns['box'], columns['source'])
        ]

    # --------------------------------------------------------------- masks
    def masks(
        self, track: Row, source: str, start: int, stop: int
    ) -> List[Optional[RLE]]:
        """Read masks.

        Args:
            track (dict): See :meth:`track`.
            source (str): Name of a candidate, or 'final'.
            start (int): First frame, 0-based.
            stop (int): The frame after the last one.

        Returns:
            list[RLE | None]: ``stop - start`` masks.
        """
        video = self._rows(
            'SELECT height, width FROM videos WHERE id = ?',
            [track['video_id']],
        )[0]
        size = [video['height'], video['width']]
        rows = self._rows(
            'SELECT start, data FROM masks WHERE track_id = ? AND source = ? '
            'AND start > ? AND start < ?',
            [track['id'], source, start - CHUNK, stop],
        )
        masks: List[Optional[RLE]] = [None] * max(stop - start, 0)
        for row in rows:
            for t, counts in enumerate(unpack(row['data']), row['start']):
                if counts is not None and start <= t < stop:
                    masks[t - start] = dict(size=size, counts=counts)
        return masks

    def available(self, track: Row) -> Dict[str, List[bool]]:
        """Tell which sources have a mask of a track, and where.

        Returns:
            dict[str, list[bool]]: By name, in the order of ``sources``;
            only those with any mask.
        """
        rows = self._rows(
            'SELECT source, start, data FROM masks WHERE track_id = ? '
            'AND source != ?',
            [track['id'], FINAL],
        )
        found: Dict[str, List[bool]] = {}
        for row in rows:
            there = found.setdefault(
                row['source'], [False] * track['num_frames']
            )
            masks = [counts is not None for counts in unpack(row['data'])]
            there[row['start'] : row['start'] + len(masks)] = masks
        return {name: found[name] for name in self.sources if name in found}

    # -------------------------------------------------------------- videos
    def video(self, key: int) -> VideoInfo:
        """Read what is known of a video.

        Raises:
            ReviewError: If there is none of this id.
        """
        rows = self._rows('SELECT * FROM videos WHERE id = ?', [key])
        if not rows:
            raise ReviewError(
                'there is no such video in this review',
                file=self.path,
                video=key,
                fix='use a video_id that /api/tracks lists',
            )
        row = rows[0]
        names = tuple(unpack(row['file_names']))
        return VideoInfo(key, row['width'], row['height'], names)


def _status_clause(status: str, statuses: Dict[int, str]) -> str:
    """Write a condition; ids are integers, which need no quoting."""
    if status == 'open':
        others = [key for key, value in statuses.items() if value != 'open']
        return f'id NOT IN ({",".join(map(str, others))})'
    same = [key for key, value in statuses.items() if value == status]
    return f'id IN ({",".join(map(str, same))})'
