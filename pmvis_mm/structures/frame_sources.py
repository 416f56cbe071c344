"""Where the frames of a video come from: files, folders, arrays, others."""

import os
import re
import zlib
from pathlib import Path
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple, Union

import numpy as np

from ..utils.errors import FrameError
from .frame_reader import read_frame
from .video_file import (
    VideoCapture,
    VideoFacts,
    cut_off,
    lacks_tail,
    scan_video,
)

IMAGE_SUFFIXES = '.bmp .jpeg .jpg .pgm .png .ppm .tif .tiff .webp'.split()

Decoded = Tuple[np.ndarray, Optional[float]]


class FrameSource:
    """Where frames come from, in order; made by :func:`open_stream`.

    Attributes:
        name (str): Of the video.
        file (str, optional): For the messages.
        identity (dict, optional): Tells this video from others, for
            continuing after a kill; None where frames do not come again.
    """

    name: str = 'video'
    file: Optional[str] = None
    fps: Optional[float] = None
    length: Optional[int] = None
    file_names: Optional[Tuple[str, ...]] = None
    identity: Optional[Dict[str, Any]] = None

    def read(self, index: int) -> Optional[Decoded]:
        """Give frame ``index``, the one after the last read or skipped."""
        raise NotImplementedError

    def skip(self, index: int) -> bool:
        """Leave frame ``index`` out; False if there is none."""
        return self.read(index) is not None

    def close(self) -> None:
        """Give back files and cameras."""


def natural_key(name: str) -> List[Any]:
    """Sort key by which numbers in names count as numbers."""
    parts = re.split(r'(\d+)', name)
    return [int(p) if p.isdecimal() else p.lower() for p in parts] + [name]


class VideoSource(FrameSource):
    """A video file, a network stream or a camera."""

    def __init__(self, source: Union[str, int], on_error: str) -> None:
        self._capture = VideoCapture(source)
        self._on_error = on_error
        self._facts: Optional[VideoFacts] = None
        self._times: List[float] = []  # of the first and the last frame
        if isinstance(source, int):
            self.name = f'camera{source}'
            self.fps = self._capture.nominal_fps
            return
        self.file = source
        self.name = Path(source).stem or 'video'
        if '://' in source:
            self.fps = self._capture.nominal_fps
            return
        facts = self._facts = scan_video(source)
        self.fps = facts.fps if facts.fps > 0 else None
        self.length = facts.num_packets or None
        self.identity = dict(
            file=Path(source).name, bytes=os.path.getsize(source)
        )
        if lacks_tail(facts, facts.num_packets, facts.last_time):
            self._complain(facts.num_packets)

    def read(self, index: int) -> Optional[Decoded]:
        decoded = self._capture.read()
        if not self._goes_on(index, decoded is not None):
            return None
        return decoded

    def skip(self, index: int) -> bool:
        return self._goes_on(index, self._capture.grab())

    def _goes_on(self, index: int, found: bool) -> bool:
        """Note the time, or find out why there is no frame."""
        if found:
            self._times = [*self._times[:1], self._capture.time]
        elif self._facts is not None:
            elapsed = self._times[-1] - self._times[0] if self._times else -1
            if lacks_tail(self._facts, index, elapsed):
                self._complain(index)
        return found

    def _complain(self, frame: int) -> None:
        if self._on_error == 'raise':
            self.close()
            assert self._facts is not None
            raise cut_off(self.file, frame, self._facts)

    def close(self) -> None:
        self._capture.close()


class SequenceSource(FrameSource):
    """Arrays in memory, or paths of images."""

    def __init__(self, frames: Sequence[Any], name: str = 'video') -> None:
        self._frames = frames
        self.name = name
        self.length = len(frames)
        self.identity = dict(name=name, length=len(frames))
        if all(isinstance(frame, (str, os.PathLike)) for frame in frames):
            names = [os.path.basename(os.fspath(frame)) for frame in frames]
            self.file_names = tuple(names)
            sizes = [str(_size_of(frame)) for frame in frames]
            listing = '\n'.join([*names, *sizes]).encode()
            self.identity['files'] = zlib.crc32(listing)
        elif all(_is_plain(frame) for frame in frames):
            # Videos may well begin with the same, black frame.
            pixels = 0
            for frame in frames:
                pixels = zlib.crc32(np.ascontiguousarray(frame).data, pixels)
            self.identity['pixels'] = pixels

    def read(self, index: int) -> Optional[Decoded]:
        if index >= len(self._frames):
            return None
        return _load(self._frames[index], self.name, index), None

    def skip(self, index: int) -> bool:
        return index < len(self._frames)


class IteratorSource(FrameSource):
    """Frames that someone else makes."""

    def __init__(self, frames: Iterator[Any]) -> None:
        self._frames = frames

    def read(self, index: int) -> Optional[Decoded]:
        try:
            frame = next(self._frames)
        except StopIteration:
            return None
        return _load(frame, self.name, index), None

    def close(self) -> None:
        close = getattr(self._frames, 'close', None)
        if close is not None:
            close()


def _is_plain(frame: Any) -> bool:
    return isinstance(frame, np.ndarray) and frame.dtype == np.uint8


def _size_of(path: Any) -> int:
    try:
        return os.path.getsize(path)
    except OSError:  # missing, or a URL
        return -1


def _load(frame: Any, video: str, index: int) -> Any:
    if isinstance(frame, (str, os.PathLike)):
        return read_frame(os.fspath(frame), video=video, frame=index)
    return frame


def folder_source(path: str) -> FrameSource:
    names = [
        name
        for name in os.listdir(path)
        if Path(name).suffix.lower() in IMAGE_SUFFIXES
        and not name.startswith('.')
    ]
    if not names:
        raise FrameError(
            'no images in this folder',
            file=path,
            fix=f'give a folder with images ({" ".join(IMAGE_SUFFIXES)}); '
            'for videos, list the files',
        )
    names.sort(key=natural_key)
    full = os.path.abspath(path)
    source = SequenceSource(
        [os.path.join(path, name) for name in names], os.path.basename(full)
    )
    source.file = path
    return source
