"""Writing video files, frame by frame."""

import os
from pathlib import Path
from typing import Iterable, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from ..utils.errors import FrameError, OutputError
from ..utils.fileio import disk_errors

# VP9 plays in browsers; both are in OpenCV's wheel, which has no GPL parts.
CODECS = ('vp09', 'mp4v')
# VP8 is encoded five times as fast as VP9.
WEBM_CODECS = ('VP80', 'VP90')


class VideoFile:
    """A video that is written frame by frame and appears when complete.

    Until then it is a hidden file beside its target, ``.NAME.part.SUFFIX``,
    always the same one, so that what a killed process left is replaced by
    the next.

    Args:
        path (str | Path): Target. One process at a time may write it.
        fps (float): Frames per second. Defaults to 10.
        codecs (Sequence[str], optional): Four-character codes, tried in
            this order. Defaults to None: VP9, then MPEG-4 part 2 in mp4;
            VP8, then VP9 in webm.
        container (str, optional): '.mp4' or '.webm'. Defaults to None: as
            the suffix of the path, mp4 without one.

    Attributes:
        count (int): Frames written so far.

    Raises:
        OutputError: If the folder cannot be written or ``path`` is one.
    """

    def __init__(
        self,
        path: Union[str, Path],
        fps: float = 10.0,
        codecs: Optional[Sequence[str]] = None,
        container: Optional[str] = None,
    ) -> None:
        self.path = Path(path)
        self.fps = fps
        suffix = container or self.path.suffix or '.mp4'
        if codecs is None:
            codecs = WEBM_CODECS if suffix.lower() == '.webm' else CODECS
        self.codecs = tuple(codecs)
        self.count = 0
        self._shape: Tuple[int, ...] = ()
        self._encoder: Optional[cv2.VideoWriter] = None
        self._part = self.path.with_name(f'.{self.path.name}.part{suffix}')
        with disk_errors(self.path):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            if self.path.is_dir():
                raise IsADirectoryError(21, 'this is a folder')
            self._part.write_bytes(b'')  # proves that the folder takes files

    def add(self, frame: np.ndarray) -> None:
        """Append a frame.

        Args:
            frame (np.ndarray): uint8, (H, W, 3), BGR, all of one size. An
                odd size is padded by one pixel.

        Raises:
            FrameError: If frames differ in size.
            OutputError: If no codec works.
        """
        odd = frame.shape[0] % 2, frame.shape[1] % 2
        if any(odd):  # encoders subsample colour by two
            frame = cv2.copyMakeBorder(
                frame, 0, odd[0], 0, odd[1], cv2.BORDER_REPLICATE
            )
        if self._encoder is None:
            self._encoder = self._open(frame.shape)
            self._shape = frame.shape
        if frame.shape != self._shape:
            raise FrameError(
                f'frame is {frame.shape[1]}x{frame.shape[0]} pixels, '
                f'but the first is {self._shape[1]}x{self._shape[0]}',
                file=self.path,
                frame=self.count,
                fix='write one video per frame size',
            )
        self._encoder.write(frame)
        self.count += 1

    def finish(self) -> int:
        """Complete the file.

        Returns:
            int: Number of frames written.

        Raises:
            OutputError: If there is no frame, the file does not read back
                or cannot be moved into its place.
        """
        try:
            if self._encoder is None:
                raise OutputError(
                    'a video needs at least one frame',
                    file=self.path,
                    fix='give frames',
                )
            self._encoder.release()
            found = _count_frames(self._part)
            if found != self.count:
                raise OutputError(
                    f'wrote {self.count} frames, but {found} read back',
                    file=self.path,
                    fix='check the free space, or install another OpenCV',
                )
            with disk_errors(self.path):
                os.replace(self._part, self.path)
        finally:
            self.abort()
        return self.count

    def abort(self) -> None:
        """Remove what was begun; nothing happens after :meth:`finish`."""
        if self._encoder is not None:
            self._encoder.release()
            self._encoder = None
        self._part.unlink(missing_ok=True)

    def _open(self, shape: Tuple[int, ...]) -> cv2.VideoWriter:
        for codec in self.codecs:
            writer = cv2.VideoWriter(
                str(self._part),
                cv2.VideoWriter_fourcc(*codec),
                self.fps,
                (shape[1], shape[0]),
            )
            if writer.isOpened():
                return writer
            writer.release()
        raise OutputError(
            f'OpenCV can write none of the codecs {list(self.codecs)}',
            file=self.path,
            fix='install the opencv-python wheel, or name other codecs',
        )


def write_video(
    path: Union[str, Path],
    frames: Iterable[np.ndarray],
    fps: float = 10.0,
    codecs: Optional[Sequence[str]] = None,
) -> int:
    """Write a video that appears only when complete.

    Args:
        path (str | Path): See :class:`VideoFile`.
        frames (Iterable[np.ndarray]): uint8, (H, W, 3), BGR, all of one
            size; asked for one at a time and not kept. An odd size is
            padded by one pixel.
        fps (float): Frames per second. Defaults to 10.
        codecs (Sequence[str], optional): See :class:`VideoFile`.

    Returns:
        int: Number of frames written.

    Raises:
        FrameError: If frames differ in size.
        OutputError: If there is no frame, no codec works, the folder cannot
            be written or the file does not read back.
    """
    video = VideoFile(path, fps, codecs)
    try:
        for frame in frames:
            video.add(frame)
        return video.finish()
    finally:
        video.abort()


def _count_frames(path: Path) -> int:
    """Decode the first frame and ask the container for their number."""
    reader = cv2.VideoCapture(str(path))
    try:
        if not reader.isOpened() or not reader.read()[0]:
            return 0
        return int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        reader.release()
