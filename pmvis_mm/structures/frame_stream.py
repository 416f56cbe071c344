"""Frames of any video, one at a time."""

import os
import zlib
from pathlib import Path
from typing import (
    Any,
    Iterable,
    Mapping,
    NamedTuple,
    Optional,
    Tuple,
)

import numpy as np

from ..utils.errors import ConfigError, FrameError
from .frame_sources import (
    IMAGE_SUFFIXES,
    FrameSource,
    IteratorSource,
    SequenceSource,
    VideoSource,
    folder_source,
)
from .video_track import StreamInfo

ON_ERROR = ('raise', 'stop')


class StreamFrame(NamedTuple):
    """A frame.

    Attributes:
        frame (int): 0-based index, of the frames as they are decoded.
        image (np.ndarray): uint8, (H, W, 3), BGR.
        timestamp (float, optional): Seconds; None where there is no clock.
    """

    frame: int
    image: np.ndarray
    timestamp: Optional[float]


class FrameStream:
    """Iterator over the frames of a video; only the current one is held.

    All frames are brought to uint8 BGR: grey frames get three channels,
    alpha is dropped. A context manager, which closes the source.

    Args:
        source (FrameSource): Of the frames.

    Attributes:
        info (StreamInfo): What is known beforehand.
        identity (dict, optional): See :class:`FrameSource`; with the size
            and a checksum of the first frame.
        position (int): Index of the next frame; at the end the length.

    Raises:
        FrameError: If there is no frame, or the first one is broken.
    """

    def __init__(self, source: FrameSource) -> None:
        self._source = source
        self.position = 0
        # The size is known for sure once a frame has been decoded.
        self._first = self._read(None)
        if self._first is None:
            source.close()
            raise FrameError(
                'the video has no frame',
                file=source.file,
                video=source.name,
                fix='give at least one frame',
            )
        height, width = self._first.image.shape[:2]
        self.info = StreamInfo(
            source.name,
            height,
            width,
            source.fps,
            source.length,
            source.file_names,
        )
        self.identity = source.identity
        if self.identity is not None:
            pixels = zlib.crc32(self._first.image.tobytes())
            self.identity = dict(
                self.identity, size=[height, width], first_frame=pixels
            )

    def __iter__(self) -> 'FrameStream':
        return self

    def __next__(self) -> StreamFrame:
        found, self._first = self._first, None
        if found is None:
            found = self._read((self.info.height, self.info.width))
        if found is None:
            raise StopIteration
        self.position += 1
        return found

    def skip(self, count: int) -> int:
        """Leave frames out without looking at them.

        Videos are decoded all the same, so that indices stay those of the
        frames as they are decoded.

        Args:
            count (int): How many.

        Returns:
            int: How many there were.
        """
        begin = self.position
        while self.position - begin < count:
            if self._first is not None:
                self._first = None
            elif not self._source.skip(self.position):
                break
            self.position += 1
        return self.position - begin

    def _read(self, size: Optional[Tuple[int, int]]) -> Optional[StreamFrame]:
        decoded = self._source.read(self.position)
        if decoded is None:
            return None
        image = to_bgr(decoded[0], self._source, self.position)
        if size is not None and image.shape[:2] != size:
            raise FrameError(
                f'frame is {image.shape[1]}x{image.shape[0]} pixels but the '
                f'first is {size[1]}x{size[0]}',
                file=self._source.file,
                video=self._source.name,
                frame=self.position,
                fix='bring all frames of a video to one size, or split it',
            )
        return StreamFrame(self.position, image, decoded[1])

    def close(self) -> None:
        """Give back files and cameras."""
        self._source.close()

    def __enter__(self) -> 'FrameStream':
        return self

    def __exit__(self, *reason: Any) -> None:
        self.close()


def open_stream(
    source: Any,
    name: Optional[str] = None,
    on_error: str = 'raise',
    fps: Optional[float] = None,
) -> FrameStream:
    """Open a video of any kind.

    Args:
        source (object): One of

            - str | Path: a video file; a folder of images, which are taken
              in natural order (2.jpg before 10.jpg); an image; a URL that
              FFmpeg can open (``rtsp://``, ``http://``).
            - int: index of a camera.
            - np.ndarray: (T, H, W), or (T, H, W, C), C in 1, 3, 4; (H, W, 3)
              and (H, W, 4) are one frame.
            - Sequence of np.ndarray, (H, W) or (H, W, C), or of paths of
              images.
            - Iterator or other iterable of such frames or paths; they are
              not kept and not asked for ahead of time.
        name (str, optional): Of the video; may become a file name. Defaults
            to that of the file or folder.
        on_error (str): If a video file ends before it should, 'raise' an
            error, at once where the file is cut off; or 'stop' as if it
            ended there. Defaults to 'raise'.
        fps (float, optional): Frames per second where there is no clock.
            Defaults to None.

    Returns:
        FrameStream: Its frames are uint8 BGR.

    Raises:
        FrameError: If there is nothing to read or it is broken. Also while
            iterating: for broken frames, frames of another size and dtypes
            other than uint8.
        ConfigError: If ``on_error`` is unknown.
    """
    if on_error not in ON_ERROR:
        raise ConfigError(
            f'on_error={on_error!r} is unknown', fix=f'choose from {ON_ERROR}'
        )
    frames = _source_of(source, on_error)
    if name is not None:
        frames.name = name
    if frames.fps is None:
        frames.fps = fps
    return FrameStream(frames)


def _source_of(source: Any, on_error: str) -> FrameSource:
    """Choose what reads the frames."""
    if isinstance(source, (str, os.PathLike)):
        path = os.fspath(source)
        if os.path.isdir(path):
            return folder_source(path)
        if Path(path).suffix.lower() in IMAGE_SUFFIXES and '://' not in path:
            return SequenceSource([path], Path(path).stem)
        return VideoSource(path, on_error)
    if isinstance(source, (int, np.integer)) and not isinstance(source, bool):
        return VideoSource(int(source), on_error)
    if isinstance(source, np.ndarray):
        if source.ndim not in (3, 4):
            raise FrameError(
                f'an array of shape {source.shape} is no video',
                fix='give (T, H, W) or (T, H, W, C)',
            )
        if source.ndim == 3 and source.shape[2] in (3, 4):
            source = source[None]
    is_dict = isinstance(source, Mapping)
    if not is_dict and all(
        hasattr(source, name) for name in ('__len__', '__getitem__')
    ):
        return SequenceSource(source)
    if isinstance(source, Iterable) and not is_dict:
        return IteratorSource(iter(source))
    raise FrameError(
        f'{type(source).__name__} is no video',
        fix='give a path, the index of a camera, arrays or an iterator',
    )


def to_bgr(image: Any, source: FrameSource, frame: int) -> np.ndarray:
    """Bring a frame to uint8 BGR.

    Args:
        image (np.ndarray): uint8, (H, W), (H, W, 1), (H, W, 3) or
            (H, W, 4).
        source (FrameSource): For the message.
        frame (int): 0-based, for the message.

    Returns:
        np.ndarray: uint8, (H, W, 3); grey is repeated, alpha dropped.

    Raises:
        FrameError: If it is something else.
    """
    shape = getattr(image, 'shape', None)
    fits = (
        isinstance(image, np.ndarray)
        and image.dtype == np.uint8
        and (
            image.ndim == 2
            or (image.ndim == 3 and image.shape[2] in (1, 3, 4))
        )
        and image.size > 0
    )
    if not fits:
        what = type(image).__name__
        if isinstance(image, np.ndarray):
            what = f'{image.dtype} array of shape {shape}'
        raise FrameError(
            f'frame is a {what}',
            file=source.file,
            video=source.name,
            frame=frame,
            fix='give uint8 arrays (H, W), (H, W, 1), (H, W, 3) as BGR or '
            '(H, W, 4) as BGRA, with values 0 to 255',
        )
    if image.ndim == 2:
        image = image[..., None]
    if image.shape[2] == 1:
        return np.repeat(image, 3, axis=2)
    return np.ascontiguousarray(image[..., :3])
