"""Decoding encoded images completely, or not at all."""

import io
from typing import Optional

import cv2
import numpy as np
from PIL import Image, ImageOps

# Segments of a JPEG that neither turn the picture nor change its colours:
# JFIF, ICC profile, tables, restart interval, comment.
_HARMLESS = (0xE0, 0xE2, 0xDB, 0xC4, 0xDD, 0xFE)
_FRAME_HEADERS = (0xC0, 0xC1, 0xC2)
_SCAN = 0xDA


def decode_frame(content: bytes) -> np.ndarray:
    """Decode an encoded image completely.

    Common JPEGs are decoded by OpenCV, three times as fast as by Pillow;
    both wheels carry libjpeg-turbo and give the same pixels. All others are
    decoded by Pillow, and so are JPEGs without end marker: OpenCV silently
    fills the missing part of a truncated file with grey.

    Args:
        content (bytes): The bytes of a JPEG, PNG, ... file.

    Returns:
        np.ndarray: uint8, (H, W, 3), BGR, upright as its EXIF tag says.

    Raises:
        OSError: If the bytes are truncated or not an image, have more pixels
            than Pillow takes for sane, or pixels are floats or of 32 bits,
            whose range nobody knows.
    """
    if _is_common_jpeg(content):
        decoded = _decode_jpeg(content)
        if decoded is not None:
            return decoded
    try:
        with Image.open(io.BytesIO(content)) as image:
            rgb = _to_rgb(ImageOps.exif_transpose(image), image.format)
    except (SyntaxError, ValueError, EOFError, IndexError) as reason:
        # What Pillow raises for a broken chunk depends on the format.
        raise OSError(str(reason)) from reason
    except Image.DecompressionBombError as reason:  # an Exception, no OSError
        raise OSError(str(reason)) from reason
    return cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR)


def _is_common_jpeg(content: bytes) -> bool:
    """Tell whether OpenCV does to a JPEG just what Pillow does.

    It has to end with the end marker, and may hold no segment that turns it
    (EXIF, XMP), chooses its colours (Adobe) or appends other pictures (MPF).
    """
    if content[:2] != b'\xff\xd8' or content[-2:] != b'\xff\xd9':
        return False
    place, fits = 2, False
    while place + 10 <= len(content) and content[place] == 0xFF:
        marker = content[place + 1]
        if marker == _SCAN:
            return fits
        if marker in _FRAME_HEADERS:
            # 8 bits per sample; grey or three channels.
            fits = content[place + 4] == 8 and content[place + 9] in (1, 3)
        elif marker not in _HARMLESS:
            return False
        elif content[place + 4 : place + 8] == b'MPF\0':
            return False
        place += 2 + int.from_bytes(content[place + 2 : place + 4], 'big')
    return False


def _decode_jpeg(content: bytes) -> Optional[np.ndarray]:
    """Decode with OpenCV; None if it refuses."""
    try:
        return cv2.imdecode(np.frombuffer(content, np.uint8), cv2.IMREAD_COLOR)
    except cv2.error:  # more pixels than OpenCV allows
        return None


def _to_rgb(image: Image.Image, kind: Optional[str]) -> np.ndarray:
    deep = image.mode == 'I' and kind in ('PNG', 'PPM')
    if deep or image.mode.startswith('I;16'):
        # Pillow would clip grey of 16 bits at 255, not scale it.
        grey = np.asarray(image).astype(np.int64) >> 8
        return np.repeat(grey[..., None], 3, axis=2).astype(np.uint8)
    if image.mode in ('I', 'F'):
        raise OSError(f'pixels of mode {image.mode}, not of 8 or 16 bits')
    if image.mode != 'RGB':  # convert() copies even if there is nothing to do
        image = image.convert('RGB')
    return np.asarray(image)
