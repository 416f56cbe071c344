"""Filled boxes at points, and the tight boxes of masks; nothing is drawn."""

from typing import Tuple

import torch
from torch import Tensor


def tight_boxes(masks: Tensor) -> Tensor:
    """Find the tight boxes of masks.

    Args:
        masks (Tensor): bool, (..., h, w).

    Returns:
        Tensor: float32, (..., 4), half-open xyxy in pixels of the masks;
        zeros where a mask is empty.
    """
    x1, x2 = _extent(masks.any(-2))
    y1, y2 = _extent(masks.any(-1))
    return torch.stack((x1, y1, x2, y2), -1)


def sample_boxes(
    boxes: Tensor, points: Tensor, size: Tuple[int, int]
) -> Tensor:
    """Read filled boxes at points, as bilinear sampling of masks would.

    Equals ``grid_sample(..., align_corners=False)``, with zeros outside, of
    masks whose pixels are 1 inside of the boxes: bilinear interpolation of
    a rectangle is the product of one ramp along x and one along y, so that
    no mask is needed.

    Args:
        boxes (Tensor): float, (..., 4), half-open xyxy, whole pixels; empty
            where x2 <= x1 or y2 <= y1.
        points (Tensor): float, (P, 2), x and y in [0, 1] of the image.
        size (tuple[int]): Height and width of the image that the boxes are
            in, pixels. What is outside of it is cut off.

    Returns:
        Tensor: float32, (..., P), in [0, 1].
    """
    height, width = size
    x1, y1, x2, y2 = boxes.float().unbind(-1)
    along_x = _ramp(points[:, 0].float(), x1, x2, width)
    along_y = _ramp(points[:, 1].float(), y1, y2, height)
    return along_x * along_y


def inclusive_boxes(boxes: Tensor, size: Tuple[int, int]) -> Tensor:
    """Normalise boxes, the last pixel of each included.

    The box costs of the public MaskFreeVIS compare boxes like this: their
    right and bottom are those of the last pixel, not of the next one.

    Args:
        boxes (Tensor): float, (..., 4), half-open xyxy, whole pixels.
        size (tuple[int]): Height and width of the image, pixels. What is
            outside of it is cut off.

    Returns:
        Tensor: float32, (..., 4), xyxy in [0, 1); zeros for empty boxes.
    """
    height, width = size
    scale = torch.tensor([width, height, width, height], device=boxes.device)
    boxes = boxes.float().clamp(min=0).minimum(scale)
    last = boxes.new_tensor([0, 0, 1, 1])
    filled = (boxes[..., 2:] > boxes[..., :2]).all(-1, keepdim=True)
    return (boxes - last) / scale * filled


def _extent(used: Tensor) -> Tuple[Tensor, Tensor]:
    """First True and one past the last of (..., n); zeros if there is none."""
    flags = used.byte()
    some = used.any(-1)
    first = flags.argmax(-1)
    stop = used.size(-1) - flags.flip(-1).argmax(-1)
    return first.float() * some, stop.float() * some


def _ramp(points: Tensor, low: Tensor, high: Tensor, length: int) -> Tensor:
    """Interpolate the pixels [low, high) of a line at points in [0, 1]."""
    low = low.clamp(min=0)[..., None]
    high = high.clamp(max=length)[..., None]
    # Pixel i has its centre at (i + 0.5) / length.
    pixel = points * length - 0.5
    ramp = torch.minimum(pixel - low + 1, high - pixel).clamp(0, 1)
    return ramp * (high > low)
