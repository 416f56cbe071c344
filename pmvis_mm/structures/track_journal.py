"""What a model has found in a video so far, on disk."""

import json
import sqlite3
import tempfile
import time
from contextlib import contextmanager
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
from .journal_file import TABLES, refusal
from .journal_reader import read_instances, read_tracks
from .video_track import VideoTrack

SUFFIX = '.tracks.sqlite'
_VERSION = 1
_PATIENCE = 5.0  # seconds, with a file that another process locks

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
        whole (bool): Whether it then has all frames.

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
        self._known = False
        self._readers = self._added = self.next_frame = 0
        try:
            self._prepare(fingerprint)
            self._known = True
        except BaseException:
            self.close()
            raise
        self.next_frame = self._fact('next_frame', 0)
        self.state: Optional[bytes] = self._fact('state', None)
        self.finished = bool(self._fact('finished', 0))
        self.whole = bool(self._fact('whole', 1))
        self._added = self.next_frame
        self._last_write = time.monotonic()

    # ------------------------------------------------------------- opening
    @property
    def _connection(self) -> sqlite3.Connection:
        if self._opened is None:
            if self._known and not self.path.is_file():
                raise OutputError(
                    'the journal is gone: predictions are read from it',
                    file=self.path,
                    fix='keep out_dir as long as predictions are in use',
                )
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
                raise refusal(self.path, reason) from reason
        return self._opened

    def _prepare(self, fingerprint: Optional[Mapping[str, Any]]) -> None:
        """Make the tables, or check those of an old file."""
        try:
            self._connection.executescript(TABLES)
            stored = self._fact('fingerprint', None)
            version = self._fact('version', None)
            if version is None:
                self._set(version=_VERSION)
        except sqlite3.Error as reason:
            raise refusal(self.path, reason) from reason
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

    # ------------------------------------------------------------- writing
    def add(
        self,
        frame: int,
        instances: InstanceData,
        timestamp: Optional[float] = None,
    ) -> None:
        """Add what was found in the next frame.

        Args:
            frame (int): 0-based, without gaps.
            instances (InstanceData): N instances: ``instances_id``,
                ``labels``, ``scores`` (N, ), ``masks``, a list of RLE, and
                ``bboxes`` (N, 4), half-open xyxy in pixels; without boxes
                those of the masks are taken.
            timestamp (float, optional): Of the frame, seconds. Defaults to
                None: there is no clock.

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
            if timestamp is not None:
                self._connection.execute(
                    'INSERT OR REPLACE INTO clock VALUES (?, ?)',
                    (frame, timestamp),
                )
        except sqlite3.Error as reason:
            raise refusal(self.path, reason) from reason
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

    def finish(
        self, verdicts: Optional[InstanceData] = None, whole: bool = True
    ) -> None:
        """Note that the video is over.

        Args:
            verdicts (InstanceData, optional): What the model says of the
                tracks: ``instances_id``, ``labels``, ``scores`` and
                ``start_frames``, (M, ) each, see ``TrackRecords.finish``.
                None: labels and scores follow from the frames.
            whole (bool): Whether the video was not ended by the user; see
                :attr:`whole`. Defaults to True.

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
            raise refusal(self.path, reason) from reason
        self._set(
            next_frame=self._added,
            state=None,
            finished=1,
            judged=int(verdicts is not None),
            whole=int(whole),
        )
        self.whole = whole
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
            raise refusal(self.path, reason) from reason

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
        with self._reading():
            for frame in range(start, self._added if stop is None else stop):
                yield frame, read_instances(self._connection, frame)

    def iter_tracks(self) -> Iterator[VideoTrack]:
        """Read whole tracks, one at a time, by ascending id.

        A track has the verdicts of the model, if it gives any; tracks
        without one are left out, as the model has given them up. Otherwise
        its label is that of most frames (ties: the higher mean score) and
        its score the mean over its frames.

        Yields:
            VideoTrack: Those with a mask in at least one frame that counts.

        Raises:
            OutputError: If the file is damaged or gone.
        """
        with self._reading():
            judged = bool(self._fact('judged', 0))
            yield from read_tracks(self._connection, judged)

    @contextmanager
    def _reading(self) -> Iterator[None]:
        """Close the file again after the last reader, if it was closed."""
        if not self._readers:
            self._borrowed = self._opened is None
        self._readers += 1
        try:
            yield
        except sqlite3.Error as reason:
            raise refusal(self.path, reason) from reason
        finally:
            self._readers -= 1
            if not self._readers and self._borrowed:
                self.suspend()

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
            self._added = self.next_frame

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
