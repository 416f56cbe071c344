"""Joins encoder features of several strides to few channels for masks."""

from typing import Sequence

import torch.nn.functional as F
from mmengine.model import BaseModule, caffe2_xavier_init
from torch import Tensor, nn


class MaskBranch(BaseModule):
    """Mask features of `IDOL <https://arxiv.org/abs/2207.10661>`_.

    From coarse to fine, features are added to the upsampled sum and pass a
    3x3 convolution with ReLU; two more reduce the channels. The result goes
    through a ReLU as well, as in the public code.

    Args:
        in_channels (int): Channels of every level. Defaults to 256.
        out_channels (int): Channels of the mask features. Defaults to 8.
        num_levels (int): Number of levels. Defaults to 3.
        init_cfg (dict, optional): Initialization config. Defaults to None.
    """

    def __init__(
        self,
        in_channels: int = 256,
        out_channels: int = 8,
        num_levels: int = 3,
        init_cfg: None = None,
    ) -> None:
        super().__init__(init_cfg)
        self.fuse_convs = nn.ModuleList(
            _conv(in_channels, in_channels) for _ in range(num_levels)
        )
        middle = max(in_channels // 4, out_channels)
        self.out_convs = nn.ModuleList(
            [_conv(in_channels, middle), _conv(middle, out_channels)]
        )

    def init_weights(self) -> None:
        """Initialise all convolutions."""
        super().init_weights()
        for conv in (*self.fuse_convs, *self.out_convs):
            caffe2_xavier_init(conv)  # kaiming uniform with a = 1

    def forward(self, levels: Sequence[Tensor]) -> Tensor:
        """Join the levels.

        Args:
            levels (Sequence[Tensor]): float, (B, in_channels, h_l, w_l),
                fine to coarse.

        Returns:
            Tensor: float, (B, out_channels, h_0, w_0), not negative.
        """
        coarsest, *finer = reversed(levels)
        first, *others = self.fuse_convs
        value: Tensor = first(coarsest).relu()
        for level, conv in zip(finer, others):
            value = F.interpolate(value, level.shape[-2:], mode='nearest')
            value = conv(level + value).relu()
        for conv in self.out_convs:
            value = conv(value).relu()
        return value


def _conv(in_channels: int, out_channels: int) -> nn.Conv2d:
    return nn.Conv2d(in_channels, out_channels, 3, padding=1)
