"""From frames and label maps to what a video object segmenter reads."""

from typing import Optional, Tuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor

_MEAN = np.array([0.485, 0.456, 0.406], np.float32)
_STD = np.array([0.229, 0.224, 0.225], np.float32)
_STRIDE = 16


def network_size(
    height: int,
    width: int,
    max_long: Optional[int] = 1040,
    max_short: Optional[int] = None,
    scale: float = 1.0,
    align_corners: bool = True,
) -> Tuple[int, int]:
    """Compute the size that AOT and DeAOT see a frame at.

    Smaller frames are not enlarged unless ``scale`` says so; each side is
    rounded by itself, so that the aspect ratio changes a little.

    Args:
        height (int): Of the frame, pixels.
        width (int): Of the frame, pixels.
        max_long (int, optional): Longer sides shrink to it, before
            ``scale``. Published results use 1040. Defaults to 1040.
        max_short (int, optional): Likewise for the shorter side, before
            that. Defaults to None.
        scale (float): Of test-time augmentation. Defaults to 1.0.
        align_corners (bool): Whether sides are 16k + 1, else 16k. Defaults
            to True.

    Returns:
        tuple[int]: Height and width, pixels; at least 17, or 16.
    """
    h, w = float(height), float(width)
    if max_short is not None and min(h, w) > max_short:
        ratio = max_short / min(h, w)
        h, w = ratio * h, ratio * w
    if max_long is not None and max(h, w) > max_long:
        ratio = max_long / max(h, w)
        h, w = ratio * h, ratio * w
    extra = 1 if align_corners else 0
    # Whole pixels first, as the public code does; round() takes halves to
    # even numbers.
    rows, columns = (
        max(1, round((int(side * scale) - extra) / _STRIDE)) for side in (h, w)
    )
    return _STRIDE * rows + extra, _STRIDE * columns + extra


def prepare_frame(image: np.ndarray, size: Tuple[int, int]) -> Tensor:
    """Resize and normalise a frame.

    Args:
        image (np.ndarray): uint8, (H, W, 3), BGR.
        size (tuple[int]): Height and width of the result.

    Returns:
        Tensor: float32, (1, 3, height, width), RGB, normalised by
        ImageNet's mean and deviation. Bicubic interpolation may leave the
        range of the image, which the weights are used to.
    """
    rgb: np.ndarray = image[..., ::-1].astype(np.float32)
    if rgb.shape[:2] != tuple(size):
        rgb = cv2.resize(rgb, size[::-1], interpolation=cv2.INTER_CUBIC)
    rgb = (rgb / 255 - _MEAN) / _STD
    return torch.from_numpy(rgb.transpose(2, 0, 1).copy())[None]


def resize_labels(labels: Tensor, size: Tuple[int, int]) -> Tensor:
    """Resize a label map: row i of n comes from row floor(i * m / n).

    Args:
        labels (Tensor): int64, (H, W).
        size (tuple[int]): Height and width of the result.

    Returns:
        Tensor: int64, (height, width).
    """
    if labels.shape == tuple(size):
        return labels
    # float32 holds all labels exactly.
    resized = F.interpolate(labels[None, None].float(), size=tuple(size))
    return resized[0, 0].long()
