"""The pairwise term of BoxInst, from frame to frame."""

from typing import Dict, List, Optional, Tuple

import torch
from torch import Tensor

from ...registry import MODELS
from ...structures.temporal_matches import TemporalMatches
from ...utils.errors import ConfigError
from .base import TemporalMatcher
from .candidates import candidate_index, list_pairs
from .patch import search_offsets


@MODELS.register_module()
class ColorMatcher(TemporalMatcher):
    r"""Matches each pixel with all of similar colour around its place.

    .. math::
        \exp(-\|c_b(p) - c_a(p + o_k)\|_2 / 2) \ge \tau

    The row "3D pairwise" of Table 2 of `MaskFreeVIS
    <https://arxiv.org/abs/2303.15904>`_: Eq. 4 of `BoxInst
    <https://arxiv.org/abs/2012.02310>`_ for neighbours in another frame,
    the same place among them. Pixels outside of the frame are no partners.

    Args:
        size (int): Odd side of the neighbourhood. Defaults to 3.
        dilation (int): Distance between neighbours, pixels at mask stride.
            Defaults to 2.
        threshold (float): Least similarity of a pair, in (0, 1]. Defaults
            to 0.3.

    Raises:
        ConfigError: If an option is out of range.
    """

    def __init__(
        self, size: int = 3, dilation: int = 2, threshold: float = 0.3
    ) -> None:
        super().__init__()
        if not 0 < threshold <= 1:
            raise ConfigError(
                f'threshold is {threshold}', fix='use one in (0, 1]'
            )
        self.offsets = search_offsets(dict(kernel=size, dilation=dilation))
        self.threshold = threshold
        self._options: Dict[str, float] = dict(
            size=size, dilation=dilation, threshold=threshold
        )

    @torch.no_grad()
    def forward(
        self,
        lab: Tensor,
        connections: List[Tuple[int, int]],
        images: Optional[Tensor] = None,
    ) -> TemporalMatches:
        """See the base class."""
        num_clips, frames, _, height, width = lab.shape
        index = candidate_index(self.offsets, (height, width), lab.device)
        colors = lab.flatten(3)
        shape = (num_clips, len(connections), *index.shape)
        keep = torch.zeros(shape, dtype=torch.bool, device=lab.device)
        for number, (a, b) in enumerate(connections):
            around = colors[:, a][:, :, index.clamp(min=0)]
            distance = (colors[:, b][..., None] - around).norm(dim=1)
            similar = (-0.5 * distance).exp() >= self.threshold
            keep[:, number] = similar & (index >= 0)
        return list_pairs(keep, index, connections, (frames, height, width))

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return ', '.join(f'{k}={v}' for k, v in self._options.items())
