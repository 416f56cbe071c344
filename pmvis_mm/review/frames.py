"""Frames as jpeg, for a browser."""

import io
from typing import Optional

import cv2
import mmengine.fileio as fileio
from PIL import ExifTags, Image

from ..structures.frame_reader import FrameReader
from ..structures.video_annotations import VideoInfo
from ..utils.errors import FrameError, ReviewError

_QUALITY = 88


def frame_jpeg(
    video: VideoInfo, t: int, img_prefix: Optional[str], width: Optional[int]
) -> bytes:
    """Read a frame as jpeg.

    Args:
        video (VideoInfo): Its video.
        t (int): 0-based.
        img_prefix (str, optional): Folder or URL of the frames.
        width (int, optional): Width to shrink to, pixels; never enlarged.

    Returns:
        bytes: The file itself where it is a jpeg that need not shrink, else
        encoded anew.

    Raises:
        ReviewError: If the review has no frames, or no such frame.
        FrameError: If the frame is missing, truncated or of another size
            than the annotation says.
    """
    if img_prefix is None:
        raise ReviewError(
            'this review was built without frames',
            video=video.id,
            fix='give --img-prefix to tools/labeling/review.py',
        )
    if not 0 <= t < video.length:
        raise ReviewError(
            f'frame {t} of a video with {video.length} frames',
            video=video.id,
            fix=f'ask for one of 0 ... {video.length - 1}',
        )
    shrink = width is not None and width < video.width
    reader = FrameReader(video, img_prefix, cache_size=0)
    if not shrink:
        content = _original(reader.path(t), video)
        if content is not None:
            return content
    image = reader[t]
    if shrink and width is not None:
        height = max(round(video.height * width / video.width), 1)
        image = cv2.resize(
            image, (width, height), interpolation=cv2.INTER_AREA
        )
    done, jpeg = cv2.imencode(
        '.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY]
    )
    if not done:
        raise FrameError(
            'frame cannot be encoded as jpeg', video=video.id, frame=t
        )
    return bytes(jpeg)


def _original(path: str, video: VideoInfo) -> Optional[bytes]:
    """Read a jpeg that a browser shows as we do; else None.

    Whoever reads it properly afterwards says what is wrong with it.
    """
    try:
        content: bytes = fileio.get(path)
        with Image.open(io.BytesIO(content)) as image:
            plain = (
                image.format == 'JPEG'
                and image.mode in ('RGB', 'L')
                and image.size == (video.width, video.height)
                and image.getexif().get(ExifTags.Base.Orientation, 1) == 1
            )
    except (OSError, ValueError, SyntaxError):
        return None
    # Nothing but padding follows the end mark of a whole file.
    whole = content.rstrip(b'\0\n').endswith(b'\xff\xd9')
    return content if plain and whole else None
