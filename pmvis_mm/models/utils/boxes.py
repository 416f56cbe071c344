"""Overlap of boxes."""

from typing import Tuple

import torch
from torch import Tensor


def pairwise_iou_giou(
    boxes1: Tensor, boxes2: Tensor, eps: float = 1e-7
) -> Tuple[Tensor, Tensor]:
    """Compute IoU and generalised IoU of all pairs of boxes.

    Eq. 1 to 3 of `GIoU <https://arxiv.org/abs/1902.09630>`_.

    Args:
        boxes1 (Tensor): float, (N, 4), xyxy, any unit.
        boxes2 (Tensor): float, (M, 4), xyxy, same unit.
        eps (float): Added to the enclosing area, where it divides, and
            nowhere else. Defaults to 1e-7.

    Returns:
        tuple[Tensor, Tensor]: float, (N, M), IoU in [0, 1] and GIoU in
        (-1, 1]. NaN for two boxes without area.
    """
    inter, union, hull = _areas(boxes1[:, None], boxes2[None])
    iou = inter / union
    return iou, iou - (hull - union) / (hull + eps)


def giou_loss(pred: Tensor, target: Tensor, eps: float = 1e-7) -> Tensor:
    """Compute 1 - GIoU of each row.

    Args:
        pred (Tensor): float, (..., 4), xyxy, any unit.
        target (Tensor): float, (..., 4), xyxy, same unit.
        eps (float): Added to the union and to the enclosing area, where
            they divide. Defaults to 1e-7.

    Returns:
        Tensor: float, (...), in [0, 2).
    """
    inter, union, hull = _areas(pred, target)
    return 1 - inter / (union + eps) + (hull - union) / (hull + eps)


def _areas(a: Tensor, b: Tensor) -> Tuple[Tensor, Tensor, Tensor]:
    """Areas of intersection, union and enclosing box, broadcasting."""
    low = torch.maximum(a[..., :2], b[..., :2])
    high = torch.minimum(a[..., 2:], b[..., 2:])
    inter = _area((high - low).clamp(min=0))
    low = torch.minimum(a[..., :2], b[..., :2])
    high = torch.maximum(a[..., 2:], b[..., 2:])
    hull = _area(high - low)
    both = _area(a[..., 2:] - a[..., :2]) + _area(b[..., 2:] - b[..., :2])
    return inter, both - inter, hull


def _area(size: Tensor) -> Tensor:
    """Width times height."""
    return size[..., 0] * size[..., 1]
