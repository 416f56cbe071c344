"""Projection term of box supervision."""

import torch
from torch import Tensor, nn

from ...registry import MODELS
from ...structures.mask_targets import MaskTargets
from .utils import at_least_float32, check_rows, sync_count, zero_loss


def projection_dice(scores: Tensor, box_masks: Tensor, eps: float) -> Tensor:
    """Compare masks and boxes after projection onto both axes.

    The gradient reaches the one highest pixel of each row and column.

    Args:
        scores (Tensor): float, (..., h, w), probabilities.
        box_masks (Tensor): float, (..., h, w), in [0, 1].
        eps (float): Added to the denominator.

    Returns:
        Tensor: float, (...), in [0, 2]: Dice distances of the projection
        onto x and onto y, added.
    """
    total = scores.new_zeros(scores.shape[:-2])
    for axis in (-2, -1):
        # max, not amax: ties would share the gradient.
        u = scores.max(axis).values
        v = box_masks.max(axis).values
        both = (u * u).sum(-1) + (v * v).sum(-1) + eps
        total = total + 1 - 2 * (u * v).sum(-1) / both
    return total


def box_projection_loss(
    mask_logits: Tensor,
    box_masks: Tensor,
    eps: float = 1e-5,
    sync: bool = False,
) -> Tensor:
    """Compute Eq. 2 of BoxInst, averaged over rows and frames.

    A frame without the instance (empty box mask) adds the constant 2 and
    no gradient.

    Args:
        mask_logits (Tensor): float, (num_pos, T, h, w), before sigmoid.
        box_masks (Tensor): float, same shape, in [0, 1].
        eps (float): Added to the Dice denominator. Defaults to 1e-5.
        sync (bool): Whether to average over the rows of all processes.
            Defaults to False.

    Returns:
        Tensor: Scalar in [0, 2]; 0 if ``num_pos`` is 0.
    """
    num_maps = mask_logits.new_tensor(
        mask_logits.size(0) * mask_logits.size(1), dtype=torch.float32
    )
    # Before any early return: all processes must count.
    count = sync_count(num_maps, sync)
    if mask_logits.numel() == 0:
        return zero_loss(mask_logits)
    scores = at_least_float32(mask_logits).sigmoid()
    dice = projection_dice(scores, box_masks.to(scores.dtype), eps)
    return dice.sum() / count


@MODELS.register_module()
class BoxProjectionLoss(nn.Module):
    """Projection term of `BoxInst <https://arxiv.org/abs/2012.02310>`_.

    Max-projected onto x and onto y, the mask and its box must agree (Dice,
    Eq. 2). Averaged over matched rows and frames.

    Args:
        loss_weight (float): Weight of the term. PM-VIS uses 2.0. Defaults
            to 1.0.
        eps (float): Added to the Dice denominator. Defaults to 1e-5.
        sync_avg_factor (bool): Whether several processes train as one
            with all their rows: the average is over the rows of all. False
            averages in each process first, as the public code does.
            Defaults to True.

    Attributes:
        needs_masks (bool): False; boxes are enough.
    """

    needs_masks = False

    def __init__(
        self,
        loss_weight: float = 1.0,
        eps: float = 1e-5,
        sync_avg_factor: bool = True,
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.eps = eps
        self.sync_avg_factor = sync_avg_factor

    def forward(self, mask_logits: Tensor, targets: MaskTargets) -> Tensor:
        """Compute the loss.

        Args:
            mask_logits (Tensor): float, (num_pos, T, h, w), before sigmoid.
            targets (MaskTargets): Rows matched to the predictions. Uses
                ``box_masks``.

        Returns:
            Tensor: Scalar; 0 with a gradient path if ``num_pos`` is 0.

        Raises:
            PMVISError: If logits and targets differ in shape.
        """
        check_rows(mask_logits, targets)
        return self.loss_weight * box_projection_loss(
            mask_logits, targets.box_masks, self.eps, self.sync_avg_factor
        )

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return (
            f'loss_weight={self.loss_weight}, eps={self.eps}, '
            f'sync_avg_factor={self.sync_avg_factor}'
        )
