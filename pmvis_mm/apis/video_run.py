"""One video through a model: frames in, tracks out, nothing kept."""

import gc
import logging
from collections import deque
from dataclasses import dataclass, field
from itertools import islice
from pathlib import Path
from typing import (
    Any,
    Deque,
    Generator,
    Iterator,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
    Union,
)

import numpy as np
from mmengine.logging import print_log
from mmengine.structures import InstanceData

from ..models.vis.clip_walk import ClipWalk
from ..structures.frame_stream import FrameStream, StreamFrame
from ..structures.journal_file import remove_journal
from ..structures.track_journal import TrackJournal
from ..structures.video_track import StreamInfo, VideoTrack
from ..utils.errors import FrameError


class FrameTracks(NamedTuple):
    """What a model finds in a frame.

    Attributes:
        frame (int): 0-based index.
        timestamp (float, optional): Seconds; None where there is no clock.
        image (np.ndarray, optional): uint8, (H, W, 3), BGR; None if images
            are not asked for.
        instances (InstanceData): See ``frames`` of
            :class:`~pmvis_mm.apis.ClipPrediction`.
    """

    frame: int
    timestamp: Optional[float]
    image: Optional[np.ndarray]
    instances: InstanceData


class JournalTracks:
    """Tracks in a journal; reads them anew for each ``iter()``.

    Args:
        journal (TrackJournal): Of a video that is over.
    """

    def __init__(self, journal: TrackJournal) -> None:
        self._journal = journal

    def __iter__(self) -> Iterator[VideoTrack]:
        return self._journal.iter_tracks()


class VideoRun:
    """Iterator over the frames of a video with what a model finds there.

    All predictions go into the journal. If it has some already, because an
    earlier run was killed, these come first, with their frames decoded
    again, and the model goes on behind them as if nothing had happened.
    Nothing is done ahead of time but for the frames of a clip.

    Args:
        walk (ClipWalk): Of the model, at its beginning.
        stream (FrameStream): The frames, at the beginning.
        journal (TrackJournal): Of this video.
        with_images (bool): Whether images are asked for; if not, frames
            that are done already are passed over. Defaults to True.
        max_frames (int, optional): Stop after so many. Defaults to None.

    Attributes:
        info (StreamInfo): What is known of the video beforehand.
        journal (TrackJournal): As given.
    """

    def __init__(
        self,
        walk: ClipWalk,
        stream: FrameStream,
        journal: TrackJournal,
        with_images: bool = True,
        max_frames: Optional[int] = None,
    ) -> None:
        self.info: StreamInfo = stream.info
        self.journal = journal
        self._walk = walk
        self._stream = stream
        self._with_images = with_images
        self._max_frames = max_frames
        self._stopped = False
        # Frames that the model has got but not answered for.
        self._waiting: Deque[StreamFrame] = deque()
        self._frames = self._run()

    def __iter__(self) -> 'VideoRun':
        return self

    def __next__(self) -> FrameTracks:
        try:
            return next(self._frames)
        except StopIteration:
            raise
        except BaseException:
            self.close()
            raise

    def stop(self) -> None:
        """End the video here; the frames of the clip still come."""
        self._stopped = True

    @property
    def length(self) -> int:
        """int: Number of frames so far; at the end that of the video."""
        return self.journal.length

    @property
    def tracks(self) -> JournalTracks:
        """JournalTracks: Iterable of the final tracks, by ascending id.

        Raises:
            FrameError: If the video is not over: walk over it first.
        """
        if not self.journal.finished:
            raise FrameError(
                f'only {self.length} frames have been predicted so far',
                video=self.info.name,
                fix='iterate over all frames before asking for the tracks',
            )
        return JournalTracks(self.journal)

    def close(self) -> None:
        """Give back video and journal.

        Predictions stay in the journal, but for those since its last
        commit.
        """
        self._frames.close()
        self._stream.close()
        if not self.journal.finished:  # others may go on with it
            self.journal.suspend()

    def _run(self) -> Generator[FrameTracks, None, None]:
        """Repeat what is known, then let the model go on."""
        first_needed = self.journal.next_frame
        if not self.journal.finished and self.journal.state is not None:
            self._walk.load_state(self.journal.state)
            first_needed = self._walk.first_needed
        kept: List[np.ndarray] = []
        for known in self._repeat(first_needed):
            if known.image is not None and known.frame >= first_needed:
                kept.append(known.image)
            yield known if self._with_images else known._replace(image=None)
        if not self.journal.finished:
            yield from self._predict(kept)
        self._stream.close()

    def _repeat(self, first_needed: int) -> Iterator[FrameTracks]:
        """Give frames that are in the journal already."""
        done = self.journal.next_frame
        known = self.journal.iter_frames(0, done)
        if self.journal.finished and not self._with_images:
            for frame, found in known:
                yield FrameTracks(frame, None, None, found)
        elif not self._with_images:
            skipped = self._stream.skip(first_needed)
            for frame, found in islice(known, skipped):
                yield FrameTracks(frame, None, None, found)
        for frame, found in known:
            item = next(self._stream, None)
            if item is None:
                raise FrameError(
                    f'the journal knows {done} frames, but the video has '
                    f'only {frame}',
                    file=self.journal.path,
                    video=self.info.name,
                    frame=frame,
                    fix='give the same video, or set resume=False',
                )
            yield FrameTracks(frame, item.timestamp, item.image, found)

    def _predict(self, kept: List[np.ndarray]) -> Iterator[FrameTracks]:
        verdict: Optional[InstanceData] = None
        for clip in self._walk.run(self._feed(kept)):
            for item, found in zip(self._waiting, clip.frames):
                self.journal.add(item.frame, found, item.timestamp)
            if clip.tracks is not None:
                verdict = clip.tracks
            # Behind the last frame the tracker has forgotten the video.
            if clip.frames and self.journal.due:
                self.journal.commit(self._walk.state())
            for found in clip.frames:
                item = self._waiting.popleft()
                image = item.image if self._with_images else None
                yield FrameTracks(item.frame, item.timestamp, image, found)
        self.journal.finish(verdict, not self._stopped)

    def _feed(self, kept: List[np.ndarray]) -> Iterator[np.ndarray]:
        yield from kept
        kept.clear()
        limit = self._max_frames
        while not self._stopped:
            if limit is not None and self._stream.position >= limit:
                return
            item = next(self._stream, None)
            if item is None:
                return
            self._waiting.append(item)
            yield item.image


@dataclass
class VideoPrediction:
    """What was found in a video; read from its journal when asked for.

    Attributes:
        info (StreamInfo): What was known of the video beforehand.
        length (int): Number of its frames.
        outputs (list[Path]): Files and folders written.
        visualization (list[np.ndarray]): Painted frames, if asked for.
        journal (TrackJournal): All predictions.
    """

    info: StreamInfo
    length: int
    journal: TrackJournal
    outputs: List[Path] = field(default_factory=list)
    visualization: List[np.ndarray] = field(default_factory=list)

    @property
    def tracks(self) -> JournalTracks:
        """JournalTracks: Iterable of ``VideoTrack``, by ascending id."""
        return JournalTracks(self.journal)

    def frames(self) -> Iterator[Tuple[int, InstanceData]]:
        """Iterate over frames and what was found there."""
        return self.journal.iter_frames()


def open_journal(
    path: Optional[Union[str, Path]],
    fingerprint: Mapping[str, Any],
    resume: bool,
    commit_interval: float = 1.0,
) -> TrackJournal:
    """Open the journal of an earlier run, or begin a new one.

    Args:
        path (str | Path, optional): File; None for a temporary one.
        fingerprint (Mapping): See :class:`TrackJournal`.
        resume (bool): Whether to go on with an old one.
        commit_interval (float): See :class:`TrackJournal`.

    Returns:
        TrackJournal: A new one as well if the old one does not know the
        state of the tracker, or the user had ended that run.

    Raises:
        OutputError: See :class:`TrackJournal`.
    """
    if path is not None and not resume:
        remove_journal(path)
    if path is not None and Path(path).exists():
        # A run that a "break" has left is in a cycle, and holds a lock.
        gc.collect()
    journal = TrackJournal(path, fingerprint, commit_interval)
    known = journal.whole if journal.finished else journal.state
    if known or not journal.next_frame:
        return journal
    reason = 'the state of this model is not known'
    if journal.finished:
        reason = 'the video was ended by hand'
    print_log(
        f'{reason} at frame {journal.next_frame}: beginning anew '
        f'[file {journal.path}]',
        'current',
        logging.WARNING,
    )
    journal.close()
    remove_journal(journal.path)
    return TrackJournal(path, fingerprint, commit_interval)
