"""What a person decided in a label review, and the json that keeps it."""

import threading
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

from ..utils.errors import ReviewError
from ..utils.fileio import PathLike, dump_json, file_stamp, load_json

VERSION = 1
ACTIONS = ('accept', 'reject', 'choose', 'clear')
STATUSES = ('open', 'accepted', 'rejected', 'changed')
# A source of one of these names could not be told from something else.
RESERVED_NAMES = frozenset(('accept', 'reject', 'final', 'reviewed'))


@dataclass(frozen=True)
class Decision:
    """One decision.

    Attributes:
        track (int): Id of the annotation.
        video (int): Id of its video.
        action (str): 'accept' or 'reject' the final masks, 'choose' those
            of another source, or 'clear' what was decided before.
        source (str, optional): For 'choose'.
        frames (tuple[int], optional): First and last frame, 0-based, both
            included; None for the whole track.
        time (str): When it was made, ISO 8601, UTC.
        no_masks (bool): Whether the final set had no mask of the track, only
            the annotations knew it.
    """

    track: int
    video: int
    action: str
    source: Optional[str] = None
    frames: Optional[Tuple[int, int]] = None
    time: str = ''
    no_masks: bool = False

    def to_json(self) -> Dict[str, Any]:
        """Write as an entry of ``decisions``."""
        entry: Dict[str, Any] = dict(
            track=self.track, video=self.video, action=self.action
        )
        if self.source is not None:
            entry['source'] = self.source
        if self.frames is not None:
            entry['frames'] = list(self.frames)
        if self.no_masks:
            entry['no_masks'] = True
        entry['time'] = self.time
        return entry

    @property
    def mark(self) -> Optional[str]:
        """What it leaves on a frame: an action, a source or None."""
        if self.action == 'clear':
            return None
        return self.source if self.action == 'choose' else self.action


def parse_decision(
    entry: Any, file: Optional[str] = None, time: str = ''
) -> Decision:
    """Check one entry of a review file or one request of the page.

    Args:
        entry (dict): ``track``, ``action``; ``video``, ``source``,
            ``frames``, ``no_masks`` and ``time`` where they apply.
        file (str, optional): Where it comes from, for messages.
        time (str): Used where the entry has none. Defaults to ''.

    Returns:
        Decision: The decision; whether its track exists is not checked.

    Raises:
        ReviewError: If it is malformed.
    """
    if not isinstance(entry, dict):
        raise ReviewError(
            f'a decision is {type(entry).__name__}, not an object',
            file=file,
            fix='write {"track": ID, "action": ...}',
        )
    track: Any = entry.get('track')
    action: Any = entry.get('action')
    where: Dict[str, Any] = dict(file=file, instance=track)
    if not _is_int(track) or not _is_int(entry.get('video', 0)):
        raise ReviewError(
            f'a decision about track {track!r} of video '
            f'{entry.get("video")!r}',
            file=file,
            fix='name both by their integer ids',
        )
    if action not in ACTIONS:
        raise ReviewError(
            f'unknown action {action!r}',
            fix=f'choose from {list(ACTIONS)}',
            **where,
        )
    source = entry.get('source') if action == 'choose' else None
    if action == 'choose' and not isinstance(source, str):
        raise ReviewError(
            f'"choose" with the source {source!r}',
            fix='name the source whose masks are to be taken',
            **where,
        )
    frames = entry.get('frames')
    return Decision(
        track,
        entry.get('video', 0),
        action,
        source,
        None if frames is None else _frame_range(frames, where),
        str(entry.get('time') or time),
        entry.get('no_masks') is True,
    )


def _is_int(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool)


def _frame_range(frames: Any, where: Dict[str, Any]) -> Tuple[int, int]:
    if (
        not isinstance(frames, (list, tuple))
        or len(frames) != 2
        or not all(map(_is_int, frames))
        or not 0 <= frames[0] <= frames[1]
    ):
        raise ReviewError(
            f'frames {frames!r} are no range',
            fix='write [first, last], 0-based, both included',
            **where,
        )
    return frames[0], frames[1]


def check_range(decision: Decision, length: int, file: Any = None) -> None:
    """Check that a decision speaks of frames that exist.

    Raises:
        ReviewError: If its range ends after the last frame.
    """
    if decision.frames is not None and decision.frames[1] >= length:
        raise ReviewError(
            f'frames {list(decision.frames)} of a video with {length} frames',
            file=file,
            video=decision.video,
            instance=decision.track,
            fix=f'name frames in 0 ... {length - 1}',
        )


def apply_marks(
    decisions: Sequence[Decision], length: int
) -> List[Optional[str]]:
    """Work out what holds for every frame of a track.

    Args:
        decisions (Sequence[Decision]): About this track; a later one
            overrides earlier ones in its frames.
        length (int): Number of frames of the video.

    Returns:
        list[str | None]: Per frame 'accept', 'reject', the name of a source
        or None.
    """
    marks: List[Optional[str]] = [None] * length
    for decision in decisions:
        first, last = decision.frames or (0, length - 1)
        last = min(last, length - 1)
        marks[first : last + 1] = [decision.mark] * (last - first + 1)
    return marks


def track_status(
    marks: Sequence[Optional[str]], matters: Sequence[bool]
) -> str:
    """Sum up what was decided about a track.

    Args:
        marks (Sequence[str | None]): See :func:`apply_marks`.
        matters (Sequence[bool]): Frames with a box or a final mask; where
            there is none, all count.

    Returns:
        str: 'rejected' if every frame that matters is, 'changed' if some
        are or a source was chosen, 'accepted' if every frame that matters
        is accepted, else 'open'.
    """
    counted = [m for m, yes in zip(marks, matters) if yes] or list(marks)
    if all(mark == 'reject' for mark in counted):
        return 'rejected'
    if any(mark not in (None, 'accept') for mark in marks):
        return 'changed'
    accepted = all(mark == 'accept' for mark in counted)
    return 'accepted' if accepted else 'open'


class DecisionLog:
    """The decisions of a review, saved after each one.

    Args:
        path (str | Path): Review json; read if it exists.
        final (dict): ``file`` and ``sha256`` of the masks under review.

    Raises:
        ReviewError: If the file is malformed, of an unknown version or
            about other final masks.
    """

    def __init__(self, path: PathLike, final: Dict[str, Any]) -> None:
        self.path, self.final = Path(path), final
        self.decisions: List[Decision] = []
        self._by_track: Dict[int, List[Decision]] = {}
        self._lock = threading.Lock()
        self._stamp = file_stamp(self.path)
        if self._stamp is not None:
            stored, self.decisions = load_decisions(path)
            check_final(stored, final, path)
            for decision in self.decisions:
                self._by_track.setdefault(decision.track, []).append(decision)

    @property
    def tracks(self) -> List[int]:
        """Ids of the tracks that something was decided about."""
        return [key for key, items in self._by_track.items() if items]

    def of_track(self, track: int) -> List[Decision]:
        """Decisions about a track, the oldest first."""
        return list(self._by_track.get(track, ()))

    def append(self, decision: Decision) -> None:
        """Add a decision and save; nothing changes if that fails.

        Raises:
            OutputError: If the file cannot be written.
            ReviewError: If another program has written it meanwhile.
        """
        with self._lock:
            self._save([*self.decisions, decision])
            self.decisions.append(decision)
            self._by_track.setdefault(decision.track, []).append(decision)

    def undo(self) -> Decision:
        """Remove the last decision and save.

        Raises:
            ReviewError: If there is none, or another program has written
                the file meanwhile.
            OutputError: If the file cannot be written.
        """
        with self._lock:
            if not self.decisions:
                raise ReviewError('there is no decision to undo')
            self._save(self.decisions[:-1])
            decision = self.decisions.pop()
            self._by_track[decision.track].pop()
        return decision

    def to_json(self) -> Dict[str, Any]:
        """Give the content of the review json."""
        return _to_json(self.final, self.decisions)

    def _save(self, decisions: Sequence[Decision]) -> None:
        if file_stamp(self.path) != self._stamp:
            # A second server, say: saving would undo its decisions.
            raise ReviewError(
                'another program has changed the decisions',
                file=self.path,
                fix='end all review servers of this file but one, and start '
                'that one again',
            )
        dump_json(_to_json(self.final, decisions), self.path)
        self._stamp = file_stamp(self.path)


def _to_json(
    final: Dict[str, Any], decisions: Sequence[Decision]
) -> Dict[str, Any]:
    return dict(
        version=VERSION,
        final=final,
        decisions=[decision.to_json() for decision in decisions],
    )


def now() -> str:
    """Give the time for a decision, ISO 8601, UTC, whole seconds."""
    return datetime.now(timezone.utc).isoformat(timespec='seconds')


def load_decisions(path: PathLike) -> Tuple[Dict[str, Any], List[Decision]]:
    """Read a review json.

    Args:
        path (str | Path): File to read.

    Returns:
        tuple: ``final`` (``file`` and ``sha256`` of the masks under
        review), and the decisions, the oldest first.

    Raises:
        ReviewError: If it is missing, cut off, malformed or of an unknown
            version.
    """
    data = load_json(path, ReviewError)
    if not isinstance(data, dict) or 'decisions' not in data:
        raise ReviewError(
            'not the decisions of a label review',
            file=path,
            fix='name the json that the review page saves',
        )
    if data.get('version') != VERSION:
        raise ReviewError(
            f'version {data.get("version")!r} is not known, only {VERSION}',
            file=path,
            fix='use the version of pmvis_mm that wrote it',
        )
    final, entries = data.get('final'), data['decisions']
    if not isinstance(entries, list) or not isinstance(final, dict):
        raise ReviewError(
            '"decisions" should be a list and "final" an object',
            file=path,
            fix='restore the file as the review page saved it',
        )
    return final, [parse_decision(entry, str(path)) for entry in entries]


def check_final(
    stored: Dict[str, Any], final: Dict[str, Any], path: PathLike
) -> None:
    """Check that decisions are about these final masks.

    Args:
        stored (dict): ``file`` and ``sha256`` in the review json.
        final (dict): Those of the masks; without ``sha256`` (masks that
            were never a file) all is well.
        path (str | Path): The review json, for messages.

    Raises:
        ReviewError: If the masks have changed since.
    """
    known = (stored.get('sha256'), final.get('sha256'))
    if None not in known and known[0] != known[1]:
        raise ReviewError(
            f'these decisions are about another content of '
            f'{stored.get("file")!r} than that of {final.get("file")!r}',
            file=path,
            fix='name the final masks that were reviewed, or start a new '
            'review json',
        )
