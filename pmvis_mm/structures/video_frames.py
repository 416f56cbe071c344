"""Any frame of a video file, the same picture as decoding in order gives.

OpenCV's own seeking is not to be trusted: it computes places from a nominal
frame rate. Here a place counts only if the time stamp of what comes next is
found among those of the packets; otherwise the file is decoded from its
start.
"""

import bisect
import os
import threading
from collections import OrderedDict
from typing import Any, List, Optional, Tuple

import cv2
import numpy as np

from ..utils.errors import FrameError
from ..utils.fileio import file_stamp
from .video_file import VideoCapture, packet_times

# Open files per process and thread; a decoder holds some reference frames.
MAX_OPEN = 4
# Frames that are decoded and dropped rather than sought for.
_NEAR = 32
_SAME_TIME = 5e-4  # seconds


class VideoFrames:
    """Frames of one video file by their number.

    Holds one open decoder and the frame read last. Not for several threads
    or processes; see :func:`read_video_frame`.

    Args:
        path (str): A video file.

    Raises:
        FrameError: If there is nothing that can be opened.
    """

    def __init__(self, path: str) -> None:
        self.path = path
        self._capture = VideoCapture(path, num_threads=1)
        self._next = 0  # number of the frame that is decoded next
        self._last: Optional[Tuple[int, np.ndarray]] = None
        self._start: List[float] = []  # time stamps from frame 0 on
        self._times: Optional[List[float]] = None  # of all; [] if unusable

    def read(self, frame: int) -> np.ndarray:
        """Decode a frame.

        Args:
            frame (int): 0-based, in the order of presentation.

        Returns:
            np.ndarray: uint8, (H, W, 3), BGR, upright.

        Raises:
            FrameError: If the video ends before it.
        """
        if self._last is not None and self._last[0] == frame:
            return self._last[1].copy()
        if not 0 <= frame - self._next <= _NEAR and not self._seek(frame):
            if frame < self._next:
                self._reopen()
        while self._next < frame:
            if not self._capture.grab():
                raise self._ended(frame)
            self._passed()
        decoded = self._capture.read()
        if decoded is None:
            raise self._ended(frame)
        self._passed()
        self._last = (frame, decoded[0])
        return decoded[0].copy()

    def _passed(self) -> None:
        """Count a frame; note its time if all before it are known."""
        if self._next == len(self._start) < _NEAR:
            self._start.append(self._capture.time)
        self._next += 1

    def _reopen(self) -> None:
        self._capture.close()
        self._capture = VideoCapture(self.path, num_threads=1)
        self._next = 0

    def _seek(self, frame: int) -> bool:
        """Move to a frame by its time stamp.

        Returns:
            bool: False if it is not worth it or the file does not allow it;
            then frames are to be counted.
        """
        if frame <= _NEAR:
            return False
        times = self._all_times()
        if not frame < len(times):
            return False
        # OpenCV decodes from a key frame some way before the place, so that
        # pictures that lean on earlier ones are whole.
        capture, step = self._capture, 2
        while step < frame:
            capture.seek(frame - step)
            if capture.grab():
                found = self._place(capture.time, times)
                if found is not None and found < frame:
                    self._next = found + 1
                    return True
            step *= 4
        self._reopen()
        return True

    def _all_times(self) -> List[float]:
        """Time stamps of all frames; empty if they are not to be trusted."""
        if self._times is not None:
            return self._times
        if self._next > len(self._start) or len(self._start) < 2:
            self._reopen()
        while len(self._start) < _NEAR and self._capture.grab():
            self._passed()
        times = packet_times(self.path)
        # Packets before the start of an edit list are not shown.
        first = bisect.bisect_left(times, self._start[0] - _SAME_TIME)
        times = times[first:]
        steps = np.diff(times)
        begin = np.array(times[: len(self._start)])
        fits = (
            len(steps) > 0
            and steps.min() > 2 * _SAME_TIME
            and len(begin) == len(self._start)
            and np.abs(begin - self._start).max() < _SAME_TIME
        )
        self._times = times if fits else []
        return self._times

    @staticmethod
    def _place(time: float, times: List[float]) -> Optional[int]:
        place = bisect.bisect_left(times, time - _SAME_TIME)
        if place < len(times) and abs(times[place] - time) < _SAME_TIME:
            return place
        return None

    def _ended(self, frame: int) -> FrameError:
        length, self._last = self._next, None
        self._reopen()
        return FrameError(
            f'the video ends after {length} frames, before frame {frame}',
            file=self.path,
            frame=frame,
            fix='correct the frame numbers, or copy or download the video '
            'again if it should be longer',
        )

    def close(self) -> None:
        """Give back the file."""
        self._capture.close()


class _OpenVideos(threading.local):
    """The videos that a thread has open, by path."""

    def __init__(self) -> None:
        self.process = os.getpid()
        self.videos: OrderedDict[Any, VideoFrames] = OrderedDict()
        self.left_alone: List[Any] = []


_OPEN = _OpenVideos()


def read_video_frame(path: str, frame: int) -> np.ndarray:
    """Decode a frame of a video file.

    A few files stay open per process and thread, so that frames which follow
    one another do not decode from the start again. A file that changes is
    opened anew.

    Args:
        path (str): A video file.
        frame (int): 0-based, in the order of presentation.

    Returns:
        np.ndarray: uint8, (H, W, 3), BGR, upright.

    Raises:
        FrameError: If the file is missing or no video, or ends before the
            frame.
    """
    if _OPEN.process != os.getpid():
        # After a fork the files are shared with the parent: reading or
        # closing here would disturb it.
        _OPEN.left_alone.append(_OPEN.videos)
        _OPEN.process, _OPEN.videos = os.getpid(), OrderedDict()
    key = (path, file_stamp(path))
    video = _OPEN.videos.pop(key, None)
    if video is None:
        video = VideoFrames(path)
    _OPEN.videos[key] = video
    while len(_OPEN.videos) > MAX_OPEN:
        _OPEN.videos.popitem(last=False)[1].close()
    try:
        return video.read(frame)
    except cv2.error as reason:
        raise FrameError(
            f'the video does not decode ({reason})',
            file=path,
            frame=frame,
            fix='play it in a video player; copy or convert it again',
        ) from reason
