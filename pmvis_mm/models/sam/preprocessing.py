"""From frames and boxes to the square input of SAM."""

from typing import Any, Tuple

import numpy as np
import torch
from PIL import Image
from torch import Tensor

from ...utils.errors import AnnotationError, FrameError

# Of ImageNet, RGB, grey levels; the checkpoints know no other.
_MEAN = (123.675, 116.28, 103.53)
_STD = (58.395, 57.12, 57.375)


def input_shape(height: int, width: int, img_size: int) -> Tuple[int, int]:
    """Scale the longer side of a frame to ``img_size``.

    Args:
        height (int): Height of the frame, pixels.
        width (int): Width of the frame, pixels.
        img_size (int): Side of the padded input, pixels.

    Returns:
        tuple[int]: (height, width) of the scaled frame, at least one pixel.
    """
    scale = img_size / max(height, width)
    return (
        max(int(height * scale + 0.5), 1),
        max(int(width * scale + 0.5), 1),
    )


def resize_frame(image: np.ndarray, img_size: int) -> np.ndarray:
    """Scale a frame as SAM was trained: antialiased bilinear, by Pillow.

    Args:
        image (np.ndarray): uint8, (H, W, 3), BGR.
        img_size (int): Longer side of the result, pixels.

    Returns:
        np.ndarray: uint8, (h, w, 3), RGB.

    Raises:
        FrameError: If it is no such image.
    """
    if (
        not isinstance(image, np.ndarray)
        or image.dtype != np.uint8
        or image.ndim != 3
        or image.shape[2] != 3
        or not image.size
    ):
        got = f'{type(image).__name__}'
        if isinstance(image, np.ndarray):
            got = f'{image.dtype} {image.shape}'
        raise FrameError(
            f'a frame must be uint8 (H, W, 3), got {got}',
            fix='give BGR frames as the frame reader does',
        )
    height, width = input_shape(image.shape[0], image.shape[1], img_size)
    rgb = Image.fromarray(np.ascontiguousarray(image[..., ::-1]))
    return np.array(rgb.resize((width, height), Image.Resampling.BILINEAR))


def normalize_and_pad(rgb: Tensor, img_size: int) -> Tensor:
    """Normalise a scaled frame and pad it with zeros.

    Args:
        rgb (Tensor): uint8, (h, w, 3).
        img_size (int): Side of the result, pixels.

    Returns:
        Tensor: float32, (3, img_size, img_size); the frame lies at the top
        left.
    """
    height, width = rgb.shape[:2]
    mean = torch.tensor(_MEAN, device=rgb.device)
    std = torch.tensor(_STD, device=rgb.device)
    padded = torch.zeros(3, img_size, img_size, device=rgb.device)
    padded[:, :height, :width] = ((rgb.float() - mean) / std).permute(2, 0, 1)
    return padded


def boxes_to_input(
    boxes: Any, ori_shape: Tuple[int, int], new_shape: Tuple[int, int]
) -> np.ndarray:
    """Clip boxes to their frame and move them to the scaled frame.

    Args:
        boxes (array-like): (n, 4), xyxy, pixels of the frame; the right and
            bottom edge of a half-open box are the corner that SAM sees.
        ori_shape (tuple[int]): (height, width) of the frame.
        new_shape (tuple[int]): (height, width) of the scaled frame.

    Returns:
        np.ndarray: float32, (n, 4), xyxy, pixels of the scaled frame.

    Raises:
        AnnotationError: If they are no boxes.
    """
    if isinstance(boxes, Tensor):
        boxes = boxes.detach().cpu()
    values = np.asarray(boxes, dtype=np.float64)
    if values.size == 0:
        return np.zeros((0, 4), np.float32)
    if values.ndim != 2 or values.shape[1] != 4:
        raise AnnotationError(
            f'boxes must be (n, 4), got {values.shape}',
            fix='give x0, y0, x1, y1 of each box, in pixels',
        )
    bad = ~np.isfinite(values).all(1)
    bad |= (values[:, 2:] < values[:, :2]).any(1)
    if bad.any():
        first = int(np.flatnonzero(bad)[0])
        raise AnnotationError(
            f'box {first} is {values[first].tolist()}',
            fix='give finite x0 <= x1 and y0 <= y1, in pixels',
        )
    (height, width), (new_height, new_width) = ori_shape, new_shape
    values = np.clip(values, 0, [width, height, width, height])
    scale = np.array([new_width / width, new_height / height] * 2)
    return (values * scale).astype(np.float32)
