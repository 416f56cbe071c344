"""Decoder of AOT and DeAOT: from stride 16 to label logits at stride 4."""

from typing import Sequence, Tuple

import torch.nn.functional as F
from mmcv.cnn import ConvModule
from torch import Tensor, nn

_OUT = (128, 256, 256)


class FPNMaskHead(nn.Module):
    """Feature pyramid that decodes the labels of G groups.

    Args:
        pyramid_channels (Sequence[int]): Channels of the backbone's maps at
            strides 4, 8 and 16.
        in_channels (int): Channels of the propagated features. Defaults to
            512.
        num_classes (int): Background and objects of a group. Defaults to
            11.
        align_corners (bool): See :func:`torch.nn.functional.interpolate`.
            Defaults to True.
    """

    def __init__(
        self,
        pyramid_channels: Sequence[int],
        in_channels: int = 512,
        num_classes: int = 11,
        align_corners: bool = True,
    ) -> None:
        super().__init__()
        self.align_corners = align_corners
        # Whatever has fewer channels is worth keeping between passes.
        self.adapts_early = tuple(
            before >= after for before, after in zip(pyramid_channels, _OUT)
        )
        self.conv_in = _conv(in_channels, 256, 1)
        self.conv_16x = _conv(256, 256, 3)
        self.conv_8x = _conv(256, 128, 3)
        self.conv_4x = _conv(128, 128, 3)
        self.adapter_4x = nn.Conv2d(pyramid_channels[0], _OUT[0], 1)
        self.adapter_8x = nn.Conv2d(pyramid_channels[1], _OUT[1], 1)
        self.adapter_16x = nn.Conv2d(pyramid_channels[2], _OUT[2], 1)
        self.conv_out = nn.Conv2d(128, num_classes, 1)

    def _adapters(self) -> Tuple[nn.Module, ...]:
        return self.adapter_4x, self.adapter_8x, self.adapter_16x

    def compact(self, pyramid: Sequence[Tensor]) -> Tuple[Tensor, ...]:
        """Do the part that no object plays a role in, where it saves space.

        Args:
            pyramid (Sequence[Tensor]): float, (B, C, h, w), of the backbone
                at strides 4, 8 and 16.

        Returns:
            tuple[Tensor]: What :meth:`forward` takes.
        """
        return tuple(
            adapter(x) if early else x
            for x, adapter, early in zip(
                pyramid, self._adapters(), self.adapts_early
            )
        )

    def forward(self, x: Tensor, pyramid: Sequence[Tensor]) -> Tensor:
        """Decode.

        Args:
            x (Tensor): float, (G, in_channels, h, w) at stride 16.
            pyramid (Sequence[Tensor]): Three maps from :meth:`compact`.

        Returns:
            Tensor: float, (G, num_classes, H, W), logits at stride 4.
        """
        fine, middle, coarse = (
            x if early else adapter(x)
            for x, adapter, early in zip(
                pyramid, self._adapters(), self.adapts_early
            )
        )
        x = self.conv_16x(coarse + self.conv_in(x))
        x = self.conv_8x(middle + self._enlarged(x, middle))
        x = self.conv_4x(fine + self._enlarged(x, fine))
        return self.conv_out(x)

    def _enlarged(self, x: Tensor, like: Tensor) -> Tensor:
        return F.interpolate(
            x,
            size=like.shape[-2:],
            mode='bilinear',
            align_corners=self.align_corners,
        )


def _conv(in_channels: int, out_channels: int, size: int) -> ConvModule:
    return ConvModule(
        in_channels,
        out_channels,
        size,
        padding=size // 2,
        bias=True,
        norm_cfg=dict(type='GN', num_groups=8),
    )
