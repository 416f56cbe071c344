"""Instances of a clip, followed over its frames."""

from typing import List, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmdet.structures import DetDataSample
from mmengine.structures import InstanceData
from torch import Tensor

from ...utils.errors import ConfigError


def make_tubes(
    frames: Sequence[DetDataSample],
    input_shape: Tuple[int, int],
    with_masks: bool = False,
) -> InstanceData:
    """Join the instances of the frames of a clip by their ids.

    Args:
        frames (Sequence[DetDataSample]): T frames in the order of the clip.
            ``gt_instances`` with ``bboxes`` (n, 4), ``labels`` (n, ),
            ``instances_ids`` (n, ) and, if asked for, ``masks``
            (``BitmapMasks``) and maybe ``masks_valid`` (n, ).
        input_shape (tuple[int]): Height and width of the padded batch.
        with_masks (bool): Whether to join masks. Defaults to False.

    Returns:
        InstanceData: One row for each of the G ids that any frame shows, in
        the order of the ids. ``labels`` (G, ), int64, of any frame;
        ``bboxes`` (G, T, 4), float32, xyxy in pixels, zeros in frames
        without the instance; with masks also ``masks`` (G, T, H, W), uint8,
        and ``masks_valid`` (G, T), bool, False where a frame shows the
        instance, but has no mask of it.
    """
    instances = [frame.gt_instances for frame in frames]
    ids = torch.cat([gt.instances_ids for gt in instances])
    unique, row = ids.unique(return_inverse=True)
    time = torch.cat(
        [torch.full_like(gt.labels, t) for t, gt in enumerate(instances)]
    ).long()
    shape = (len(unique), len(frames))
    found = torch.cat([gt.bboxes for gt in instances])
    boxes = found.new_zeros((*shape, 4), dtype=torch.float32)
    boxes[row, time] = found.float()
    labels = row.new_zeros(len(unique))
    labels[row] = torch.cat([gt.labels for gt in instances]).long()
    tubes = InstanceData(labels=labels, bboxes=boxes)
    if with_masks:
        masks = [_padded_masks(gt, input_shape) for gt in instances]
        tubes.masks = masks[0].new_zeros((*shape, *input_shape))
        tubes.masks[row, time] = torch.cat(masks)
        # Where a frame does not show it, the empty mask is right.
        tubes.masks_valid = torch.ones_like(boxes[..., 0], dtype=torch.bool)
        tubes.masks_valid[row, time] = torch.cat(
            [_masks_valid(gt) for gt in instances]
        )
    return tubes


def clips_have_masks(clips: Sequence[Sequence[DetDataSample]]) -> bool:
    """Whether the instances of a batch have masks.

    Args:
        clips (Sequence[Sequence[DetDataSample]]): Frames of each clip.

    Returns:
        bool: True if all have.

    Raises:
        ConfigError: If only some have.
    """
    having: List[bool] = [
        'masks' in frame.gt_instances for clip in clips for frame in clip
    ]
    if any(having) and not all(having):
        raise ConfigError(
            'some clips of a batch have masks, others boxes alone',
            video=[clip[0].get('video_id') for clip in clips],
            fix='draw every batch from one dataset; supervision and '
            'with_mask of its pipeline say whether it has masks',
        )
    return bool(having) and all(having)


def _padded_masks(gt: InstanceData, input_shape: Tuple[int, int]) -> Tensor:
    """Masks of a frame, uint8, (n, H, W) of the padded batch."""
    masks = torch.from_numpy(gt.masks.masks).to(gt.bboxes.device)
    height, width = masks.shape[-2:]
    rest = (0, input_shape[1] - width, 0, input_shape[0] - height)
    return F.pad(masks.byte(), rest)


def _masks_valid(gt: InstanceData) -> Tensor:
    """Which instances of a frame have a mask, bool, (n, )."""
    if 'masks_valid' in gt:
        return gt.masks_valid.bool()
    return torch.ones_like(gt.labels, dtype=torch.bool)
