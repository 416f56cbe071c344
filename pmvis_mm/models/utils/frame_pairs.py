"""Matching the instances of two frames of a training clip."""

from dataclasses import dataclass

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
    same = key_gt.instances_ids[:, None] == ref_gt.instances_ids[None]
    key_rows, ref_rows = same.nonzero(as_tuple=True)
    return FramePair(
        key=_instances(key, key_gt.bboxes, key_gt.labels),
        ref=_instances(ref, ref_gt.bboxes[ref_rows], key_gt.labels[key_rows]),
        ref_rows=key_rows,
    )


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
