"""What a model has found in a video so far, on disk."""

import json
import os
import sqlite3
import tempfile
import time
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

from mmengine.structures import InstanceData

from ..utils.errors import MaskSetError, OutputError
from . import rle
from .journal_reader import read_instances, read_tracks
from .video_track import VideoTrack

SUFFIX = '.tracks.sqlite'
_VERSION = 1
_PATIENCE = 5.0  # seconds, with a file that another process locks

_TABLES = """
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value);
CREATE TABLE IF NOT EXISTS found (
    frame INTEGER NOT NULL, place INTEGER NOT NULL, track INTEGER NOT NULL,
    label INTEGER NOT NULL, score REAL NOT NULL,
    x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL,
    empty INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,
    counts TEXT NOT NULL,
    PRIMARY KEY (frame, place)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS verdicts (
    place INTEGER PRIMARY KEY, track INTEGER NOT NULL, label INTEGER NOT NULL,
    score REAL NOT NULL, start INTEGER NOT NULL
);
"""
_ADD = f'INSERT INTO found VALUES ({", ".join("?" * 13)})'


class TrackJournal:
    """Predictions of a video, written as they come.

    A SQLite file: when the process is killed, all that was committed is
    there, with the state of the tracker at that moment, and nothing else.
    Predictions are read back one frame or one track at a time, so that
    memory does not grow with the video.

    Args:
        path (str | Path, optional): File; opened if it exists. None: a
            temporary file that goes with the object. Defaults to None.
        fingerprint (Mapping, optional): Json-like facts about model, video
            and options. They are stored in a new file; an old one must
            have the same. None takes a file as it is. Defaults to None.
        commit_interval (float): Seconds after which a commit is due.
            Defaults to 1.

    Attributes:
        path (Path): The file.
        next_frame (int): The first frame that is not committed.
        state (bytes, optional): Given with the last commit.
        finished (bool): Whether the video is over, see :meth:`finish`.

    Raises:
        OutputError: If the file cannot be written, is no journal, or is
            about another model, video or options.
    """

    def __init__(
        self,
        path: Optional[Union[str, Path]] = None,
        fingerprint: Optional[Mapping[str, Any]] = None,
        commit_interval: float = 1.0,
    ) -> None:
        self._folder: Optional[tempfile.TemporaryDirectory] = None
        if path is None:
            self._folder = tempfile.TemporaryDirectory(prefix='tracks-')
            path = Path(self._folder.name) / f'journal{SUFFIX}'
        self.path = Path(path)
        self.commit_interval = commit_interval
        self._opened: Optional[sqlite3.Connection] = None
        try:
            self._prepare(fingerprint)
        except BaseException:
            self.close()
            raise
        self.next_frame: int = self._fact('next_frame', 0)
        self.state: Optional[bytes] = self._fact('state', None)
        self.finished = bool(self._fact('finished', 0))
        self._added = self.next_frame
        self._last_write = time.monotonic()

    # ------------------------------------------------------------- opening
    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            try:
                self.path.parent.mkdir(parents=True, exist_ok=True)
                # Videos may be walked over in a thread of their own.
                self._opened = sqlite3.connect(
                    self.path,
                    timeout=_PATIENCE,
                    isolation_level=None,
                    check_same_thread=False,
                )
            except (OSError, sqlite3.Error) as reason:
                raise self._refused(reason) from reason
        return self._opened

    def _prepare(self, fingerprint: Optional[Mapping[str, Any]]) -> None:
        """Make the tables, or check those of an old file."""
        try:
            self._connection.executescript(_TABLES)
            stored = self._fact('fingerprint', None)
            version = self._fact('version', None)
            if version is None:
                self._set(version=_VERSION)
        except sqlite3.Error as reason:
            raise self._refused(reason) from reason
        if version not in (None, _VERSION):
            raise OutputError(
                f'journal of version {version}, not {_VERSION}',
                file=self.path,
                fix='remove it to begin anew',
            )
        if fingerprint is None:
            return
        # What json makes of it: lists for tuples, strings for keys.
        wanted = json.loads(json.dumps(dict(fingerprint), sort_keys=True))
        if stored is None:
            self._set(fingerprint=json.dumps(wanted, sort_keys=True))
            return
        self._compare(json.loads(stored), wanted)

    def _compare(self, stored: Dict[str, Any], wanted: Dict[str, Any]) -> None:
        keys = sorted({*stored, *wanted})
        other = [key for key in keys if stored.get(key) != wanted.get(key)]
        if other:
            shown = ', '.join(
                f'{key} {stored.get(key)!r}, not {wanted.get(key)!r}'
                for key in other
            )
            raise OutputError(
                f'this journal is about something else: {shown}',
                file=self.path,
                fix='choose another out_dir, or set resume=False to begin '
                'anew',
            )

    def _refused(self, reason: Exception) -> OutputError:
        if 'not a database' in str(reason):
            return OutputError(
                'this file is no journal of tracks',
                file=self.path,
                fix='remove it, or choose another out_dir',
            )
        return OutputError(
            f'the journal cannot be written: {reason}',
            file=self.path,
            fix='check free space and permissions of the folder, and that no '
            'other run writes there',
        )

    # ------------------------------------------------------------- writing
    def add(self, frame: int, instances: InstanceData) -> None:
        """Add what was found in the next frame.

        Args:
            frame (int): 0-based, without gaps.
            instances (InstanceData): N instances: ``instances_id``,
                ``labels``, ``scores`` (N, ), ``masks``, a list of RLE, and
                ``bboxes`` (N, 4), half-open xyxy in pixels; without boxes
                those of the masks are taken.

        Raises:
            OutputError: If a frame is left out, or the disk is full.
            MaskSetError: If instances have no ids.
        """
        if frame != self._added:
            raise OutputError(
                f'frame {frame} where frame {self._added} is next',
                file=self.path,
                frame=frame,
                fix='add every frame in order',
            )
        if 'instances_id' not in instances:
            raise MaskSetError(
                'instances have no ids ("instances_id")',
                frame=frame,
                fix='give a model that links instances over time',
            )
        masks = instances.masks
        boxes = instances.get('bboxes')
        boxes = rle.tight_boxes(masks) if boxes is None else boxes.tolist()
        rows = zip(
            instances.instances_id.tolist(),
            instances.labels.tolist(),
            instances.scores.tolist(),
            boxes,
            rle.areas(masks).tolist(),
            masks,
        )
        table = [
            (frame, place, track, label, score, *map(float, box))
            + (int(not area), *mask['size'], mask['counts'])
            for place, (track, label, score, box, area, mask) in enumerate(
                rows
            )
        ]
        try:
            if not self._connection.in_transaction:
                self._connection.execute('BEGIN')
            self._connection.executemany(_ADD, table)
        except sqlite3.Error as reason:
            raise self._refused(reason) from reason
        self._added += 1

    @property
    def due(self) -> bool:
        """bool: Whether the last commit is ``commit_interval`` ago."""
        return time.monotonic() - self._last_write >= self.commit_interval

    def commit(self, state: Optional[bytes] = None) -> None:
        """Make what was added safe, with the state that follows from it.

        It takes a disk some milliseconds; see :attr:`due`.

        Args:
            state (bytes, optional): Of the tracker. Defaults to None.

        Raises:
            OutputError: If the disk is full.
        """
        self._set(next_frame=self._added, state=state)
        self.next_frame, self.state = self._added, state
        self._last_write = time.monotonic()

    def finish(self, verdicts: Optional[InstanceData] = None) -> None:
        """Note that the video is over.

        Args:
            verdicts (InstanceData, optional): What the model says of the
                tracks: ``instances_id``, ``labels``, ``scores`` and
                ``start_frames``, (M, ) each, see ``TrackRecords.finish``.
                None: labels and scores follow from the frames.

        Raises:
            OutputError: If the disk is full.
        """
        rows: List[Sequence[Any]] = []
        if verdicts is not None:
            columns = ('instances_id', 'labels', 'scores', 'start_frames')
            rows = list(zip(*(verdicts[name].tolist() for name in columns)))
        table = [(place, *row) for place, row in enumerate(rows)]
        try:
            if not self._connection.in_transaction:
                self._connection.execute('BEGIN')
            self._connection.execute('DELETE FROM verdicts')
            self._connection.executemany(
                'INSERT INTO verdicts VALUES (?, ?, ?, ?, ?)', table
            )
        except sqlite3.Error as reason:
            raise self._refused(reason) from reason
        self._set(
            next_frame=self._added,
            state=None,
            finished=1,
            judged=int(verdicts is not None),
        )
        self.next_frame, self.state = self._added, None
        self.finished = True

    def _set(self, **facts: Any) -> None:
        """Write facts and commit."""
        try:
            self._connection.executemany(
                'INSERT OR REPLACE INTO facts VALUES (?, ?)',
                list(facts.items()),
            )
            if self._connection.in_transaction:
                self._connection.execute('COMMIT')
        except sqlite3.Error as reason:
            raise self._refused(reason) from reason

    def _fact(self, key: str, default: Any) -> Any:
        row = self._connection.execute(
            'SELECT value FROM facts WHERE key = ?', (key,)
        ).fetchone()
        return default if row is None else row[0]

    # ------------------------------------------------------------- reading
    def iter_frames(
        self, start: int = 0, stop: Optional[int] = None
    ) -> Iterator[Tuple[int, InstanceData]]:
        """Read what was added, frame by frame.

        Args:
            start (int): First frame. Defaults to 0.
            stop (int, optional): Frame after the last one. Defaults to
                all.

        Yields:
            tuple: Index of the frame and its instances, as given to
            :meth:`add`, also where there are none.
        """
        for frame in range(start, self._added if stop is None else stop):
            yield frame, read_instances(self._connection, frame)

    def iter_tracks(self) -> Iterator[VideoTrack]:
        """Read whole tracks, one at a time, by ascending id.

        A track has the verdicts of the model, if it gives any; tracks
        without one are left out, as the model has given them up. Otherwise
        its label is that of most frames (ties: the higher mean score) and
        its score the mean over its frames.

        Returns:
            Iterator[VideoTrack]: Those with a mask in at least one frame
            that counts.
        """
        return read_tracks(self._connection, bool(self._fact('judged', 0)))

    @property
    def length(self) -> int:
        """int: Number of frames added so far."""
        return self._added

    # ------------------------------------------------------------- closing
    def suspend(self) -> None:
        """Close the file until it is asked for the next time.

        What was not committed is lost.
        """
        if self._opened is not None:
            self._opened.close()
            self._opened = None

    def close(self) -> None:
        """Close the file; a temporary one is removed."""
        self.suspend()
        if self._folder is not None:
            self._folder.cleanup()

    def __enter__(self) -> 'TrackJournal':
        return self

    def __exit__(self, *reason: Any) -> None:
        self.close()

    def __del__(self) -> None:
        if hasattr(self, '_opened'):
            self.close()


def remove_journal(path: Union[str, Path]) -> None:
    """Remove a journal and what SQLite keeps beside it."""
    for suffix in ('', '-journal', '-wal', '-shm'):
        try:
            os.remove(f'{path}{suffix}')
        except FileNotFoundError:
            continue
