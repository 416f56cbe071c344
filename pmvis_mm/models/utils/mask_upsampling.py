"""From mask logits of the network to masks of the video's frames."""

from typing import List, Sequence

import torch
import torch.nn.functional as F
from torch import Tensor

from ...utils.errors import FrameError

# Pixels worked on at once, at either size: 64 MiB of float32.
_CHUNK_PIXELS = 2**24


def full_size_masks(
    mask_logits: Tensor,
    img_shape: Sequence[int],
    ori_shape: Sequence[int],
    stride: int = 4,
) -> Tensor:
    """Resize mask logits to the frame as it is in the video.

    Bilinear (``align_corners=False``) to the padded canvas, sigmoid, crop of
    the padding, nearest to the original size, threshold 0.5: the order of
    the public code of IDOL. Done for a few instances at a time, so that only
    the result grows with their number.

    Args:
        mask_logits (Tensor): float, (n, h, w), before sigmoid, on the
            padded canvas at mask stride.
        img_shape (tuple[int]): Height and width of the network's input
            without padding, pixels; more entries are ignored.
        ori_shape (tuple[int]): Height and width of the video, pixels; more
            entries are ignored.
        stride (int): Pixels of the canvas per logit. Defaults to 4.

    Returns:
        Tensor: bool, (n, H0, W0) with H0, W0 of ``ori_shape``.

    Raises:
        FrameError: If a size is not positive, or the canvas is smaller
            than ``img_shape``.
    """
    img_size, ori_size = list(img_shape[:2]), list(ori_shape[:2])
    _check_sizes(mask_logits, img_size, ori_size, stride)
    height, width = (length * stride for length in mask_logits.shape[1:])
    pixels = max(height * width, ori_size[0] * ori_size[1])
    masks = [
        _resize(chunk, (height, width), img_size, ori_size)
        for chunk in mask_logits.split(max(_CHUNK_PIXELS // pixels, 1))
        if len(chunk)
    ]
    if not masks:
        return mask_logits.new_zeros((0, *ori_size), dtype=torch.bool)
    return torch.cat(masks)


def _resize(
    logits: Tensor,
    canvas: Sequence[int],
    img_size: List[int],
    ori_size: List[int],
) -> Tensor:
    """Resize a few masks at once."""
    logits = F.interpolate(
        logits[None].float(),
        size=tuple(canvas),
        mode='bilinear',
        align_corners=False,
    )
    masks = logits[..., : img_size[0], : img_size[1]].sigmoid() > 0.5
    # Nearest picks pixels: the threshold may come first, at 1/4 the memory.
    return F.interpolate(masks.byte(), size=ori_size, mode='nearest')[0].bool()


def _check_sizes(
    mask_logits: Tensor,
    img_size: List[int],
    ori_size: List[int],
    stride: int,
) -> None:
    shape = tuple(mask_logits.shape)
    if len(shape) != 3 or stride < 1 or 0 in shape[1:]:
        raise FrameError(
            f'mask logits of shape {shape} at stride {stride}',
            fix='pass (n, h, w) logits of one frame and a stride of 1 or more',
        )
    for name, size in (('img_shape', img_size), ('ori_shape', ori_size)):
        if len(size) != 2 or min(size) < 1:
            raise FrameError(
                f'{name}={tuple(size)} is no frame size',
                fix='pass height and width in pixels, both positive',
            )
    canvas = (shape[1] * stride, shape[2] * stride)
    if img_size[0] > canvas[0] or img_size[1] > canvas[1]:
        raise FrameError(
            f'img_shape={tuple(img_size)} does not fit into the padded '
            f'canvas {canvas} of the mask logits',
            fix='pass the size after resizing and before padding, height '
            'first',
        )
