"""Mask2Former's own supervision by masks: assignment and losses at points."""

from dataclasses import dataclass
from typing import Any, Dict

import torch
from mmcv.ops import point_sample
from mmdet.models.task_modules import AssignResult
from mmdet.models.utils import get_uncertain_point_coords_with_randomness
from mmdet.utils import reduce_mean
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ..losses.utils import at_least_float32, zero_loss


@dataclass
class PointSampling:
    """How many points of a mask are looked at, and which.

    Attributes:
        num_points (int): Points per mask and frame.
        oversample_ratio (float): Candidates per point of the losses.
        importance_sample_ratio (float): Share of points that are taken
            where the prediction is least certain.
    """

    num_points: int
    oversample_ratio: float
    importance_sample_ratio: float


@torch.no_grad()
def assign_masks(
    assigner: Any,
    cls_score: Tensor,
    mask_pred: Tensor,
    gt: InstanceData,
    num_points: int,
) -> AssignResult:
    """Assign the queries of a clip to instances with masks.

    Args:
        assigner (Any): Assigner that reads ``scores``, ``labels`` and
            ``masks`` at points.
        cls_score (Tensor): float, (Q, num_classes + 1), logits.
        mask_pred (Tensor): float, (Q, T, h, w), logits.
        gt (InstanceData): ``labels`` (G, ) and ``masks`` (G, T, H, W).
        num_points (int): Points per frame; the same for all masks.

    Returns:
        AssignResult: Of the Q queries.
    """
    with torch.autocast(cls_score.device.type, enabled=False):
        points = torch.rand((1, num_points, 2), device=cls_score.device)
        sampled = [
            point_sample(
                masks.float(), points.expand(len(masks), -1, -1)
            ).flatten(1)
            for masks in (mask_pred, gt.masks)
        ]
        return assigner.assign(
            InstanceData(scores=cls_score.float(), masks=sampled[0]),
            InstanceData(labels=gt.labels, masks=sampled[1]),
            {},
        )


def mask_point_losses(
    logits: Tensor,
    masks: Tensor,
    loss_mask: nn.Module,
    loss_dice: nn.Module,
    sampling: PointSampling,
) -> Dict[str, Tensor]:
    """Compute cross entropy and Dice of masks at uncertain points.

    As in `Mask2Former for video <https://arxiv.org/abs/2112.10764>`_: both
    are means over points, summed over instances and frames, divided by the
    number of instances (mean over the processes, at least 1). MMDetection's
    own head multiplies the cross entropy by the number of frames once more.

    Args:
        logits (Tensor): float, (M, T, h, w), of the assigned queries.
        masks (Tensor): uint8, (M, T, H, W), of their instances.
        loss_mask (nn.Module): Cross entropy, takes ``avg_factor``.
        loss_dice (nn.Module): Dice loss, takes ``avg_factor``.
        sampling (PointSampling): Which points.

    Returns:
        dict[str, Tensor]: ``loss_mask`` and ``loss_dice``, 0 with a
        gradient path if M is 0.
    """
    # Before any early return: all processes must count.
    count = reduce_mean(
        logits.new_tensor(len(logits), dtype=torch.float32)
    ).clamp(min=1)
    if len(logits) == 0:
        return dict(loss_mask=zero_loss(logits), loss_dice=zero_loss(logits))
    maps = at_least_float32(logits).flatten(0, 1)[:, None]
    with torch.no_grad():
        points = get_uncertain_point_coords_with_randomness(
            maps,
            None,
            sampling.num_points,
            sampling.oversample_ratio,
            sampling.importance_sample_ratio,
        )
        wanted = point_sample(
            masks.flatten(0, 1)[:, None].to(maps.dtype), points
        )[:, 0]
    found = point_sample(maps, points)[:, 0]
    return dict(
        loss_mask=loss_mask(
            found.flatten(),
            wanted.flatten(),
            avg_factor=count * sampling.num_points,
        ),
        loss_dice=loss_dice(found, wanted, avg_factor=count),
    )
