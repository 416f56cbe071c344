"""What the mask losses share."""

from typing import Iterable, Optional

import torch
from mmengine.dist import all_reduce, get_world_size
from torch import Tensor, nn

from ...structures.mask_targets import MaskTargets
from ...utils.errors import PMVISError


def check_rows(mask_logits: Tensor, targets: MaskTargets) -> None:
    """Refuse logits and targets that do not belong together.

    Args:
        mask_logits (Tensor): (num_pos, T, h, w).
        targets (MaskTargets): One row per prediction.

    Raises:
        PMVISError: If the shapes differ.
    """
    if mask_logits.shape != targets.box_masks.shape:
        raise PMVISError(
            f'mask logits {tuple(mask_logits.shape)} and box masks '
            f'{tuple(targets.box_masks.shape)} differ in shape',
            fix='gather the targets with the assignment of these '
            'predictions, at the stride of the mask head',
        )


def prepare_targets(
    losses: Iterable[nn.Module], targets: MaskTargets
) -> MaskTargets:
    """Let losses find once per step what all decoder layers share.

    Args:
        losses (Iterable[nn.Module]): Mask losses; those with a method
            ``prepare(targets) -> targets`` take part.
        targets (MaskTargets): All ground-truth rows, before any
            ``gather``.

    Returns:
        MaskTargets: The same rows, with what the losses have added.
    """
    for loss in losses:
        prepare = getattr(loss, 'prepare', None)
        if prepare is not None:
            targets = prepare(targets)
    return targets


def at_least_float32(logits: Tensor) -> Tensor:
    """Leave half precision: sums over whole maps overflow in it."""
    return logits.to(torch.promote_types(logits.dtype, torch.float32))


def zero_loss(mask_logits: Tensor) -> Tensor:
    """Return 0 with a gradient path, so that DDP finds all parameters."""
    return at_least_float32(mask_logits).sum() * 0


def sync_count(count: Tensor, sync: bool) -> Tensor:
    """Turn the number of things that a loss sums over into a denominator.

    Gradients of several processes are averaged. Divided by this, the mean
    over N processes equals one process with all their rows. Every process
    must call it equally often, also where it has nothing to count.

    Args:
        count (Tensor): Any dtype, not negative; scalar, or one element
            per thing, equally many in all processes. Not changed.
        sync (bool): Whether to count over all processes. Without effect
            where training is not distributed.

    Returns:
        Tensor: float32, same shape, no gradient. The count, at least 1; with
        ``sync`` the total count, at least 1, divided by the number of
        processes.
    """
    total = count.detach().to(torch.float32, copy=True)
    if not sync:
        return total.clamp(min=1)
    all_reduce(total)
    return total.clamp(min=1) / get_world_size()


def count_valid(targets: MaskTargets, sync: bool) -> Tensor:
    """Count the rows and frames that have a mask.

    Args:
        targets (MaskTargets): Uses ``masks_valid``.
        sync (bool): See :func:`sync_count`.

    Returns:
        Tensor: float32, scalar, see :func:`sync_count`.
    """
    assert targets.masks_valid is not None
    return sync_count(targets.masks_valid.sum(), sync)


def sum_over_valid(per_map: Tensor, targets: MaskTargets) -> Tensor:
    """Sum over the rows and frames that have a mask; 0 without any.

    Args:
        per_map (Tensor): float, (num_pos, T).
        targets (MaskTargets): Uses ``masks_valid``, same shape.

    Returns:
        Tensor: Scalar.
    """
    assert targets.masks_valid is not None
    return (per_map * targets.masks_valid.to(per_map.dtype)).sum()


def require_masks(targets: MaskTargets, name: str) -> Tensor:
    """Return the masks, or say why a loss cannot be computed.

    Raises:
        PMVISError: If the targets have none.
    """
    if targets.masks is None:
        raise PMVISError(
            f'{name} needs masks, but these targets hold boxes only',
            fix='train on pseudo or real masks, or take this loss out of '
            'mask_losses (box supervision)',
        )
    return targets.masks


def check_label_maps(logits: Tensor, labels: Tensor) -> None:
    """Refuse logits and label maps that do not belong together.

    Args:
        logits (Tensor): (B, C, H, W).
        labels (Tensor): (B, H, W).

    Raises:
        PMVISError: If the shapes differ.
    """
    maps = (*logits.shape[:1], *logits.shape[2:])
    if logits.ndim != 4 or tuple(labels.shape) != maps:
        raise PMVISError(
            f'logits {tuple(logits.shape)} and label maps '
            f'{tuple(labels.shape)} do not fit',
            fix='give logits (B, C, H, W) and labels (B, H, W)',
        )


def hide_channels(logits: Tensor, valid: Optional[Tensor]) -> Tensor:
    """Take channels out of the softmax.

    Args:
        logits (Tensor): float, at least float32, (B, C, H, W).
        valid (Tensor, optional): bool, (B, C), channels to keep; None keeps
            all.

    Returns:
        Tensor: Same shape; hidden channels are -1e10, and no gradient
        passes them.
    """
    if valid is None:
        return logits
    # Not -inf, which makes NaN of 0 * -inf in interpolation.
    return logits.masked_fill(~valid[:, :, None, None], -1e10)
