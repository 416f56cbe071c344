"""Matching the instances of two frames of a training clip."""

from dataclasses import dataclass
from typing import Tuple

import torch
from mmdet.structures import DetDataSample
from mmdet.structures.bbox import bbox_xyxy_to_cxcywh
from mmengine.structures import InstanceData
from torch import Tensor


@dataclass
class FramePair:
    """Instances of a key frame and of a reference frame.

    Attributes:
        key (InstanceData): The G instances of the key frame: ``bboxes``
            (G, 4), cxcywh in [0, 1] of the unpadded frame, and ``labels``.
        ref (InstanceData): Those of them that the reference frame shows as
            well, with their boxes there.
        ref_rows (Tensor): int64, their rows in ``key``.
    """

    key: InstanceData
    ref: InstanceData
    ref_rows: Tensor


def make_pair(key: DetDataSample, ref: DetDataSample) -> FramePair:
    """Find the instances of the key frame in the reference frame.

    Args:
        key (DetDataSample): ``gt_instances`` with ``bboxes`` (xyxy,
            pixels), ``labels`` and ``instances_ids``; ``img_shape``.
        ref (DetDataSample): The same of the reference frame.

    Returns:
        FramePair: Instances of the reference frame alone are left out, as
        in IDOL.
    """
    key_gt, ref_gt = key.gt_instances, ref.gt_instances
    key_rows, ref_rows = _same_instances(key, ref)
    return FramePair(
        key=_instances(key, key_gt.bboxes, key_gt.labels),
        ref=_instances(ref, ref_gt.bboxes[ref_rows], key_gt.labels[key_rows]),
        ref_rows=key_rows,
    )


def pair_boxes(key: DetDataSample, ref: DetDataSample) -> Tensor:
    """Boxes of the instances of the key frame in both frames.

    Args:
        key (DetDataSample): See :func:`make_pair`.
        ref (DetDataSample): See :func:`make_pair`.

    Returns:
        Tensor: float, (G, 2, 4), xyxy in pixels; key frame first. All zero
        where the reference frame does not show the instance.
    """
    key_rows, ref_rows = _same_instances(key, ref)
    here = key.gt_instances.bboxes
    there = torch.zeros_like(here)
    there[key_rows] = ref.gt_instances.bboxes[ref_rows].to(here.dtype)
    return torch.stack((here, there), 1)


def _same_instances(
    key: DetDataSample, ref: DetDataSample
) -> Tuple[Tensor, ...]:
    """Rows in both frames of the instances that both show, int64, (R, )."""
    key_ids = key.gt_instances.instances_ids
    same = key_ids[:, None] == ref.gt_instances.instances_ids[None]
    return same.nonzero(as_tuple=True)


def _instances(
    sample: DetDataSample, boxes: Tensor, labels: Tensor
) -> InstanceData:
    """Boxes xyxy in pixels to cxcywh in [0, 1]; errors name the frame."""
    height, width = sample.img_shape[:2]
    scale = torch.tensor([width, height, width, height])
    where = {
        key: sample.get(key)
        for key in ('video_id', 'frame_id')
        if key in sample
    }
    return InstanceData(
        metainfo=where,
        bboxes=bbox_xyxy_to_cxcywh(boxes.float()) / scale.to(boxes.device),
        labels=labels,
    )
