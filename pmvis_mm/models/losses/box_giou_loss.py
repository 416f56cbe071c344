"""Generalised IoU loss of boxes."""

from typing import Optional, Union

from torch import Tensor, nn

from ...registry import MODELS
from ...utils.errors import PMVISError
from ..utils.boxes import giou_loss
from .utils import at_least_float32


@MODELS.register_module()
class BoxGIoULoss(nn.Module):
    """Loss of `GIoU <https://arxiv.org/abs/1902.09630>`_, as IDOL has it.

    Differs from mmdet's ``GIoULoss`` by where ``eps`` stands (added to
    union and enclosing area instead of a lower bound) and by a division by
    exactly ``avg_factor``.

    Args:
        loss_weight (float): Weight of the term. IDOL uses 2.0. Defaults to
            1.0.
        eps (float): Added to union and enclosing area. Defaults to 1e-7.
    """

    def __init__(self, loss_weight: float = 1.0, eps: float = 1e-7) -> None:
        super().__init__()
        self.loss_weight = loss_weight
        self.eps = eps

    def forward(
        self,
        pred: Tensor,
        target: Tensor,
        weight: Optional[Tensor] = None,
        avg_factor: Union[int, float, Tensor, None] = None,
    ) -> Tensor:
        """Compute the loss.

        Args:
            pred (Tensor): float, (n, 4), xyxy, any unit.
            target (Tensor): float, (n, 4), xyxy, same unit.
            weight (Tensor, optional): float, (n,), or (n, 4) of which the
                mean counts. Defaults to None: 1.
            avg_factor (int | float | Tensor, optional): Divides the sum.
                Defaults to None: n, at least 1.

        Returns:
            Tensor: Scalar; 0 with a gradient path if n is 0.

        Raises:
            PMVISError: If the shapes differ.
        """
        if pred.shape != target.shape or pred.shape[-1:] != (4,):
            raise PMVISError(
                f'predicted boxes {tuple(pred.shape)} and their targets '
                f'{tuple(target.shape)} are not both (n, 4)',
                fix='gather one target box per predicted box',
            )
        pred, target = at_least_float32(pred), at_least_float32(target)
        loss = giou_loss(pred, target, self.eps)
        if weight is not None:
            loss = loss * (weight.mean(-1) if weight.dim() > 1 else weight)
        if avg_factor is None:
            avg_factor = max(len(loss), 1)
        return self.loss_weight * loss.sum() / avg_factor

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return f'loss_weight={self.loss_weight}, eps={self.eps}'
