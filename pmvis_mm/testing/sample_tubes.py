"""Short clips on which the temporal loss is tested."""

from typing import List, NamedTuple, Tuple

import torch
from torch import Tensor

from ..models.utils import box_bitmasks, lab_features, pairwise_similarity
from ..structures.mask_targets import MaskTargets


class SampleTubes(NamedTuple):
    """Two clips on which the losses of MaskFreeVIS have known values.

    Attributes:
        logits (Tensor): float32, (3, T, 16, 16), of the matched queries.
        targets (MaskTargets): Rows of all three instances, in their order.
        gt_index (list[Tensor]): int64, per clip the instance of each query.
    """

    logits: Tensor
    targets: MaskTargets
    gt_index: List[Tensor]


def sample_tubes(swap_rb: bool = False, num_frames: int = 5) -> SampleTubes:
    """Build the clips, two of 64 x 64 pixels with at most two instances.

    Args:
        swap_rb (bool): See ``lab_features``; True as released. Defaults to
            False.
        num_frames (int): T, the first ones of 5. Defaults to 5.

    Returns:
        SampleTubes: Clips, targets and logits.
    """
    clip, t, i, j = _indices(2, 5, 64, 64)
    inside = (16 + 2 * t <= i) & (i <= 35 + 2 * t)
    inside &= (12 + 4 * t <= j) & (j <= 35 + 4 * t)
    channels = (
        100 + i // 8 + t + 9 * inside,
        90 + j // 8 + clip - 3 * inside,
        60 + 2 * (i // 8) + j // 8 - t + 4 * inside,
    )
    images = torch.stack(channels, 2).byte()[:, :num_frames]
    moving = [
        [12 + 4 * t, 16 + 2 * t, 36 + 4 * t, 36 + 2 * t] for t in range(5)
    ]
    still = [[40, 4, 58, 19] if t != 3 else [0, 0, 0, 0] for t in range(5)]
    boxes = torch.tensor([moving, still, moving]).float()[:, :num_frames]
    lab = lab_features(images, swap_rb=swap_rb)
    targets = MaskTargets(
        box_bitmasks(boxes, (64, 64), 4, 'exact', 'bilinear'),
        torch.tensor([0, 0, 1]),
        pairwise_similarity(lab),
        lab=lab,
    )
    clip, q, t, i, j = _indices(2, 4, 5, 16, 16)
    logits = 3 * torch.sin(0.7 * i + 0.65 * j + 2.1 * t + 0.9 * q + 0.4 * clip)
    rows = logits[[0, 0, 1], [0, 2, 3], :num_frames]
    return SampleTubes(
        rows, targets, [torch.tensor([1, 0]), torch.tensor([0])]
    )


def _indices(*sizes: int) -> Tuple[Tensor, ...]:
    """Index along each axis, int64, all of the same shape."""
    return torch.meshgrid(*map(torch.arange, sizes), indexing='ij')


def random_tubes(num_frames: int, seed: int = 0) -> Tuple[Tensor, MaskTargets]:
    """Make two clips of noise with two and three instances.

    Instance 0 is absent in frame 0, instance 3 everywhere.

    Args:
        num_frames (int): T.
        seed (int): Of the noise. Defaults to 0.

    Returns:
        tuple: Logits, float64, (5, T, 6, 7), in [-6, 6], and the targets:
        box masks in quarters, and colours so alike that some pixels match.
    """
    generator = torch.Generator().manual_seed(seed)
    shape = (num_frames, 6, 7)
    lab = torch.rand(2, num_frames, 3, 6, 7, generator=generator)
    boxes = (torch.rand(5, *shape, generator=generator) * 5).floor() / 4
    boxes[0, 0] = 0
    boxes[3] = 0
    logits = torch.rand(5, *shape, generator=generator).double() - 0.5
    targets = MaskTargets(
        boxes.clamp(max=1), torch.tensor([0, 0, 1, 1, 1]), lab=lab * 1.5 + 1
    )
    return logits * 12, targets
