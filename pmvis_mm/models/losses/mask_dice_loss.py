"""Dice loss of masks."""

from torch import Tensor, nn

from ...registry import MODELS
from ...structures.mask_targets import MaskTargets
from .utils import (
    at_least_float32,
    check_rows,
    count_valid,
    require_masks,
    sum_over_valid,
    zero_loss,
)


def mask_dice_loss(
    mask_logits: Tensor,
    targets: MaskTargets,
    eps: float = 1.0,
    sync: bool = False,
) -> Tensor:
    """Average the Dice distance over valid masks.

    Args:
        mask_logits (Tensor): float, (num_pos, T, h, w), before sigmoid.
        targets (MaskTargets): Uses ``masks`` and ``masks_valid``.
        eps (float): Added to numerator and denominator. Defaults to 1.0.
        sync (bool): Whether to average over the rows of all processes.
            Defaults to False.

    Returns:
        Tensor: Scalar in [0, 1]; 0 without a valid mask.
    """
    masks = require_masks(targets, 'mask_dice_loss')
    # Before any early return: all processes must count.
    count = count_valid(targets, sync)
    if mask_logits.numel() == 0:
        return zero_loss(mask_logits)
    prob = at_least_float32(mask_logits).sigmoid().flatten(-2)
    truth = masks.to(prob.dtype).flatten(-2)
    common = 2 * (prob * truth).sum(-1) + eps
    dice = 1 - common / (prob.sum(-1) + truth.sum(-1) + eps)
    return sum_over_valid(dice, targets) / count


@MODELS.register_module()
class MaskDiceLoss(nn.Module):
    r"""Dice loss on pseudo or real masks (IDOL, PM-VIS).

    .. math::
        1 - (2 \sum p t + \epsilon) / (\sum p + \sum t + \epsilon)

    per map, averaged over the matched rows and frames that have a mask.
    The formula is that of mmdet's ``DiceLoss(naive_dice=True, eps=1.0)``.

    Args:
        loss_weight (float): Weight of the term. IDOL uses 5.0, PM-VIS 2.5
            (5.0 times 0.5). Defaults to 1.0.
        eps (float): Added to numerator and denominator. Defaults to 1.0.
        sync_avg_factor (bool): Whether several processes train as one
            with all their rows: the average is over the rows of all. False
            averages in each process first, as the public code does.
            Defaults to True.

    Attributes:
        needs_masks (bool): True; box supervision cannot compute it.
    """

    needs_masks = True

    def __init__(
        self,
        loss_weight: float = 1.0,
        eps: float = 1.0,
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
                ``masks`` and ``masks_valid``.

        Returns:
            Tensor: Scalar; 0 with a gradient path if there is no valid
            mask.

        Raises:
            PMVISError: If there are no masks, or of another shape.
        """
        check_rows(mask_logits, targets)
        return self.loss_weight * mask_dice_loss(
            mask_logits, targets, self.eps, self.sync_avg_factor
        )

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return (
            f'loss_weight={self.loss_weight}, eps={self.eps}, '
            f'sync_avg_factor={self.sync_avg_factor}'
        )
