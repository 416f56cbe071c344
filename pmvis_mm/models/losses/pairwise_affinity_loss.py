"""Pairwise term of box supervision: similar neighbours, equal labels."""

from torch import Tensor, nn

from ...registry import MODELS
from ...structures.mask_targets import MaskTargets
from ...utils.errors import ConfigError
from ..utils import neighbor_offsets
from .pairwise_edges import edge_sum
from .utils import at_least_float32, check_rows, sync_count, zero_loss

_NORMALIZERS = ('similar_edges', 'edges_in')


def pairwise_affinity_loss(
    mask_logits: Tensor,
    targets: MaskTargets,
    color_thresh: float = 0.3,
    size: int = 3,
    dilation: int = 2,
    normalizer: str = 'similar_edges',
    sync: bool = False,
) -> Tensor:
    r"""Compute Eq. 3 of BoxInst over the edges of similar colour.

    A pixel p in the box and its neighbour q should have the same label:

    .. math::
        -\log(m_p m_q + (1 - m_p)(1 - m_q))
        = \zeta(z_p) + \zeta(z_q) - \zeta(z_p + z_q)

    with the softplus :math:`\zeta` of the logits z. Nothing is unfolded, see
    :func:`~.pairwise_edges.edge_sum`.

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
        sync (bool): Whether to count the edges of all processes. Defaults
            to False.

    Returns:
        Tensor: Scalar; 0 if ``num_pos`` is 0.
    """
    assert targets.similarity is not None and targets.clip_index is not None
    logits = at_least_float32(mask_logits)
    boxes = targets.box_masks.to(logits.dtype)
    similar = targets.similarity >= color_thresh
    if normalizer == 'edges_in':
        num_edges = boxes.sum() * (size * size - 1)
    else:
        # All directions, also those that leave the map: their loss is 0,
        # but padding as dark as the border counts in the public code.
        per_pixel = similar.sum(2).to(logits.dtype)
        num_edges = (per_pixel[targets.clip_index] * boxes).sum()
    # Before any early return: all processes must count.
    count = sync_count(num_edges, sync)
    if mask_logits.numel() == 0:
        return zero_loss(mask_logits)
    total = edge_sum(
        logits, boxes, similar, targets.clip_index, size, dilation
    )
    return total / count


@MODELS.register_module()
class PairwiseAffinityLoss(nn.Module):
    """Pairwise term of `BoxInst <https://arxiv.org/abs/2012.02310>`_.

    Neighbours of similar colour should get the same label if one of them
    is in the box (Eq. 3 to 5). Sum over the edges of all rows and frames,
    divided by one joint number of edges.

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
        sync_avg_factor (bool): Whether several processes train as one with
            all their rows: edges are counted over all. False counts in
            each process, as the public code does. Defaults to True.
        warmup_iters (int): Iterations over which ``LossWarmupHook`` ramps
            the loss up; without that hook it has no effect. BoxInst and
            PM-VIS use 10000. Defaults to 0, none.

    Attributes:
        warmup_factor (float): Multiplies the loss; the hook sets it before
            each iteration. 1.0 at first.
        needs_masks (bool): False; boxes are enough.
        needs_similarity (bool): True; the data preprocessor computes it.

    Raises:
        ConfigError: If an option is out of range.
    """

    needs_masks = False
    needs_similarity = True

    def __init__(
        self,
        loss_weight: float = 1.0,
        color_thresh: float = 0.3,
        size: int = 3,
        dilation: int = 2,
        normalizer: str = 'similar_edges',
        sync_avg_factor: bool = True,
        warmup_iters: int = 0,
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
        if warmup_iters < 0:
            raise ConfigError(
                f'warmup_iters={warmup_iters} is negative',
                fix='use the number of iterations, or 0 for no warm-up',
            )
        self.loss_weight = loss_weight
        self.color_thresh = color_thresh
        self.size = size
        self.dilation = dilation
        self.normalizer = normalizer
        self.sync_avg_factor = sync_avg_factor
        self.warmup_iters = warmup_iters
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
            self.sync_avg_factor,
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
            f'dilation={self.dilation}, normalizer={self.normalizer!r}, '
            f'sync_avg_factor={self.sync_avg_factor}, '
            f'warmup_iters={self.warmup_iters}'
        )
