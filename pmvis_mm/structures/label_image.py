"""Images whose pixel values are labels: reading, and splitting into masks."""

import io
from typing import Any, Dict, Optional, Tuple

import mmengine.fileio as fileio
import numpy as np
from numpy.typing import NDArray
from PIL import Image
from pycocotools import mask as coco_mask

from ..utils.errors import FrameError
from .rle import RLE

_8_BIT = ('P', 'L', '1')
_BROKEN = (
    OSError,
    SyntaxError,
    ValueError,
    EOFError,
    Image.DecompressionBombError,
)
_16_BIT = ('I;16', 'I;16B', 'I')  # 'I': older Pillow


def missing_file(kind: str, path: str, video: Any, frame: Any) -> FrameError:
    """Make the error for a file that is not there.

    Args:
        kind (str): What it is: 'frame' or 'label image'.
        path (str): Where it should be.
        video (object): Name of the video.
        frame (object): 0-based index of the frame.

    Returns:
        FrameError: To be raised.
    """
    return FrameError(
        f'{kind} does not exist',
        file=path,
        video=video,
        frame=frame,
        fix='check the folders and that everything was extracted, or leave '
        'the video out with exclude=[...]',
    )


def read_label_image(
    path: str,
    video: Any = None,
    frame: Any = None,
    backend_args: Optional[Dict[str, Any]] = None,
    allow_16_bit: bool = False,
) -> np.ndarray:
    """Read an image whose pixel values are labels, such as a palette PNG.

    Args:
        path (str): File or URL.
        video (object, optional): Name of the video, for the messages.
        frame (object, optional): 0-based index, for the messages.
        backend_args (dict, optional): Arguments of mmengine's file backend.
        allow_16_bit (bool): Whether grey images of 16 bits are welcome.
            Defaults to False.

    Returns:
        np.ndarray: uint8, (H, W); uint16 for an image of 16 bits.

    Raises:
        FrameError: If it is missing, broken or has colours for labels.
    """
    mode, labels = read_image_as_is(path, video, frame, backend_args)
    if mode in _8_BIT:
        return labels.astype(np.uint8)
    if mode in _16_BIT and allow_16_bit:
        return labels.astype(np.uint16)
    depth = '8 or 16 bit' if allow_16_bit else '8 bit'
    raise FrameError(
        f'label image has mode {mode}, not {depth} labels',
        file=path,
        video=video,
        frame=frame,
        fix='write PNG files with a palette, or grey ones whose values '
        'are the numbers of the objects',
    )


def read_image_as_is(
    path: str,
    video: Any = None,
    frame: Any = None,
    backend_args: Optional[Dict[str, Any]] = None,
) -> Tuple[str, np.ndarray]:
    """Read the values of an image that stand for labels, not for colours.

    Args:
        path (str): File or URL.
        video (object, optional): Name of the video, for the messages.
        frame (object, optional): 0-based index, for the messages.
        backend_args (dict, optional): Arguments of mmengine's file backend.

    Returns:
        tuple: The mode as Pillow names it ('P', 'L', 'I;16', 'RGBA', ...),
        and the values, (H, W) or (H, W, C).

    Raises:
        FrameError: If it is missing or broken.
    """
    try:
        content = fileio.get(path, backend_args=backend_args)
    except FileNotFoundError:
        raise missing_file('label image', path, video, frame) from None
    except OSError as reason:
        raise FrameError(
            f'label image cannot be read ({reason.strerror or reason})',
            file=path,
            video=video,
            frame=frame,
            fix='check that it is a file, and its permissions',
        ) from None
    try:
        with Image.open(io.BytesIO(content)) as image:
            return image.mode, np.array(image)
    except _BROKEN as reason:
        raise FrameError(
            f'label image is truncated or not an image ({reason})',
            file=path,
            video=video,
            frame=frame,
            fix='extract or copy this file again',
        ) from None


def encode_labels(labels: np.ndarray) -> Dict[int, RLE]:
    """Split an image of labels into masks, in one pass over the pixels.

    Args:
        labels (np.ndarray): Integer, (H, W), not negative; 0 is background.

    Returns:
        dict: Label to RLE of its pixels, by ascending label, as
        :func:`~pmvis_mm.structures.rle.encode` would write it.
    """
    height, width = labels.shape
    flat: NDArray[Any] = labels.T.ravel()  # column-major, as RLE wants it
    if not flat.size:
        return {}
    starts = np.flatnonzero(flat[1:] != flat[:-1]) + 1
    starts = np.concatenate([[0], starts])
    ends = np.append(starts[1:], flat.size)
    values = flat[starts]
    order = np.argsort(values, kind='stable')
    order = order[values[order] != 0]
    found, first = np.unique(values[order], return_index=True)
    masks = {}
    for value, runs in zip(found, np.split(order, first[1:])):
        edges = np.stack([starts[runs], ends[runs]], axis=1).ravel()
        counts = np.diff(edges, prepend=0)
        if edges[-1] < flat.size:
            counts = np.append(counts, flat.size - edges[-1])
        masks[int(value)] = _compress(counts, height, width)
    return masks


def _compress(counts: np.ndarray, height: int, width: int) -> RLE:
    plain = dict(size=[height, width], counts=counts.tolist())
    text = coco_mask.frPyObjects(plain, height, width)['counts']
    return dict(size=[height, width], counts=text.decode('ascii'))
