"""Losses that tell instances apart by their embeddings (IDOL)."""

from typing import Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import MODELS
from ...utils.errors import ConfigError
from .utils import at_least_float32


def contrastive_reid_loss(
    key_embeds: Tensor,
    ref_embeds: Tensor,
    positives: Tensor,
    negatives: Tensor,
) -> Tensor:
    r"""Contrast embeddings as `IDOL <https://arxiv.org/abs/2207.10661>`_.

    .. math::
        \log(1 + \sum_{p} \sum_{n} \exp(v \cdot n - v \cdot p))

    for each key embedding v, with raw dot products.

    Args:
        key_embeds (Tensor): float, (n, C).
        ref_embeds (Tensor): float, (Q, C).
        positives (Tensor): bool, (n, Q), embeddings of the same instance.
        negatives (Tensor): bool, (n, Q), embeddings of others. One that is
            also positive counts as both.

    Returns:
        Tensor: float32 or float64, (n,), not negative; 0 for a key without
        positives or negatives.
    """
    key, ref = at_least_float32(key_embeds), at_least_float32(ref_embeds)
    with torch.autocast(key.device.type, enabled=False):
        dots = key @ ref.T
    # The least number, not -inf: without a member gradients stay finite.
    least = torch.finfo(dots.dtype).min
    near = (-dots).masked_fill(~positives, least).logsumexp(1)
    far = dots.masked_fill(~negatives, least).logsumexp(1)
    both = positives.any(1) & negatives.any(1)
    gap = torch.where(both, near + far, torch.full_like(far, least))
    return torch.stack((torch.zeros_like(gap), gap)).logsumexp(0)


def cosine_reid_loss(
    key_embeds: Tensor,
    ref_embeds: Tensor,
    positives: Tensor,
    negatives: Tensor,
) -> Tensor:
    """Pull cosines of positives to 1, of negatives to 0, squared error.

    The auxiliary loss in the public code of IDOL, which it shares with
    `QDTrack <https://arxiv.org/abs/2006.06664>`_.

    Args:
        key_embeds (Tensor): See :func:`contrastive_reid_loss`.
        ref_embeds (Tensor): See :func:`contrastive_reid_loss`.
        positives (Tensor): See :func:`contrastive_reid_loss`.
        negatives (Tensor): See :func:`contrastive_reid_loss`; all of them
            count, see :func:`sample_negatives`.

    Returns:
        Tensor: float32 or float64, (n,), mean over positives and
        negatives; 0 for a key without any.
    """
    key = F.normalize(at_least_float32(key_embeds), dim=1)
    ref = F.normalize(at_least_float32(ref_embeds), dim=1)
    with torch.autocast(key.device.type, enabled=False):
        cosines = key @ ref.T
    error = (cosines - 1).square() * positives + cosines.square() * negatives
    count = positives.sum(1) + negatives.sum(1)
    return error.sum(1) / count.clamp(min=1)


@torch.no_grad()
def sample_negatives(
    positives: Tensor, negatives: Tensor, ratio: int
) -> Tensor:
    """Choose some of the negatives of each key at random.

    Args:
        positives (Tensor): bool, (n, Q).
        negatives (Tensor): bool, (n, Q).
        ratio (int): Negatives per positive; the same number without a
            positive. All are chosen where there are fewer.

    Returns:
        Tensor: bool, (n, Q), a subset of the negatives. Drawn by torch's
        CPU generator, the same on every device.
    """
    num_keys, num_queries = negatives.shape
    if num_keys == 0:
        return negatives.clone()
    order = torch.stack([torch.randperm(num_queries) for _ in range(num_keys)])
    order = order.to(negatives.device)
    # Place of each negative among the negatives of its row.
    order = order.masked_fill(~negatives, num_queries)
    place = order.argsort(1).argsort(1)
    wanted = ratio * positives.sum(1, keepdim=True).clamp(min=1)
    return negatives & (place < wanted)


@MODELS.register_module()
class ContrastiveReIDLoss(nn.Module):
    """Contrastive loss of `IDOL <https://arxiv.org/abs/2207.10661>`_.

    See :func:`contrastive_reid_loss`; summed over keys.

    Args:
        loss_weight (float): Weight of the term. IDOL uses 2.0. Defaults to
            1.0.
    """

    def __init__(self, loss_weight: float = 1.0) -> None:
        super().__init__()
        self.loss_weight = loss_weight

    def forward(
        self,
        key_embeds: Tensor,
        ref_embeds: Tensor,
        positives: Tensor,
        negatives: Tensor,
        avg_factor: Union[int, float, Tensor] = 1,
    ) -> Tensor:
        """Compute the loss of one pair of frames.

        Args:
            key_embeds (Tensor): float, (n, C), of the key frame.
            ref_embeds (Tensor): float, (Q, C), of the reference frame.
            positives (Tensor): bool, (n, Q), same instance as the key.
            negatives (Tensor): bool, (n, Q), anything else.
            avg_factor (int | float | Tensor): Divides the sum, usually the
                number of keys of the batch. Defaults to 1.

        Returns:
            Tensor: Scalar; 0 with a gradient path if n is 0.
        """
        losses = contrastive_reid_loss(
            key_embeds, ref_embeds, positives, negatives
        )
        return self.loss_weight * losses.sum() / avg_factor

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return f'loss_weight={self.loss_weight}'


@MODELS.register_module()
class CosineReIDLoss(nn.Module):
    """Auxiliary loss of IDOL's embeddings.

    See :func:`cosine_reid_loss`; summed over keys. Negatives are drawn at
    random by torch's CPU generator, anew in each call.

    Args:
        loss_weight (float): Weight of the term. IDOL uses 3.0. Defaults to
            1.0.
        neg_pos_ratio (int): Negatives per positive, at most. Defaults to
            10.

    Raises:
        ConfigError: If ``neg_pos_ratio`` is not positive.
    """

    def __init__(
        self, loss_weight: float = 1.0, neg_pos_ratio: int = 10
    ) -> None:
        super().__init__()
        if neg_pos_ratio < 1:
            raise ConfigError(
                f'neg_pos_ratio={neg_pos_ratio} leaves no negatives',
                fix='use at least 1, such as 10',
            )
        self.loss_weight = loss_weight
        self.neg_pos_ratio = neg_pos_ratio

    def forward(
        self,
        key_embeds: Tensor,
        ref_embeds: Tensor,
        positives: Tensor,
        negatives: Tensor,
        avg_factor: Union[int, float, Tensor] = 1,
    ) -> Tensor:
        """Compute the loss of one pair of frames.

        Args:
            key_embeds (Tensor): float, (n, C), of the key frame.
            ref_embeds (Tensor): float, (Q, C), of the reference frame.
            positives (Tensor): bool, (n, Q), same instance as the key.
            negatives (Tensor): bool, (n, Q), anything else.
            avg_factor (int | float | Tensor): Divides the sum, usually the
                number of keys of the batch. Defaults to 1.

        Returns:
            Tensor: Scalar; 0 with a gradient path if n is 0.
        """
        sampled = sample_negatives(positives, negatives, self.neg_pos_ratio)
        losses = cosine_reid_loss(key_embeds, ref_embeds, positives, sampled)
        return self.loss_weight * losses.sum() / avg_factor

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return (
            f'loss_weight={self.loss_weight}, '
            f'neg_pos_ratio={self.neg_pos_ratio}'
        )
