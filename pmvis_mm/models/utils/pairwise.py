"""Colour similarity of each pixel to its neighbours (BoxInst)."""

from typing import List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...utils.errors import ConfigError, PMVISError
from .color import lab_features


def neighbor_offsets(
    size: int = 3, dilation: int = 2
) -> List[Tuple[int, int]]:
    """List the neighbours of a pixel, row by row, without itself.

    Neighbour ``k`` seen from a pixel is neighbour ``K - 1 - k`` seen back.

    Args:
        size (int): Odd side of the neighbourhood. Defaults to 3.
        dilation (int): Distance between neighbours. Defaults to 2.

    Returns:
        list[tuple[int]]: K = size * size - 1 offsets (rows, columns).

    Raises:
        ConfigError: If the size is not odd or the dilation not positive.
    """
    if size < 3 or size % 2 == 0 or dilation < 1:
        raise ConfigError(
            f'no neighbourhood has size={size} and dilation={dilation}',
            fix='use an odd size >= 3 and a dilation >= 1',
        )
    reach = range(-(size // 2), size // 2 + 1)
    return [
        (row * dilation, col * dilation)
        for row in reach
        for col in reach
        if (row, col) != (0, 0)
    ]


def pairwise_similarity(
    lab: Tensor,
    size: int = 3,
    dilation: int = 2,
    valid: Optional[Tensor] = None,
) -> Tensor:
    r"""Compute the colour similarity of each pixel to its neighbours.

    .. math::
        s_k(p) = \exp(-\|c_p - c_{p + o_k}\|_2 / 2) \cdot v_{p + o_k}

    Eq. 4 of `BoxInst <https://arxiv.org/abs/2012.02310>`_ with theta = 2.
    The colour outside of the map is zero (black).

    Args:
        lab (Tensor): float, (..., 3, h, w), CIE-Lab.
        size (int): Odd side of the neighbourhood. Defaults to 3.
        dilation (int): Distance between neighbours. Defaults to 2.
        valid (Tensor, optional): bool or float, (..., h, w). Similarity to
            a neighbour that is not valid or outside is 0; the pixel itself
            need not be valid. Defaults to None: all are, even outside.

    Returns:
        Tensor: float, (..., K, h, w), in [0, 1], K = size * size - 1, in
        the order of :func:`neighbor_offsets`.
    """
    offsets = neighbor_offsets(size, dilation)
    padded = _pad(lab, size // 2 * dilation)
    similarity = torch.stack(
        [
            (-0.5 * (lab - view).norm(dim=-3)).exp()
            for view in _views(padded, offsets, lab.shape[-2:])
        ],
        dim=-3,
    )
    if valid is None:
        return similarity
    padded = _pad(valid.to(lab.dtype), size // 2 * dilation)
    views = _views(padded, offsets, lab.shape[-2:])
    return similarity * torch.stack(views, dim=-3)


def bottom_rows(h_aug: int, h_orig: int, removed: int = 10) -> int:
    """Count the rows at the bottom of a frame that colours should not use.

    The last rows of a frame are often badly annotated or black.

    Args:
        h_aug (int): Height of the augmented, unpadded frame, pixels.
        h_orig (int): Height of the frame in the dataset, pixels.
        removed (int): Rows to remove at the original size. Defaults to 10.

    Returns:
        int: Rows to remove at the augmented size, rounded down.
    """
    return removed * h_aug // h_orig


def image_validity(
    img_shapes: Sequence[Tuple[int, int]],
    size: Tuple[int, int],
    ori_heights: Optional[Sequence[int]] = None,
    stride: int = 4,
    removed: int = 10,
) -> Tensor:
    """Mark the pixels at mask stride that are image, not padding.

    Args:
        img_shapes (list[tuple[int]]): Height and width (more is ignored)
            of each augmented, unpadded frame, pixels.
        size (tuple[int]): Height and width of the padded batch, pixels.
        ori_heights (list[int], optional): Height of each frame in the
            dataset, to remove bottom rows. Defaults to None: remove none.
        stride (int): Must divide the size. Defaults to 4.
        removed (int): See :func:`bottom_rows`. Defaults to 10.

    Returns:
        Tensor: bool, (num_frames, size[0] / stride, size[1] / stride),
        pixels ``[stride // 2::stride]`` of the full-size validity.
    """
    heights = [shape[0] for shape in img_shapes]
    if ori_heights is not None:
        heights = [
            height - bottom_rows(height, original, removed)
            for height, original in zip(heights, ori_heights)
        ]
    row = torch.arange(stride // 2, size[0], stride)
    col = torch.arange(stride // 2, size[1], stride)
    rows = row < torch.tensor(heights).view(-1, 1)
    cols = col < torch.tensor([s[1] for s in img_shapes]).view(-1, 1)
    return rows[:, :, None] & cols[:, None, :]


def color_similarity(
    images: Tensor,
    img_shapes: Optional[Sequence[Tuple[int, int]]] = None,
    ori_heights: Optional[Sequence[int]] = None,
    size: int = 3,
    dilation: int = 2,
    stride: int = 4,
    removed: int = 10,
    swap_rb: bool = False,
    lab: Optional[Tensor] = None,
) -> Tensor:
    """Compute the similarity of raw frames, ready for ``MaskTargets``.

    Args:
        images (Tensor): uint8, (num_frames, 3, H, W), RGB, zero-padded to
            a multiple of the stride, before normalisation.
        img_shapes (list[tuple[int]], optional): Size of each unpadded
            frame; with it padding is similar to nothing (BoxInst, PM-VIS).
            Defaults to None: padding counts as black (MaskFreeVIS).
        ori_heights (list[int], optional): Height of each frame in the
            dataset; with it bottom rows are similar to nothing. Needs
            ``img_shapes``. Defaults to None.
        size (int): Odd side of the neighbourhood. Defaults to 3.
        dilation (int): Distance between neighbours at mask stride.
            Defaults to 2.
        stride (int): Mask stride, pixels. Defaults to 4.
        removed (int): See :func:`bottom_rows`. Defaults to 10.
        swap_rb (bool): See :func:`~.color.lab_features`. Defaults to False.
        lab (Tensor, optional): Result of :func:`~.color.lab_features` for
            these images, stride and order, where it is known already.

    Returns:
        Tensor: float32, (num_frames, K, H / stride, W / stride).

    Raises:
        PMVISError: If there is not one shape and height per frame.
    """
    if ori_heights is not None and img_shapes is None:
        raise PMVISError(
            'ori_heights is given without img_shapes',
            fix='pass both, or neither to let padding count as black',
        )
    for name, values in dict(
        img_shapes=img_shapes, ori_heights=ori_heights
    ).items():
        if values is not None and len(values) != len(images):
            raise PMVISError(
                f'{len(values)} {name} for {len(images)} frames',
                fix='pass one per frame',
            )
    valid = None
    if img_shapes is not None:
        height, width = images.shape[-2:]
        valid = image_validity(
            img_shapes, (height, width), ori_heights, stride, removed
        ).to(images.device)
    if lab is None:
        lab = lab_features(images, stride, swap_rb)
    return pairwise_similarity(lab, size, dilation, valid)


def _pad(values: Tensor, reach: int) -> Tensor:
    """Surround the maps with zeros."""
    return F.pad(values, (reach, reach, reach, reach))


def _views(
    padded: Tensor,
    offsets: Sequence[Tuple[int, int]],
    shape: Sequence[int],
) -> List[Tensor]:
    """Cut one shifted view per neighbour out of a padded map."""
    height, width = shape
    top, left = -offsets[0][0], -offsets[0][1]
    return [
        padded[
            ...,
            top + row : top + row + height,
            left + col : left + col + width,
        ]
        for row, col in offsets
    ]
