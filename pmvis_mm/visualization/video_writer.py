"""Writing video files, frame by frame."""

import os
import tempfile
from pathlib import Path
from typing import Iterable, Iterator, Optional, Sequence, Tuple, Union

import cv2
import numpy as np

from ..utils.errors import FrameError, OutputError

# VP9 plays in browsers; both are in OpenCV's wheel, which has no GPL parts.
CODECS = ('vp09', 'mp4v')


def write_video(
    path: Union[str, Path],
    frames: Iterable[np.ndarray],
    fps: float = 10.0,
    codecs: Sequence[str] = CODECS,
) -> int:
    """Write a video that appears only when complete.

    Args:
        path (str | Path): Target, an mp4 file.
        frames (Iterable[np.ndarray]): uint8, (H, W, 3), BGR, all of one
            size; asked for one at a time and not kept. An odd size is
            padded by one pixel.
        fps (float): Frames per second. Defaults to 10.
        codecs (Sequence[str]): Four-character codes, tried in this order.
            Defaults to VP9, then MPEG-4 part 2.

    Returns:
        int: Number of frames written.

    Raises:
        FrameError: If frames differ in size.
        OutputError: If there is no frame, no codec works, the folder cannot
            be written or the file does not read back.
    """
    path = Path(path)
    padded = _pad_all(frames)
    first = next(padded, None)
    if first is None:
        raise OutputError(
            'a video needs at least one frame', file=path, fix='give frames'
        )
    temporary = _temporary_file(path)
    try:
        count = _encode_frames(path, temporary, first, padded, fps, codecs)
        found = _count_frames(temporary)
        if found != count:
            raise OutputError(
                f'wrote {count} frames, but {found} read back',
                file=path,
                fix='check the free space, or install another OpenCV',
            )
        os.replace(temporary, path)
    finally:
        temporary.unlink(missing_ok=True)
    return count


def _pad_all(frames: Iterable[np.ndarray]) -> Iterator[np.ndarray]:
    # Encoders subsample colour by two.
    for frame in frames:
        odd = frame.shape[0] % 2, frame.shape[1] % 2
        yield cv2.copyMakeBorder(
            frame, 0, odd[0], 0, odd[1], cv2.BORDER_REPLICATE
        )


def _temporary_file(path: Path) -> Path:
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        handle, name = tempfile.mkstemp(
            dir=path.parent, prefix=f'.{path.stem}.', suffix='.mp4'
        )
        os.close(handle)
        umask = os.umask(0)
        os.umask(umask)
        os.chmod(name, 0o666 & ~umask)
    except OSError as error:
        raise OutputError(
            f'cannot write here: {error.strerror or error}',
            file=path,
            fix='choose another output folder or make this one writable',
        ) from error
    return Path(name)


def _encode_frames(
    path: Path,
    temporary: Path,
    first: np.ndarray,
    rest: Iterator[np.ndarray],
    fps: float,
    codecs: Sequence[str],
) -> int:
    writer = _open_writer(path, temporary, first.shape, fps, codecs)
    count = 0
    try:
        frame: Optional[np.ndarray] = first
        while frame is not None:
            if frame.shape != first.shape:
                raise FrameError(
                    f'frame is {frame.shape[1]}x{frame.shape[0]} pixels, '
                    f'but the first is {first.shape[1]}x{first.shape[0]}',
                    file=path,
                    frame=count,
                    fix='write one video per frame size',
                )
            writer.write(frame)
            count += 1
            frame = next(rest, None)
    finally:
        writer.release()
    return count


def _open_writer(
    path: Path,
    temporary: Path,
    shape: Tuple[int, ...],
    fps: float,
    codecs: Sequence[str],
) -> cv2.VideoWriter:
    for codec in codecs:
        writer = cv2.VideoWriter(
            str(temporary),
            cv2.VideoWriter_fourcc(*codec),
            fps,
            (shape[1], shape[0]),
        )
        if writer.isOpened():
            return writer
        writer.release()
    raise OutputError(
        f'OpenCV can write none of the codecs {list(codecs)}',
        file=path,
        fix='install the opencv-python wheel, or name other codecs',
    )


def _count_frames(path: Path) -> int:
    """Decode the first frame and ask the container for their number."""
    reader = cv2.VideoCapture(str(path))
    try:
        if not reader.isOpened() or not reader.read()[0]:
            return 0
        return int(reader.get(cv2.CAP_PROP_FRAME_COUNT))
    finally:
        reader.release()
