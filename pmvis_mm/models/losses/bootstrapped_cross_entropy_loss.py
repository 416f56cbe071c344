"""Cross entropy of the hardest pixels."""

from typing import Optional

import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import MODELS
from ...utils.errors import ConfigError
from .utils import at_least_float32, check_label_maps, hide_channels


def bootstrapped_cross_entropy_loss(
    logits: Tensor,
    labels: Tensor,
    share: float = 1.0,
    valid: Optional[Tensor] = None,
    ignore_index: int = 255,
) -> Tensor:
    """Average the cross entropy over the hardest pixels of each map.

    Args:
        logits (Tensor): float, (B, C, H, W), before softmax.
        labels (Tensor): int64, (B, H, W), in 0 ... C - 1, or the ignored
            one; ignored pixels cost nothing, but count as pixels.
        share (float): Share of the pixels of a map that count, in (0, 1],
            rounded down to at least one pixel. Defaults to 1.0.
        valid (Tensor, optional): bool, (B, C), channels that may have
            pixels; others are not part of the softmax. Defaults to None:
            all.
        ignore_index (int): Label of pixels without truth. Defaults to 255.

    Returns:
        Tensor: Scalar, the mean over the maps; 0 without any.

    Raises:
        PMVISError: If the shapes differ.
    """
    check_label_maps(logits, labels)
    logits = hide_channels(at_least_float32(logits), valid)
    if logits.numel() == 0:
        return logits.sum() * 0
    losses = F.cross_entropy(
        logits, labels, ignore_index=ignore_index, reduction='none'
    ).flatten(1)
    count = max(1, int(share * losses.size(1)))
    if count < losses.size(1):
        losses = losses.topk(count, dim=1, sorted=False).values
    return losses.mean()


@MODELS.register_module()
class BootstrappedCrossEntropyLoss(nn.Module):
    """Cross entropy over fewer and fewer pixels, the hardest ones.

    That of the released `AOT <https://arxiv.org/abs/2106.02638>`_ and DeAOT:
    all pixels count at first, ``top_share`` of them after ``ramp`` of the
    training; linear between the two. Averaged over maps.

    Args:
        top_share (float): Share of the pixels that count in the end.
            Defaults to 0.15.
        ramp (float): Part of the training after which it is reached.
            Defaults to 0.5.
        ignore_index (int): Label of pixels without truth. Defaults to 255.
        loss_weight (float): Weight of the term. Defaults to 1.0.

    Raises:
        ConfigError: If an option is out of range.
    """

    def __init__(
        self,
        top_share: float = 0.15,
        ramp: float = 0.5,
        ignore_index: int = 255,
        loss_weight: float = 1.0,
    ) -> None:
        super().__init__()
        if not 0 < top_share <= 1:
            raise ConfigError(
                f'top_share={top_share} is no share of the pixels',
                fix='use a number in (0, 1]; 1 counts all pixels',
            )
        if not 0 <= ramp <= 1:
            raise ConfigError(
                f'ramp={ramp} is no part of the training',
                fix='use a number in [0, 1]; 0 counts the hardest pixels '
                'from the start',
            )
        self.top_share = top_share
        self.ramp = ramp
        self.ignore_index = ignore_index
        self.loss_weight = loss_weight

    def share(self, progress: float) -> float:
        """Compute the share of the pixels that count.

        Args:
            progress (float): Finished part of the training, in [0, 1].

        Returns:
            float: In [top_share, 1].
        """
        done = 1.0 if progress >= self.ramp else progress / self.ramp
        return done * self.top_share + (1 - done)

    def forward(
        self,
        logits: Tensor,
        labels: Tensor,
        valid: Optional[Tensor] = None,
        progress: float = 1.0,
    ) -> Tensor:
        """Compute the loss.

        Args:
            logits (Tensor): float, (B, C, H, W), before softmax.
            labels (Tensor): int64, (B, H, W), in 0 ... C - 1, or
                ``ignore_index``.
            valid (Tensor, optional): bool, (B, C), see
                :func:`bootstrapped_cross_entropy_loss`. Defaults to None.
            progress (float): Finished part of the training, in [0, 1].
                Defaults to 1.0.

        Returns:
            Tensor: Scalar; 0 with a gradient path without any map.

        Raises:
            PMVISError: If the shapes differ.
        """
        loss = bootstrapped_cross_entropy_loss(
            logits, labels, self.share(progress), valid, self.ignore_index
        )
        return self.loss_weight * loss

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return (
            f'top_share={self.top_share}, ramp={self.ramp}, '
            f'ignore_index={self.ignore_index}, '
            f'loss_weight={self.loss_weight}'
        )
