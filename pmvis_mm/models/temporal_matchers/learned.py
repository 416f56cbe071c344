"""Partners by learned descriptors."""

from dataclasses import replace
from typing import Dict, List, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import MODELS
from ...structures.temporal_matches import TemporalMatches
from ...utils.errors import ConfigError
from .base import TemporalMatcher
from .candidates import candidate_index, list_pairs
from .patch import search_offsets

# Lab reaches about +-100; networks start from inputs around 1.
LAB_SCALE = 0.01


@MODELS.register_module()
class LearnedMatcher(TemporalMatcher):
    r"""Learns how much each candidate of a pixel counts.

    Three fully connected layers turn the colours of a pixel or patch into a
    descriptor f. Weights of the K candidates are

    .. math::
        w_k(p) = \mathrm{softmax}_k
            \big( f_b(p) \cdot f_a(p + o_k) / \sqrt{C} \big)

    so that the loss of a pixel is its mean over candidates. The rows
    "Learnable Pixel / Patch Matching" of Table 2 of `MaskFreeVIS
    <https://arxiv.org/abs/2303.15904>`_, trained by the loss alone. The
    paper tells layers and attention; C and the scales of colour and dot
    product are ours. Candidates outside of the frame have no share: all
    labels agree with them, and the weights would learn to go there.

    Args:
        patch_size (int): Odd side of the patch; 1 for a single pixel.
            Outside of the frame it is black. Defaults to 1.
        channels (int): C. Defaults to 256.
        search (dict | int, optional): See :func:`~.patch.search_offsets`.
            Defaults to ``dict(kernel=3, dilation=3)``.

    Raises:
        ConfigError: If an option is out of range.
    """

    def __init__(
        self,
        patch_size: int = 1,
        channels: int = 256,
        search: Union[int, Dict[str, int], None] = None,
    ) -> None:
        super().__init__()
        if patch_size < 1 or patch_size % 2 == 0 or channels < 1:
            raise ConfigError(
                f'no descriptor has patch_size={patch_size} and '
                f'channels={channels}',
                fix='use an odd patch_size >= 1 and channels >= 1',
            )
        search = dict(kernel=3, dilation=3) if search is None else search
        self.offsets = search_offsets(search)
        # A convolution is a fully connected layer of each patch.
        self.layers = nn.Sequential(
            nn.Conv2d(3, channels, patch_size, padding=patch_size // 2),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 1),
            nn.ReLU(inplace=True),
            nn.Conv2d(channels, channels, 1),
        )

    def forward(
        self,
        lab: Tensor,
        connections: List[Tuple[int, int]],
        images: Optional[Tensor] = None,
    ) -> TemporalMatches:
        """See the base class; weights have a gradient."""
        frames, _, height, width = lab.shape[1:]
        index = candidate_index(self.offsets, (height, width), lab.device)
        keep = (index >= 0).expand(len(lab), len(connections), *index.shape)
        matches = list_pairs(keep, index, connections, (frames, height, width))
        if not connections:
            return replace(matches, weights=lab.new_zeros(0))
        descriptors = describe(self.layers, lab.flatten(0, 1))
        descriptors = descriptors.view(*lab.shape[:2], -1, height, width)
        scores = torch.stack(
            [
                self._scores(descriptors[:, a], descriptors[:, b])
                for a, b in connections
            ],
            dim=1,
        )
        scores = scores.masked_fill(index < 0, float('-inf'))
        return replace(matches, weights=scores.softmax(-1)[keep])

    def _scores(self, other: Tensor, center: Tensor) -> Tensor:
        """Compare each pixel with its candidates.

        Args:
            other (Tensor): (N, C, h, w), descriptors of frame a.
            center (Tensor): (N, C, h, w), of frame b.

        Returns:
            Tensor: (N, h * w, K), anything for candidates outside.
        """
        height, width = center.shape[-2:]
        reach = max(abs(step) for offset in self.offsets for step in offset)
        # Shifted views of one map: candidates' descriptors are not copied.
        padded = F.pad(other, (reach, reach, reach, reach))
        scores = []
        for row, col in self.offsets:
            top, left = reach + row, reach + col
            view = padded[..., top : top + height, left : left + width]
            scores.append((center * view).sum(1).flatten(1))
        return torch.stack(scores, dim=-1) / center.size(1) ** 0.5


def describe(layers: nn.Module, lab: Tensor) -> Tensor:
    """Run a network on colours, (N, 3 * n, h, w), in its own precision."""
    weight = next(layers.parameters())
    result = layers(lab.to(weight.dtype) * LAB_SCALE)
    return result.to(torch.promote_types(result.dtype, torch.float32))
