"""Partners at learned offsets, between pixels."""

from typing import List, Optional, Tuple

import torch
from torch import Tensor, nn

from ...registry import MODELS
from ...structures.temporal_matches import TemporalMatches
from ...utils.errors import ConfigError
from .base import TemporalMatcher
from .learned import describe


@MODELS.register_module()
class DeformableMatcher(TemporalMatcher):
    """Matches each pixel with the one at an offset that it learns.

    Three 3 x 3 convolutions look at the colours of both frames and say
    where the partner is; its label is read bilinearly. The row "Temporal
    Deformable Matching" of Table 2 of `MaskFreeVIS
    <https://arxiv.org/abs/2303.15904>`_, which names
    `TDAN <https://arxiv.org/abs/1812.02898>`_ and no more: width and depth
    are ours. All offsets are 0 before training.

    Partners that leave the frame come back to its border. Were they dropped,
    or agreed with everything as padding does, the cheapest offset would be
    one that leads out of the frame.

    Args:
        channels (int): Of the hidden layers. Defaults to 64.

    Raises:
        ConfigError: If ``channels`` is not positive.
    """

    def __init__(self, channels: int = 64) -> None:
        super().__init__()
        if channels < 1:
            raise ConfigError(
                f'channels is {channels}', fix='use 1 or more channels'
            )
        last = nn.Conv2d(channels, 2, 3, padding=1)
        for parameter in last.parameters():
            nn.init.zeros_(parameter)
        self.layers = nn.Sequential(
            nn.Conv2d(6, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 3, padding=1),
            nn.ReLU(inplace=True),
            last,
        )

    def forward(
        self,
        lab: Tensor,
        connections: List[Tuple[int, int]],
        images: Optional[Tensor] = None,
    ) -> TemporalMatches:
        """See the base class; ``mix`` has a gradient."""
        num_clips, frames, _, height, width = lab.shape
        area = height * width
        link = torch.tensor(connections, dtype=torch.long, device=lab.device)
        link = link.view(len(connections), 2)
        pixels = torch.arange(area, device=lab.device)
        centers = pixels + link[:, 1, None] * area
        if connections:
            both = torch.stack([lab[:, a] for a, _ in connections], 1)
            this = torch.stack([lab[:, b] for _, b in connections], 1)
            inputs = torch.cat([both, this], 2).flatten(0, 1)
            partners, mix = bilinear_partners(describe(self.layers, inputs))
            start = link[:, 0].repeat(num_clips) * area
            partners = (partners + start[:, None, None]).flatten(0, 1)
            mix = mix.flatten(0, 1)
        else:
            partners = centers.new_zeros(0, 4)
            mix = lab.new_zeros(0, 4)
        return TemporalMatches(
            shape=(frames, height, width),
            connections=list(connections),
            counts=centers.new_full((num_clips, len(connections)), area),
            centers=centers.flatten().repeat(num_clips),
            partners=partners,
            mix=mix,
        )


def bilinear_partners(offsets: Tensor) -> Tuple[Tensor, Tensor]:
    """Find the four pixels around the end of each offset.

    Args:
        offsets (Tensor): float, (N, 2, h, w), rows and columns, in pixels.
            Ends outside of the map are moved to its border, where the
            gradient across it is 0.

    Returns:
        tuple: Pixels of the flattened map, int64, (N, h * w, 4), and their
        shares, float, same shape, sum 1, differentiable.
    """
    rows, row_mix = _two_around(offsets[:, 0], -2)
    cols, col_mix = _two_around(offsets[:, 1], -1)
    width = offsets.size(-1)
    partners = rows[..., :, None] * width + cols[..., None, :]
    mix = row_mix[..., :, None] * col_mix[..., None, :]
    return partners.flatten(-2).flatten(1, 2), mix.flatten(-2).flatten(1, 2)


def _two_around(offset: Tensor, axis: int) -> Tuple[Tensor, Tensor]:
    """Find the pixels below and above each end along one axis.

    Args:
        offset (Tensor): (N, h, w).
        axis (int): The axis that it goes along.

    Returns:
        tuple: Positions, int64, (N, h, w, 2), and shares, same shape.
    """
    length = offset.size(axis)
    place = torch.arange(length, device=offset.device, dtype=offset.dtype)
    place = place[:, None] if axis == -2 else place
    end = (place + offset).clamp(0, length - 1)
    # Indices must stay inside even if the network has diverged; the shares
    # then still tell.
    low = end.detach().nan_to_num().floor().clamp(max=max(length - 2, 0))
    high = (low + 1).clamp(max=length - 1)
    share = end - low
    both = torch.stack([low, high], -1).long()
    return both, torch.stack([1 - share, share], -1)
