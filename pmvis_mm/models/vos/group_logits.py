"""From the logits of groups of ten objects to labels."""

import torch
from torch import Tensor


def label_map(logits: Tensor, num_objects: int) -> Tensor:
    """Find the label of each pixel.

    Args:
        logits (Tensor): float, (1 + 10 G, H, W), see
            :meth:`DeAOTPropagator.step`.
        num_objects (int): n of the state; places beyond never win.

    Returns:
        Tensor: int64, (H, W), 0 is background.
    """
    return logits[: 1 + num_objects].argmax(0)


def merge_groups(logits: Tensor) -> Tensor:
    """Join the logits of groups that were tracked side by side.

    Soft aggregation of AOT: a pixel is background if all groups say so.

    Args:
        logits (Tensor): float, (G, 1 + n, ...), background first.

    Returns:
        Tensor: float, (1 + G n, ...); of one group, its logits.
    """
    if len(logits) == 1:
        return logits[0]
    prob = logits.softmax(1)
    merged = torch.cat((prob[:, 0].prod(0)[None], prob[:, 1:].flatten(0, 1)))
    return merged.clamp(1e-5, 1 - 1e-5).logit()
