"""A label review: its index and the decisions made so far."""

import threading
from dataclasses import replace
from typing import Any, Dict, List, Optional, Sequence

import numpy as np

from ..structures import RLE
from ..structures.rle import run_lengths
from ..utils.errors import ReviewError
from ..utils.fileio import PathLike
from .decisions import (
    STATUSES,
    Decision,
    DecisionLog,
    apply_marks,
    check_range,
    now,
    parse_decision,
    track_status,
)
from .index import FINAL
from .review_index import ReviewIndex, Row

REVIEWED = 'reviewed'


class ReviewSession:
    """What the review page asks for.

    Args:
        index_path (str | Path): The index.
        decisions_path (str | Path): The review json, which may not exist
            yet.

    Raises:
        ReviewError: If either is malformed, they do not belong together, or
            a decision is about a track or source that does not exist.
    """

    def __init__(self, index_path: PathLike, decisions_path: PathLike) -> None:
        self.index = ReviewIndex(index_path)
        self.log = DecisionLog(decisions_path, self.index.final)
        self.lengths = self.index.lengths()
        for decision in self.log.decisions:
            self._check(decision)
        self.statuses: Dict[int, str] = {}
        self._lock = threading.Lock()
        for track in self.log.tracks:
            self._update(track)

    # ------------------------------------------------------------- reading
    def summary(self) -> Dict[str, Any]:
        """Describe the whole review."""
        return dict(
            title=self.index.title,
            num_videos=self.index.num_videos,
            num_tracks=self.index.num_tracks,
            sources=self.index.sources,
            categories=self.index.categories,
            counts=self.counts(),
            decisions_path=str(self.log.path),
        )

    def counts(self) -> Dict[str, int]:
        """Count the tracks of every status."""
        counts = dict.fromkeys(STATUSES, 0)
        for status in list(self.statuses.values()):
            counts[status] += 1
        # Those that nobody has touched are not listed.
        counts['open'] = self.index.num_tracks - len(self.statuses)
        return counts

    def track(self, key: int) -> Dict[str, Any]:
        """Describe a track, frame by frame."""
        row = self.index.track(key)
        video = self.index.video(row['video_id'])
        columns = self.index.frames(key)
        available = self.index.available(row)
        marks = self.marks(key)
        frames = [
            dict(
                frame=t,
                **{name: values[t] for name, values in columns.items()},
                available=[n for n, there in available.items() if there[t]],
                decision=marks[t],
            )
            for t in range(row['num_frames'])
        ]
        return dict(
            row,
            width=video.width,
            height=video.height,
            status=self.statuses.get(key, 'open'),
            neighbours=self.index.neighbours(row),
            sources=list(available),
            frames=frames,
        )

    def marks(self, key: int) -> List[Optional[str]]:
        """What was decided about each frame of a track."""
        return apply_marks(self.log.of_track(key), self.lengths[key])

    def masks(
        self, key: int, source: str, start: int, stop: Optional[int]
    ) -> Dict[str, Any]:
        """Give masks of a track as lists of run lengths.

        Args:
            key (int): Id of the track.
            source (str): 'final', 'reviewed' or a candidate.
            start (int): First frame, 0-based.
            stop (int, optional): The frame after the last one; the end of
                the video by default.

        Returns:
            dict: ``size`` (height, width) and ``masks``: per frame the
            uncompressed runs of COCO, column-major, or None.

        Raises:
            ReviewError: If there is no such track, source or frame.
        """
        row = self.index.track(key)
        if source not in (FINAL, REVIEWED, *self.index.sources):
            raise self._unknown_source(source, key)
        length = row['num_frames']
        stop = length if stop is None else stop
        if not 0 <= start <= stop <= length:
            raise ReviewError(
                f'frames {start} to {stop} of a video with {length} frames',
                video=row['video_id'],
                instance=key,
                fix=f'0 <= start <= stop <= {length}',
            )
        video = self.index.video(row['video_id'])
        read = self._reviewed if source == REVIEWED else self.index.masks
        masks = read(row, source, start, stop)
        return dict(
            size=[video.height, video.width],
            masks=_uncompressed(masks),
        )

    def _reviewed(
        self, row: Row, source: str, start: int, stop: int
    ) -> List[Optional[RLE]]:
        """Read the masks that applying the decisions would give."""
        marks = self.marks(row['id'])[start:stop]
        by_mark: Dict[Optional[str], List[Optional[RLE]]] = {
            'reject': [None] * (stop - start)
        }
        for mark in {*marks} - {'reject'}:
            name = FINAL if mark in (None, 'accept') else mark
            by_mark[mark] = self.index.masks(row, str(name), start, stop)
        return [by_mark[mark][i] for i, mark in enumerate(marks)]

    # ------------------------------------------------------------ deciding
    def decide(self, entry: Any) -> Dict[str, Any]:
        """Check, add and save a decision.

        Args:
            entry (dict): ``track``, ``action``, ``source`` and ``frames``;
                see :class:`~pmvis_mm.review.decisions.Decision`.

        Returns:
            dict: ``track``, its ``status`` and ``decisions`` per frame, and
            ``counts`` of all.

        Raises:
            ReviewError: If it is malformed or names a track, source or
                frame that does not exist, or a source without a mask there.
            OutputError: If it cannot be saved.
        """
        decision = parse_decision(entry, time=now())
        row = self.index.track(decision.track)
        decision = replace(
            decision, video=row['video_id'], no_masks=not row['num_masks']
        )
        self._check(decision)
        if decision.action == 'choose':
            self._check_has_mask(decision, row)
        self.log.append(decision)
        return self._answer(decision.track)

    def undo(self) -> Dict[str, Any]:
        """Remove the last decision; answers as :meth:`decide`.

        Raises:
            ReviewError: If there is none.
            OutputError: If it cannot be saved.
        """
        decision = self.log.undo()
        answer = self._answer(decision.track)
        return dict(answer, undone=decision.to_json())

    def _answer(self, key: int) -> Dict[str, Any]:
        self._update(key)
        return dict(
            track=key,
            status=self.statuses.get(key, 'open'),
            decisions=self.marks(key),
            counts=self.counts(),
        )

    def _update(self, key: int) -> None:
        # Else a thread may write what it read before another decision.
        with self._lock:
            marks = self.marks(key)
            # The same for all frames is the same for those that matter.
            matters = self.index.matters(key) if len({*marks}) > 1 else []
            status = track_status(marks, matters)
            if status == 'open':
                self.statuses.pop(key, None)
            else:
                self.statuses[key] = status

    def _check(self, decision: Decision) -> None:
        length = self.lengths.get(decision.track)
        if length is None:
            raise ReviewError(
                'a decision is about a track that does not exist',
                file=self.log.path,
                video=decision.video,
                instance=decision.track,
                fix='name the review json of this index, or start a new one',
            )
        check_range(decision, length, self.log.path)
        if (
            decision.source is not None
            and decision.source not in self.index.sources
        ):
            raise self._unknown_source(decision.source, decision.track)

    def _check_has_mask(self, decision: Decision, row: Row) -> None:
        there = self.index.available(row).get(str(decision.source), [])
        first, last = decision.frames or (0, row['num_frames'] - 1)
        if not any(there[first : last + 1]):
            raise ReviewError(
                f'source {decision.source!r} has no mask in frames {first} '
                f'to {last}',
                video=row['video_id'],
                instance=row['id'],
                fix='choose a source that is available there, or reject',
            )

    def _unknown_source(self, source: str, track: int) -> ReviewError:
        return ReviewError(
            f'unknown source {source!r}',
            instance=track,
            fix=f'choose from {self.index.sources}',
        )


def _uncompressed(
    masks: Sequence[Optional[RLE]],
) -> List[Optional[List[int]]]:
    lengths, numbers = run_lengths([mask for mask in masks if mask])
    runs = iter(np.split(lengths, np.cumsum(numbers)))
    return [next(runs).tolist() if mask else None for mask in masks]
