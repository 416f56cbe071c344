"""Reading frames one at a time, with errors that name the frame."""

import os
from collections import OrderedDict
from typing import Any, Dict, Iterator, Optional, Set, Tuple

import mmengine.fileio as fileio
import numpy as np
from mmengine.fileio.backends import BaseStorageBackend, LocalBackend

from ..utils.errors import FrameError
from .frame_decoding import decode_frame
from .frame_path import split_frame_path
from .packed_frames import PackedFrames
from .video_annotations import VideoInfo
from .video_frames import read_video_frame


def read_frame(
    path: str,
    size: Optional[Tuple[int, int]] = None,
    video: Any = None,
    frame: Any = None,
    backend_args: Optional[Dict[str, Any]] = None,
) -> np.ndarray:
    """Read and decode one frame.

    Args:
        path (str): File or URL, as mmengine's file backends take it; or a
            frame of a video file, 'clip.mp4#17'.
        size (tuple[int], optional): Expected (height, width), pixels.
        video (object, optional): Id of the video, for the messages.
        frame (object, optional): 0-based index, for the messages.
        backend_args (dict, optional): Arguments of the file backend.

    Returns:
        np.ndarray: uint8, (H, W, 3), BGR.

    Raises:
        FrameError: If the file is missing, unreadable, truncated or of
            another size.
    """
    where: Dict[str, Any] = dict(file=path, video=video, frame=frame)
    try:
        image = _decode_path(path, backend_args)
    except FileNotFoundError:
        raise _missing(**where) from None
    except FrameError as error:
        # Storages and videos do not know which frame of which video it is.
        where['file'] = error.file or path
        if frame is None:
            where['frame'] = error.frame
        raise FrameError(error.problem, fix=error.fix, **where) from error
    except _NotAnImage as reason:
        raise FrameError(
            f'frame is truncated or not an image ({reason})',
            fix='extract or copy this frame again',
            **where,
        ) from reason
    except OSError as reason:
        raise FrameError(
            f'frame cannot be read ({reason.strerror or reason})',
            fix='check that the path names a readable image',
            **where,
        ) from reason
    if size is not None and image.shape[:2] != tuple(size):
        raise FrameError(
            f'frame is {image.shape[1]}x{image.shape[0]} pixels but the '
            f'annotation says {size[1]}x{size[0]}',
            fix='use the frames that were annotated, or correct "width" and '
            '"height" of the video',
            **where,
        )
    return image


class _NotAnImage(OSError):
    """Bytes were read but do not decode."""


def _decode_path(
    path: str, backend_args: Optional[Dict[str, Any]]
) -> np.ndarray:
    """Decode an image, or a frame of a video file."""
    in_video = split_frame_path(path)
    if in_video is not None:
        backend = _backend(path, backend_args)
        if isinstance(backend, LocalBackend):
            return read_video_frame(*in_video)
        if not isinstance(backend, PackedFrames):
            raise FrameError(
                f'{type(backend).__name__} gives no frames of video files',
                file=path,
                fix='copy the video to a local disk, or pack its frames with '
                'tools/dataset_converters/pack_frames.py',
            )
    content = fileio.get(path, backend_args=backend_args)
    try:
        return decode_frame(content)
    except OSError as reason:
        raise _NotAnImage(str(reason)) from reason


def _backend(
    path: str, backend_args: Optional[Dict[str, Any]]
) -> BaseStorageBackend:
    """The file backend; one for all, as opening an archive takes time."""
    return fileio.get_file_backend(
        path, backend_args=backend_args, enable_singleton=True
    )


def _missing(file: str, video: Any, frame: Any) -> FrameError:
    return FrameError(
        'frame does not exist',
        file=file,
        video=video,
        frame=frame,
        fix='check the image folder (data_root, data_prefix) and that all '
        'frames were extracted',
    )


class FrameReader:
    """Frames of one video, decoded when asked for.

    A few frames stay in memory, so that windows which overlap do not decode
    twice. It pickles without them.

    Args:
        video (VideoInfo): Names the frames and their size.
        img_prefix (str): Folder or URL in front of the file names. Defaults
            to ''.
        backend_args (dict, optional): Arguments of mmengine's file backend.
            Defaults to None.
        cache_size (int): Number of decoded frames kept. Defaults to 4.
    """

    def __init__(
        self,
        video: VideoInfo,
        img_prefix: str = '',
        backend_args: Optional[Dict[str, Any]] = None,
        cache_size: int = 4,
    ) -> None:
        if cache_size < 0:
            raise ValueError(f'`cache_size` must be >= 0, got {cache_size}')
        self.video = video
        self.img_prefix = os.fspath(img_prefix)
        self.backend_args = backend_args
        self.cache_size = cache_size
        self._cache: OrderedDict[int, np.ndarray] = OrderedDict()

    def __len__(self) -> int:
        return self.video.length

    def path(self, t: int) -> str:
        """Path of frame ``t`` (0-based)."""
        return os.path.join(self.img_prefix, self.video.file_names[t])

    def __getitem__(self, t: int) -> np.ndarray:
        """Read a frame.

        Args:
            t (int): 0-based; negative counts from the end.

        Returns:
            np.ndarray: uint8, (H, W, 3), BGR; the caller may write into it.

        Raises:
            IndexError: If there is no such frame.
            FrameError: If it is missing, truncated or of another size than
                the annotation says.
        """
        if not -len(self) <= t < len(self):
            raise IndexError(
                f'frame {t} of video {self.video.id}, which has {len(self)}'
            )
        t = int(t) % len(self)
        if t in self._cache:
            self._cache.move_to_end(t)
        else:
            self._cache[t] = self._read(t)
        image = self._cache[t].copy()
        while len(self._cache) > self.cache_size:
            self._cache.popitem(last=False)
        return image

    def __iter__(self) -> Iterator[np.ndarray]:
        for t in range(len(self)):
            yield self[t]

    def _read(self, t: int) -> np.ndarray:
        return read_frame(
            self.path(t),
            (self.video.height, self.video.width),
            self.video.id,
            t,
            self.backend_args,
        )

    def check_exists(
        self, listed: Optional[Dict[str, Set[str]]] = None
    ) -> None:
        """Look for all frames without reading them.

        Of video files it is not told how many frames they have.

        Args:
            listed (dict, optional): Names of the files in folders that were
                listed before; folders are added. Readers whose frames share
                a folder should share it. Defaults to None.

        Raises:
            FrameError: For the first frame that is missing.
        """
        listed = {} if listed is None else listed
        for t in range(len(self)):
            path = self.path(t)
            if not self._exists(path, listed):
                raise _missing(path, self.video.id, t)

    def _exists(self, path: str, listed: Dict[str, Set[str]]) -> bool:
        backend = _backend(path, self.backend_args)
        if not isinstance(backend, LocalBackend):
            return backend.exists(path)
        in_video = split_frame_path(path)
        if in_video is not None:
            path = in_video[0]
        # One listing per folder is far cheaper than one look per frame on
        # network disks.
        folder, name = os.path.split(path)
        if folder not in listed:
            try:
                listed[folder] = set(os.listdir(folder or '.'))
            except OSError:
                listed[folder] = set()
        return name in listed[folder]

    def __getstate__(self) -> Dict[str, Any]:
        return dict(self.__dict__, _cache=OrderedDict())

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(video={self.video.id}, '
            f'length={len(self)}, img_prefix={self.img_prefix!r})'
        )
