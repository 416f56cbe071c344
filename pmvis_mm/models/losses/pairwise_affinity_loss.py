"""Pairwise term of box supervision: similar neighbours, equal labels."""

from typing import List, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import MODELS
from ...structures.mask_targets import MaskTargets
from ...utils.errors import ConfigError
from ..utils import neighbor_offsets
from .utils import at_least_float32, check_rows, zero_loss

# Part of a (num_rows, T, h, w) map.
MapIndex = Tuple[slice, slice, slice, slice]

_NORMALIZERS = ('similar_edges', 'edges_in')


def linear_warmup(iteration: int, num_iters: int) -> float:
    """Ramp a factor up, ``min(iteration / num_iters, 1)``.

    Args:
        iteration (int): Training iterations so far, this one included
            (the first one is 1).
        num_iters (int): Length of the ramp; 0 means none. BoxInst and
            PM-VIS use 10000.

    Returns:
        float: Factor in [0, 1].
    """
    return min(iteration / num_iters, 1.0) if num_iters > 0 else 1.0


def pairwise_affinity_loss(
    mask_logits: Tensor,
    targets: MaskTargets,
    color_thresh: float = 0.3,
    size: int = 3,
    dilation: int = 2,
    normalizer: str = 'similar_edges',
) -> Tensor:
    r"""Compute Eq. 3 of BoxInst over the edges of similar colour.

    A pixel p in the box and its neighbour q should have the same label:

    .. math::
        -\log(m_p m_q + (1 - m_p)(1 - m_q))
        = \zeta(z_p) + \zeta(z_q) - \zeta(z_p + z_q)

    with the softplus :math:`\zeta` of the logits z. The right side needs
    one softplus map and one per undirected edge; nothing is unfolded.

    Args:
        mask_logits (Tensor): float, (num_pos, T, h, w), before sigmoid.
        targets (MaskTargets): Uses ``box_masks``, ``similarity``,
            ``clip_index``.
        color_thresh (float): Edges at least as similar count. Defaults to
            0.3.
        size (int): Odd side of the neighbourhood. Defaults to 3.
        dilation (int): Distance between neighbours. Defaults to 2.
        normalizer (str): 'similar_edges' or 'edges_in', see
            :class:`PairwiseAffinityLoss`. Defaults to 'similar_edges'.

    Returns:
        Tensor: Scalar; 0 if ``num_pos`` is 0.
    """
    if mask_logits.numel() == 0:
        return zero_loss(mask_logits)
    assert targets.similarity is not None and targets.clip_index is not None
    logits = at_least_float32(mask_logits)
    boxes = targets.box_masks.to(logits.dtype)
    similar = targets.similarity >= color_thresh
    total = _edge_sum(
        logits, boxes, similar, targets.clip_index, size, dilation
    )
    if normalizer == 'edges_in':
        num_edges = boxes.sum() * (size * size - 1)
    else:
        # All directions, also those that leave the map: their loss is 0,
        # but padding as dark as the border counts in the public code.
        per_pixel = similar.sum(2).to(logits.dtype)
        num_edges = (per_pixel[targets.clip_index] * boxes).sum()
    return total / num_edges.clamp(min=1)


def _edge_sum(
    logits: Tensor,
    boxes: Tensor,
    similar: Tensor,
    clip_index: Tensor,
    size: int,
    dilation: int,
) -> Tensor:
    """Sum over edges that start in a box, each undirected edge once."""
    offsets = neighbor_offsets(size, dilation)
    softplus = F.softplus(logits)
    total = logits.new_zeros(())
    # The second half of the offsets points right and down; an edge back is
    # the mirrored offset of its other end.
    for k in range(len(offsets) // 2, len(offsets)):
        here, there = _ends(offsets[k], logits.shape[-2:])
        forth = similar[:, :, k][here][clip_index] * boxes[here]
        mirrored = len(offsets) - 1 - k
        back = similar[:, :, mirrored][there][clip_index] * boxes[there]
        joint = F.softplus(logits[here] + logits[there])
        edge = softplus[here] + softplus[there] - joint
        total = total + (edge * (forth + back)).sum()
    return total


def _ends(
    offset: Tuple[int, int], shape: torch.Size
) -> Tuple[MapIndex, MapIndex]:
    """Index both ends of all edges along an offset that stay inside."""
    here: List[slice] = []
    there: List[slice] = []
    for step, length in zip(offset, shape):
        count = max(length - abs(step), 0)
        start = max(-step, 0)
        here.append(slice(start, start + count))
        start = max(step, 0)
        there.append(slice(start, start + count))
    every = slice(None)
    return (
        (every, every, here[0], here[1]),
        (every, every, there[0], there[1]),
    )


@MODELS.register_module()
class PairwiseAffinityLoss(nn.Module):
    """Pairwise term of `BoxInst <https://arxiv.org/abs/2012.02310>`_.

    Neighbours of similar colour should get the same label if one of them
    is in the box (Eq. 3 to 5). Sum over the edges of all rows and frames,
    divided by one joint number of edges of this GPU.

    Args:
        loss_weight (float): Weight of the term. PM-VIS uses 2.0. Defaults
            to 1.0.
        color_thresh (float): Edges at least as similar count. The released
            BoxInst, PM-VIS and MaskFreeVIS use 0.3, the PM-VIS paper says
            0.2, the BoxInst paper 0.1. Defaults to 0.3.
        size (int): Odd side of the neighbourhood. Defaults to 3.
        dilation (int): Distance between neighbours at mask stride. Both
            must be those of the similarity. Defaults to 2.
        normalizer (str): What to divide by (at least 1). 'similar_edges':
            edges from a pixel in the box to a similar neighbour (public
            code). 'edges_in': all edges from a pixel in the box (paper),
            several times as many. Defaults to 'similar_edges'.

    Attributes:
        warmup_factor (float): Multiplies the loss; a hook sets it before
            each iteration, see :func:`linear_warmup`. 1.0 at first.

    Raises:
        ConfigError: If an option is out of range.
    """

    def __init__(
        self,
        loss_weight: float = 1.0,
        color_thresh: float = 0.3,
        size: int = 3,
        dilation: int = 2,
        normalizer: str = 'similar_edges',
    ) -> None:
        super().__init__()
        neighbor_offsets(size, dilation)  # checks both
        if normalizer not in _NORMALIZERS:
            raise ConfigError(
                f'normalizer={normalizer!r} is unknown',
                fix=f'use one of {list(_NORMALIZERS)}',
            )
        if not 0 < color_thresh <= 1:
            raise ConfigError(
                f'color_thresh={color_thresh} is no similarity',
                fix='use a value in (0, 1], such as 0.3',
            )
        self.loss_weight = loss_weight
        self.color_thresh = color_thresh
        self.size = size
        self.dilation = dilation
        self.normalizer = normalizer
        self.warmup_factor = 1.0

    def forward(self, mask_logits: Tensor, targets: MaskTargets) -> Tensor:
        """Compute the loss.

        Args:
            mask_logits (Tensor): float, (num_pos, T, h, w), before sigmoid.
            targets (MaskTargets): Rows matched to the predictions. Uses
                ``box_masks``, ``similarity`` and ``clip_index``.

        Returns:
            Tensor: Scalar; 0 with a gradient path if ``num_pos`` is 0.

        Raises:
            PMVISError: If logits and targets differ in shape.
            ConfigError: If the similarity is missing or has other
                neighbours.
        """
        check_rows(mask_logits, targets)
        self._check_similarity(targets)
        loss = pairwise_affinity_loss(
            mask_logits,
            targets,
            self.color_thresh,
            self.size,
            self.dilation,
            self.normalizer,
        )
        return self.loss_weight * self.warmup_factor * loss

    def _check_similarity(self, targets: MaskTargets) -> None:
        """Refuse a similarity to other neighbours than the loss reads."""
        if targets.similarity is None:
            raise ConfigError(
                'PairwiseAffinityLoss needs the colour similarity of the '
                'frames, but these targets have none',
                fix='let the data preprocessor compute it',
            )
        expected = (self.size * self.size - 1, self.dilation)
        got = (targets.similarity.size(2), targets.similarity_dilation)
        if got != expected:
            raise ConfigError(
                f'similarity to {got[0]} neighbours at dilation {got[1]}, '
                f'but the loss expects {expected[0]} at {expected[1]}',
                fix='use one size and dilation in the data preprocessor and '
                'in the loss',
            )

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return (
            f'loss_weight={self.loss_weight}, '
            f'color_thresh={self.color_thresh}, size={self.size}, '
            f'dilation={self.dilation}, normalizer={self.normalizer!r}'
        )
