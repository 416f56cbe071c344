"""Decoding video files, cameras and network streams with OpenCV.

OpenCV, not PyAV: its wheels carry an FFmpeg built under the LGPL, those of
PyAV contain x264, which is under the GPL; and mmcv brings OpenCV along
anyway. Both decode the same formats on the CPU of any system.
"""

import os
from dataclasses import dataclass
from pathlib import Path
from typing import Any, List, NoReturn, Optional, Tuple, Union

import cv2
import numpy as np

from ..utils.errors import FrameError

# Time stamps that end so many frames early are those of a whole file.
_SLACK = 2.5


@dataclass(frozen=True)
class VideoFacts:
    """What the packets of a video file say.

    Attributes:
        num_packets (int): Compressed frames in the file.
        last_time (float): Of the last frame, seconds after the first.
        fps (float): Mean frames per second, whatever the container claims.
        duration (float): What the container claims, seconds; 0 if nothing.
    """

    num_packets: int
    last_time: float
    fps: float
    duration: float


class VideoCapture:
    """Frames of a video, one after another.

    Args:
        source (str | int): File, URL, or index of a camera.
        num_threads (int, optional): Of the decoder; its own choice by
            default.

    Raises:
        FrameError: If there is nothing that can be opened.
    """

    def __init__(
        self, source: Union[str, int], num_threads: Optional[int] = None
    ) -> None:
        self.source = source
        if _is_file(source):
            _check_file(str(source))
        threads = [cv2.CAP_PROP_N_THREADS, num_threads]
        self._capture = _open(source, threads if num_threads else ())
        if not self._capture.isOpened():
            self._capture.release()
            _refuse(source)
        # Phones write upright videos lying down, with a note to turn them.
        self._capture.set(cv2.CAP_PROP_ORIENTATION_AUTO, 1)

    def read(self) -> Optional[Tuple[np.ndarray, float]]:
        """Decode the next frame.

        Returns:
            tuple, optional: uint8, (H, W, 3), BGR, upright, and its time
            stamp in seconds; None when there are no more.
        """
        found, image = self._capture.read()
        if not found or image is None:
            return None
        return image, self.time

    def grab(self) -> bool:
        """Decode the next frame but do not fetch it.

        Returns:
            bool: False when there are no more.
        """
        return bool(self._capture.grab())

    def seek(self, frame: int) -> None:
        """Move near a frame, as OpenCV guesses it from the frame rate.

        Args:
            frame (int): 0-based. What comes next may be another one.
        """
        self._capture.set(cv2.CAP_PROP_POS_FRAMES, frame)

    @property
    def time(self) -> float:
        """float: Of the frame read last, seconds."""
        return self._capture.get(cv2.CAP_PROP_POS_MSEC) / 1000

    @property
    def nominal_fps(self) -> Optional[float]:
        """float, optional: What the container or the camera claims."""
        fps = self._capture.get(cv2.CAP_PROP_FPS)
        return fps if 0 < fps < 1000 else None

    def close(self) -> None:
        """Give back file and camera."""
        self._capture.release()


def scan_video(path: Union[str, Path]) -> VideoFacts:
    """Walk over the packets of a file without decoding them.

    Containers may be wrong about the number of frames and about their rate
    (AVI files with B-frames, screen recordings); packets are not.

    Args:
        path (str | Path): A video file.

    Returns:
        VideoFacts: Takes as long as reading the file.

    Raises:
        FrameError: If it is missing, empty or no video.
    """
    times, claimed, claimed_fps = _scan(os.fspath(path))
    count = len(times)
    span = max(times) - min(times) if count > 1 else 0.0
    fps = (count - 1) / span if span > 0 else claimed_fps
    duration = max(claimed, 0) / claimed_fps if claimed_fps > 0 else 0.0
    return VideoFacts(count, span, fps, duration)


def packet_times(path: Union[str, Path]) -> List[float]:
    """Read the time stamps of all frames without decoding them.

    Args:
        path (str | Path): A video file.

    Returns:
        list[float]: Seconds, ascending; one per packet.

    Raises:
        FrameError: If it is missing, empty or no video.
    """
    return sorted(_scan(os.fspath(path))[0])


def _scan(path: str) -> Tuple[List[float], float, float]:
    """Read times of packets, claimed number of frames and rate."""
    _check_file(path)
    capture = _open(path, [cv2.CAP_PROP_FORMAT, -1])
    try:
        if not capture.isOpened():
            _refuse(path)
        claimed = capture.get(cv2.CAP_PROP_FRAME_COUNT)
        claimed_fps = capture.get(cv2.CAP_PROP_FPS)
        times: List[float] = []  # in the order of decoding
        while capture.grab():
            times.append(capture.get(cv2.CAP_PROP_POS_MSEC) / 1000)
    finally:
        capture.release()
    return times, claimed, claimed_fps


def lacks_tail(facts: VideoFacts, count: int, last_time: float) -> bool:
    """Tell whether a file ends before it should.

    Numbers of frames are no proof, as containers may be wrong about them:
    the time has to end early as well.

    Args:
        facts (VideoFacts): Of the file.
        count (int): Frames found.
        last_time (float): Time stamp of the last one, seconds after the
            first.

    Returns:
        bool: Whether frames are missing at the end.
    """
    if facts.fps <= 0:
        return count < facts.num_packets
    claimed = facts.duration - 1 / facts.fps
    end = max(claimed, facts.last_time)
    expected = max(facts.num_packets, round(facts.duration * facts.fps))
    return count < expected and last_time + _SLACK / facts.fps < end


def cut_off(path: Any, frame: int, facts: VideoFacts) -> FrameError:
    """Make the error about a file that lacks its tail.

    Args:
        path (object): The file.
        frame (int): The first frame that is missing.
        facts (VideoFacts): Of the file.

    Returns:
        FrameError: To be raised.
    """
    length = max(facts.num_packets, round(facts.duration * facts.fps))
    return FrameError(
        f'the video ends after {frame} of about {length} frames; the rest is '
        'missing or does not decode',
        file=path,
        frame=frame,
        fix="copy or download the file again, or set on_error='stop' to use "
        'what is there',
    )


def _is_file(source: Union[str, int]) -> bool:
    return not isinstance(source, int) and '://' not in str(source)


def _open(source: Union[str, int], params: Any = ()) -> cv2.VideoCapture:
    if isinstance(source, int):
        return cv2.VideoCapture(source)
    return cv2.VideoCapture(source, cv2.CAP_FFMPEG, list(params))


def _check_file(path: str) -> None:
    """Refuse what FFmpeg would refuse without a reason."""
    if not os.path.exists(path):
        raise FrameError(
            'video does not exist', file=path, fix='check the path'
        )
    if os.path.isfile(path) and os.path.getsize(path) == 0:
        raise FrameError(
            'video is empty (0 bytes)',
            file=path,
            fix='copy or download the file again',
        )


def _refuse(source: Union[str, int]) -> NoReturn:
    if isinstance(source, int):
        raise FrameError(
            f'camera {source} cannot be opened',
            fix='check its index, and that no other program uses it',
        )
    raise FrameError(
        'not a video that can be decoded, or cut off before its index',
        file=source,
        fix='play it in a video player; copy or download it again, or '
        'convert it, for example with "ffmpeg -i IN OUT.mp4"',
    )
