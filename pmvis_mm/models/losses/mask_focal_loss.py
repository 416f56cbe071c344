"""Focal loss of masks."""

import torch.nn.functional as F
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


def sigmoid_focal(
    logits: Tensor, labels: Tensor, alpha: float, gamma: float
) -> Tensor:
    """Compute the focal loss of each element.

    Eq. 5 of `Focal Loss <https://arxiv.org/abs/1708.02002>`_.

    Args:
        logits (Tensor): float, any shape, before sigmoid.
        labels (Tensor): float, same shape, in [0, 1].
        alpha (float): Weight of the foreground; 1 - alpha of the rest.
        gamma (float): Exponent that turns easy elements down.

    Returns:
        Tensor: float, same shape.
    """
    entropy = F.binary_cross_entropy_with_logits(
        logits, labels, reduction='none'
    )
    prob = logits.sigmoid()
    wrong = prob * (1 - labels) + (1 - prob) * labels
    balance = alpha * labels + (1 - alpha) * (1 - labels)
    return balance * wrong.pow(gamma) * entropy


def mask_focal_loss(
    mask_logits: Tensor,
    targets: MaskTargets,
    alpha: float = 0.25,
    gamma: float = 2.0,
    sync: bool = False,
) -> Tensor:
    """Average the focal loss over pixels, then over valid masks.

    Args:
        mask_logits (Tensor): float, (num_pos, T, h, w), before sigmoid.
        targets (MaskTargets): Uses ``masks`` and ``masks_valid``.
        alpha (float): Weight of the foreground. Defaults to 0.25.
        gamma (float): Focusing exponent. Defaults to 2.0.
        sync (bool): Whether to average over the rows of all processes.
            Defaults to False.

    Returns:
        Tensor: Scalar; 0 without a valid mask.
    """
    masks = require_masks(targets, 'mask_focal_loss')
    # Before any early return: all processes must count.
    count = count_valid(targets, sync)
    if mask_logits.numel() == 0:
        return zero_loss(mask_logits)
    logits = at_least_float32(mask_logits)
    focal = sigmoid_focal(logits, masks.to(logits.dtype), alpha, gamma)
    return sum_over_valid(focal.mean((-2, -1)), targets) / count


@MODELS.register_module()
class MaskFocalLoss(nn.Module):
    """Focal loss on pseudo or real masks (IDOL, PM-VIS).

    Averaged over all pixels of a map, padding included, then over the
    matched rows and frames that have a mask. An instance whose mask is
    missing adds nothing and does not count.

    Args:
        loss_weight (float): Weight of the term. IDOL uses 2.0, PM-VIS 1.0
            (2.0 times 0.5). Defaults to 1.0.
        alpha (float): Weight of the foreground. Defaults to 0.25.
        gamma (float): Focusing exponent. Defaults to 2.0.
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
        alpha: float = 0.25,
        gamma: float = 2.0,
        sync_avg_factor: bool = True,
    ) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.alpha = alpha
        self.gamma = gamma
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
        return self.loss_weight * mask_focal_loss(
            mask_logits,
            targets,
            self.alpha,
            self.gamma,
            self.sync_avg_factor,
        )

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return (
            f'loss_weight={self.loss_weight}, alpha={self.alpha}, '
            f'gamma={self.gamma}, sync_avg_factor={self.sync_avg_factor}'
        )
