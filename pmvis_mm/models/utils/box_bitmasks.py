"""Filled boxes and masks at the stride of the mask logits."""

from typing import Callable, Dict, Tuple

import torch
from torch import Tensor

from ...utils.errors import ConfigError

Limits = Tuple[Tensor, Tensor]


def _inclusive(low: Tensor, high: Tensor) -> Limits:
    """Count x2 as a pixel of the box, cut fractions off."""
    return low.trunc(), (high + 1).trunc()


def _exact(low: Tensor, high: Tensor) -> Limits:
    """Take every pixel that the half-open box touches."""
    return low.floor(), high.ceil()


_BOX_RULES: Dict[str, Callable[[Tensor, Tensor], Limits]] = dict(
    inclusive=_inclusive, exact=_exact
)


def _sample2(stride: int) -> Tuple[int, ...]:
    """Read one pixel per block."""
    return (stride // 2,)


def _bilinear(stride: int) -> Tuple[int, ...]:
    """Read the pixels around the centre of a block."""
    # Without antialiasing and with align_corners=False, bilinear reads the
    # pixels on both sides of the block's centre (one if the stride is odd).
    return tuple(sorted({(stride - 1) // 2, stride // 2}))


_DOWNSAMPLE_RULES: Dict[str, Callable[[int], Tuple[int, ...]]] = dict(
    sample2=_sample2, bilinear=_bilinear
)


def box_bitmasks(
    boxes: Tensor,
    size: Tuple[int, int],
    stride: int = 4,
    rule: str = 'inclusive',
    downsample: str = 'sample2',
) -> Tensor:
    """Fill boxes and downsample them to the mask stride.

    The full-size masks are never made: both steps are separable.

    Args:
        boxes (Tensor): float, (..., 4), xyxy in pixels of the padded
            image. A frame without the instance has the box (0, 0, 0, 0).
        size (tuple[int]): Height and width of the padded image, pixels.
        stride (int): Must divide both. Defaults to 4.
        rule (str): Which pixels belong to a box. 'inclusive': columns
            ``int(x1)`` to ``int(x2 + 1) - 1``, as in the public code of
            BoxInst; one too many on the right and at the bottom of a
            half-open box. 'exact': all that a half-open box touches.
            Defaults to 'inclusive'.
        downsample (str): 'sample2': pixel ``[stride // 2::stride]``
            (BoxInst, PM-VIS). 'bilinear': values in {0, 0.25, 0.5, 1}
            (MaskFreeVIS). Defaults to 'sample2'.

    Returns:
        Tensor: float32, (..., height / stride, width / stride), in [0, 1].

    Raises:
        ConfigError: If a rule is unknown or the stride does not divide.
    """
    taps = _taps(size, stride, downsample)
    x1, y1, x2, y2 = box_limits(boxes, rule).unbind(-1)
    rows = _cover(y1, y2, size[0], stride, taps)
    cols = _cover(x1, x2, size[1], stride, taps)
    return rows[..., :, None] * cols[..., None, :]


def box_limits(boxes: Tensor, rule: str = 'inclusive') -> Tensor:
    """Round boxes to the pixels that belong to them.

    Args:
        boxes (Tensor): float, (..., 4), xyxy in pixels; (0, 0, 0, 0) in a
            frame without the instance.
        rule (str): See :func:`box_bitmasks`. Defaults to 'inclusive'.

    Returns:
        Tensor: float32, (..., 4), half-open xyxy, whole pixels.

    Raises:
        ConfigError: If the rule is unknown.
    """
    _check_choice('rule', rule, _BOX_RULES)
    boxes = boxes.float()
    low, high = _BOX_RULES[rule](boxes[..., :2], boxes[..., 2:])
    # A frame without the instance stays empty under the inclusive rule too.
    present = (boxes != 0).any(-1, keepdim=True)
    return torch.cat((low, high), -1) * present


def downsample_masks(
    masks: Tensor, stride: int = 4, downsample: str = 'sample2'
) -> Tensor:
    """Downsample masks exactly as :func:`box_bitmasks` does boxes.

    Args:
        masks (Tensor): bool, integer or float, (..., H, W), in [0, 1].
        stride (int): Must divide H and W. Defaults to 4.
        downsample (str): 'sample2' or 'bilinear'. Defaults to 'sample2'.

    Returns:
        Tensor: float32, (..., H / stride, W / stride), in [0, 1].

    Raises:
        ConfigError: If the rule is unknown or the stride does not divide.
    """
    height, width = masks.shape[-2:]
    taps = _taps((height, width), stride, downsample)
    samples = [
        masks[..., row::stride, col::stride].float()
        for row in taps
        for col in taps
    ]
    return torch.stack(samples).mean(0)


def _cover(
    low: Tensor,
    high: Tensor,
    length: int,
    stride: int,
    taps: Tuple[int, ...],
) -> Tensor:
    """Share of each block's taps within [low, high), (..., length/stride)."""
    inside = []
    for tap in taps:
        pixel = torch.arange(tap, length, stride, device=low.device)
        inside.append((pixel >= low[..., None]) & (pixel < high[..., None]))
    return torch.stack(inside).float().mean(0)


def _taps(
    size: Tuple[int, int], stride: int, downsample: str
) -> Tuple[int, ...]:
    """Return the offsets to read within a block, options checked."""
    _check_choice('downsample', downsample, _DOWNSAMPLE_RULES)
    if stride < 1 or size[0] % stride or size[1] % stride:
        raise ConfigError(
            f'an image of {size[1]}x{size[0]} does not divide by the mask '
            f'stride {stride}',
            fix='set pad_size_divisor of the data preprocessor to a '
            'multiple of the mask stride',
        )
    return _DOWNSAMPLE_RULES[downsample](stride)


def _check_choice(name: str, value: str, choices: Dict[str, Callable]) -> None:
    """Refuse an unknown name and list the known ones."""
    if value not in choices:
        raise ConfigError(
            f'{name}={value!r} is unknown', fix=f'use one of {list(choices)}'
        )
