"""Building the targets of the mask losses from packed instances."""

from dataclasses import replace
from typing import Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmengine.structures import InstanceData
from torch import Tensor

from ...structures.mask_targets import MaskTargets
from ...utils.errors import PMVISError
from ..utils import box_bitmasks, downsample_masks


def build_mask_targets(
    batch_gt: Sequence[InstanceData],
    input_shape: Tuple[int, int],
    stride: int = 4,
    similarity: Optional[Tensor] = None,
    similarity_dilation: int = 2,
    with_masks: bool = False,
    box_rule: str = 'inclusive',
    downsample: str = 'sample2',
    lab: Optional[Tensor] = None,
    images: Optional[Tensor] = None,
) -> MaskTargets:
    """Build the targets of one or all frames of each clip.

    Args:
        batch_gt (Sequence[InstanceData]): Per clip

            - ``bboxes``: (G, 4) of one frame, or (G, T, 4), xyxy in pixels
              of the augmented frame, zero in frames without the instance.
            - ``masks``, if ``with_masks``: ``BitmapMasks`` of one frame, or
              a tensor (G, T, H, W), padded to the batch or not.
            - ``masks_valid`` (optional): (G, ) or (G, T).
        input_shape (tuple[int]): Height and width of the padded batch.
        stride (int): Mask stride. Defaults to 4.
        similarity (Tensor, optional): float, (N, T, K, h, w), colour
            similarity of these frames. Defaults to None.
        similarity_dilation (int): Of its neighbours. Defaults to 2.
        with_masks (bool): Whether a loss reads masks. Defaults to False.
        box_rule (str): See ``box_bitmasks``. Defaults to 'inclusive'.
        downsample (str): See ``box_bitmasks``. Defaults to 'sample2'.
        lab (Tensor, optional): See ``MaskTargets``. Defaults to None.
        images (Tensor, optional): See ``MaskTargets``. Defaults to None.

    Returns:
        MaskTargets: Rows of all clips, one after the other.

    Raises:
        PMVISError: If masks are needed and there are none.
    """
    clips = []
    for index, gt in enumerate(batch_gt):
        one_frame = gt.bboxes.dim() == 2
        boxes = gt.bboxes[:, None] if one_frame else gt.bboxes
        masks = valid = None
        if with_masks:
            masks = _masks(gt, input_shape, stride, downsample)
            valid = gt.get('masks_valid')
            if valid is not None and one_frame:
                valid = valid[:, None]
        clips.append(
            MaskTargets(
                box_bitmasks(boxes, input_shape, stride, box_rule, downsample),
                similarity=(
                    None
                    if similarity is None
                    else similarity[index : index + 1]
                ),
                similarity_dilation=similarity_dilation,
                masks=masks,
                masks_valid=valid,
            )
        )
    return replace(MaskTargets.cat(clips), lab=lab, images=images)


def _masks(
    gt: InstanceData,
    input_shape: Tuple[int, int],
    stride: int,
    downsample: str,
) -> Tensor:
    """Masks at mask stride, float32, (G, T, h, w)."""
    if 'masks' not in gt:
        raise PMVISError(
            'a mask loss is configured, but the batch holds boxes only',
            fix='train on pseudo or real masks, or take the loss out of '
            'mask_losses (box supervision)',
        )
    masks = gt.masks
    if not isinstance(masks, Tensor):
        masks = torch.from_numpy(masks.masks)[:, None].to(gt.bboxes.device)
    height, width = input_shape
    rest = (0, width - masks.shape[-1], 0, height - masks.shape[-2])
    return downsample_masks(F.pad(masks, rest), stride, downsample)
