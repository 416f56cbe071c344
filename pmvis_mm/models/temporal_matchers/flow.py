"""Partners along optical flow."""

from typing import Dict, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor

from ...registry import MODELS, TASK_UTILS
from ...structures.temporal_matches import TemporalMatches
from ...utils.errors import ConfigError
from .base import TemporalMatcher
from .candidates import list_pairs
from .flow_estimators import FlowEstimator


@MODELS.register_module()
class FlowMatcher(TemporalMatcher):
    """Matches each pixel with the one that optical flow leads to.

    The row "Flow-based" of Table 2 of `MaskFreeVIS
    <https://arxiv.org/abs/2303.15904>`_: one partner at most per pixel, the
    pixel nearest to the end of its flow. Pixels that leave the frame get
    none.

    Args:
        flow (dict): Flow, ``type='DIS'`` (OpenCV) or ``type='RAFT'``
            (torchvision, with ``weights``), see ``flow_estimators``.
            Defaults to ``dict(type='DIS')``.
        consistency (float, optional): Drop pixels that flow there and back
            moves by more than this, pixels at mask stride. Defaults to
            None: keep all.

    Attributes:
        flow (FlowEstimator): Not part of the state dict.

    Raises:
        ConfigError: If an option is out of range.
    """

    def __init__(
        self,
        flow: Optional[dict] = None,
        consistency: Optional[float] = None,
    ) -> None:
        super().__init__()
        if consistency is not None and not consistency >= 0:
            raise ConfigError(
                f'consistency is {consistency}',
                fix='use a distance >= 0 in pixels at mask stride, or None',
            )
        self.consistency = consistency
        estimator = TASK_UTILS.build(flow or dict(type='DIS'))
        assert isinstance(estimator, FlowEstimator)
        self.flow = estimator
        self.needs_images = estimator.needs_images

    @torch.no_grad()
    def forward(
        self,
        lab: Tensor,
        connections: List[Tuple[int, int]],
        images: Optional[Tensor] = None,
    ) -> TemporalMatches:
        """See the base class.

        Raises:
            PMVISError: If the flow needs frames that are missing.
        """
        num_clips, frames, _, height, width = lab.shape
        shape = (num_clips, len(connections), height * width, 1)
        partners = torch.full(shape, -1, dtype=torch.long, device=lab.device)
        for clip in range(num_clips if connections else 0):
            own = None if images is None else images[clip]
            flows = self._flows(lab[clip], own, connections)
            for number, (a, b) in enumerate(connections):
                back = None if self.consistency is None else flows[a, b]
                found = self._follow(flows[b, a], back)
                partners[clip, number, :, 0] = found.flatten()
        return list_pairs(
            partners >= 0, partners, connections, (frames, height, width)
        )

    def _flows(
        self,
        lab: Tensor,
        images: Optional[Tensor],
        connections: List[Tuple[int, int]],
    ) -> Dict[Tuple[int, int], Tensor]:
        """Measure every flow that is needed once, by (source, target)."""
        pairs = [(b, a) for a, b in connections]
        if self.consistency is not None:
            pairs += connections
        pairs = list(dict.fromkeys(pairs))
        return dict(zip(pairs, self.flow.estimate(lab, images, pairs)))

    def _follow(self, flow: Tensor, back: Optional[Tensor]) -> Tensor:
        """Number the pixel that each one moves to; -1 for none.

        Args:
            flow (Tensor): (2, h, w), x and y.
            back (Tensor, optional): Same, from there to here.

        Returns:
            Tensor: int64, (h, w).
        """
        height, width = flow.shape[1:]
        x = torch.arange(width, device=flow.device) + flow[0]
        y = torch.arange(height, device=flow.device)[:, None] + flow[1]
        # Halves go up everywhere, not to the even neighbour.
        column, row = (x + 0.5).floor(), (y + 0.5).floor()
        keep = (column >= 0) & (column < width) & (row >= 0) & (row < height)
        if back is not None:
            assert self.consistency is not None
            drift = flow + _sample(back, x, y)
            keep &= drift.norm(dim=0) <= self.consistency
        number = torch.where(keep, row * width + column, -torch.ones_like(x))
        return number.long()

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return (
            f'flow={type(self.flow).__name__}, consistency={self.consistency}'
        )


def _sample(maps: Tensor, x: Tensor, y: Tensor) -> Tensor:
    """Read (C, h, w) maps between pixels, clamped to their border."""
    height, width = maps.shape[1:]
    # grid_sample counts from -1 to 1, from the edges of the border pixels.
    grid = torch.stack([(2 * x + 1) / width - 1, (2 * y + 1) / height - 1], -1)
    return F.grid_sample(
        maps[None], grid[None], padding_mode='border', align_corners=False
    )[0]
