"""Overlap of label maps, one object at a time."""

from typing import Optional

import torch
from torch import Tensor, nn

from ...registry import MODELS
from .utils import at_least_float32, check_label_maps, hide_channels


def soft_jaccard_loss(
    logits: Tensor,
    labels: Tensor,
    valid: Optional[Tensor] = None,
    ignore_index: int = 255,
    eps: float = 1e-6,
) -> Tensor:
    r"""Average one minus the soft IoU over the objects of each map.

    With probabilities p (softmax over the channels) and the mask g of a
    label, over all pixels but ignored ones:

    .. math::
        1 - \frac{\sum p g}{\sum p + \sum g - \sum p g + \epsilon}

    The background is a label like any other. Labels that a map does not
    have are left out.

    Args:
        logits (Tensor): float, (B, C, H, W), before softmax.
        labels (Tensor): int64, (B, H, W), in 0 ... C - 1, or the ignored
            one.
        valid (Tensor, optional): bool, (B, C), channels that may have
            pixels; others are not part of the softmax. Defaults to None:
            all.
        ignore_index (int): Label of pixels without truth. Defaults to 255.
        eps (float): Added to the union, pixels. Defaults to 1e-6.

    Returns:
        Tensor: Scalar, the mean over labels, then maps; 0 without any.

    Raises:
        PMVISError: If the shapes differ.
    """
    check_label_maps(logits, labels)
    logits = hide_channels(at_least_float32(logits), valid)
    if logits.numel() == 0:
        return logits.sum() * 0
    known = (labels != ignore_index)[:, None]
    places = torch.arange(logits.size(1), device=labels.device)
    truth = (labels[:, None] == places[:, None, None]) & known
    prob = logits.softmax(1) * known
    inter = (prob * truth).sum((2, 3))
    area = truth.sum((2, 3))
    overlap = inter / (prob.sum((2, 3)) + area - inter + eps)
    present = area > 0
    per_map = ((1 - overlap) * present).sum(1) / present.sum(1).clamp(min=1)
    return per_map.mean()


@MODELS.register_module()
class SoftJaccardLoss(nn.Module):
    """Soft Jaccard loss of the released AOT and DeAOT.

    The Tversky loss of `Salehi et al. <https://arxiv.org/abs/1706.05721>`_
    (Eq. 2) with alpha = beta = 1, see :func:`soft_jaccard_loss`. Averaged
    over the labels of a map, then over maps.

    Args:
        ignore_index (int): Label of pixels without truth. Defaults to 255.
        eps (float): Added to the union, pixels. Defaults to 1e-6.
        loss_weight (float): Weight of the term. Defaults to 1.0.
    """

    def __init__(
        self,
        ignore_index: int = 255,
        eps: float = 1e-6,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        self.ignore_index = ignore_index
        self.eps = eps
        self.loss_weight = loss_weight

    def forward(
        self, logits: Tensor, labels: Tensor, valid: Optional[Tensor] = None
    ) -> Tensor:
        """Compute the loss.

        Args:
            logits (Tensor): float, (B, C, H, W), before softmax.
            labels (Tensor): int64, (B, H, W), in 0 ... C - 1, or
                ``ignore_index``.
            valid (Tensor, optional): bool, (B, C), see
                :func:`soft_jaccard_loss`. Defaults to None.

        Returns:
            Tensor: Scalar; 0 with a gradient path without any map.

        Raises:
            PMVISError: If the shapes differ.
        """
        loss = soft_jaccard_loss(
            logits, labels, valid, self.ignore_index, self.eps
        )
        return self.loss_weight * loss

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return (
            f'ignore_index={self.ignore_index}, eps={self.eps}, '
            f'loss_weight={self.loss_weight}'
        )
