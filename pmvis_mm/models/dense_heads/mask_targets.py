"""Building the targets of the mask losses from packed instances."""

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
) -> MaskTargets:
    """Build the targets of one frame of each clip.

    Args:
        batch_gt (Sequence[InstanceData]): Per clip ``bboxes`` (G, 4), xyxy
            in pixels of the augmented frame, and, if ``with_masks``,
            ``masks`` (``BitmapMasks``) and maybe ``masks_valid`` (G, ).
        input_shape (tuple[int]): Height and width of the padded batch.
        stride (int): Mask stride. Defaults to 4.
        similarity (Tensor, optional): float, (N, 1, K, h, w), colour
            similarity of these frames. Defaults to None.
        similarity_dilation (int): Of its neighbours. Defaults to 2.
        with_masks (bool): Whether a loss reads masks. Defaults to False.
        box_rule (str): See ``box_bitmasks``. Defaults to 'inclusive'.
        downsample (str): See ``box_bitmasks``. Defaults to 'sample2'.

    Returns:
        MaskTargets: Rows of all clips, one after the other, T = 1.

    Raises:
        PMVISError: If masks are needed and there are none.
    """
    clips = []
    for index, gt in enumerate(batch_gt):
        masks = valid = None
        if with_masks:
            masks = _masks(gt, input_shape, stride, downsample)
            valid = gt.get('masks_valid')
        boxes = gt.bboxes[:, None]
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
                masks_valid=None if valid is None else valid[:, None],
            )
        )
    return MaskTargets.cat(clips)


def _masks(
    gt: InstanceData,
    input_shape: Tuple[int, int],
    stride: int,
    downsample: str,
) -> Tensor:
    """Masks at mask stride, float32, (G, 1, h, w)."""
    if 'masks' not in gt:
        raise PMVISError(
            'a mask loss is configured, but the batch holds boxes only',
            fix='train on pseudo or real masks, or take the loss out of '
            'mask_losses (box supervision)',
        )
    masks = torch.from_numpy(gt.masks.masks).to(gt.bboxes.device)
    height, width = input_shape
    rest = (0, width - masks.shape[-1], 0, height - masks.shape[-2])
    return downsample_masks(F.pad(masks, rest), stride, downsample)[:, None]
