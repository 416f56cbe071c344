"""MobileNetV2 that keeps a stride of 16."""

from typing import List, Tuple

from mmengine.model import BaseModule
from torch import Tensor, nn

from ...registry import MODELS
from ...utils.checkpoint import check_weights
from ...utils.errors import ConfigError

# Expansion, channels, blocks, stride, dilation of the first and of the other
# blocks. The stride that a stage has lost its later blocks make up for.
_STAGES = (
    (1, 16, 1, 1, 1, 1),
    (6, 24, 2, 2, 1, 1),
    (6, 32, 3, 2, 1, 1),
    (6, 64, 4, 2, 1, 1),
    (6, 96, 3, 1, 1, 1),
    (6, 160, 3, 1, 1, 2),
    (6, 320, 1, 1, 2, 2),
)
_ENDS = (4, 7, 14, 19)


def _conv_norm(
    in_channels: int,
    out_channels: int,
    kernel_size: int = 1,
    stride: int = 1,
    groups: int = 1,
    dilation: int = 1,
) -> nn.Sequential:
    return nn.Sequential(
        nn.Conv2d(
            in_channels,
            out_channels,
            kernel_size,
            stride,
            padding=dilation * (kernel_size - 1) // 2,
            dilation=dilation,
            groups=groups,
            bias=False,
        ),
        nn.BatchNorm2d(out_channels),
        nn.ReLU6(),
    )


class _InvertedResidual(nn.Module):
    """Expand, filter each channel, project; add the input if it fits."""

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        expansion: int,
        stride: int,
        dilation: int,
    ) -> None:
        super().__init__()
        hidden = in_channels * expansion
        layers: List[nn.Module] = []
        if expansion != 1:
            layers.append(_conv_norm(in_channels, hidden))
        layers.append(_conv_norm(hidden, hidden, 3, stride, hidden, dilation))
        layers.append(nn.Conv2d(hidden, out_channels, 1, bias=False))
        layers.append(nn.BatchNorm2d(out_channels))
        self.conv = nn.Sequential(*layers)
        self.is_residual = stride == 1 and in_channels == out_channels

    def forward(self, x: Tensor) -> Tensor:
        """Keep or halve the size."""
        out = self.conv(x)
        return x + out if self.is_residual else out


@MODELS.register_module()
class DilatedMobileNetV2(BaseModule):
    """`MobileNetV2 <https://arxiv.org/abs/1801.04381>`_ of output stride 16.

    The stages of 160 and 320 channels filter with holes instead of halving
    the size. mmdet's class has neither this option nor the output of the
    last convolution.

    Args:
        frozen_stages (int): As in mmdet: 0 keeps the stem from training, 1
            also the layers up to the map of stride 4, 2 and 3 those of
            stride 8 and 16. Defaults to -1: all are trained.
        init_cfg (dict, optional): See mmengine; weights of torchvision go
            through ``tools/model_converters/torchvision_mobilenetv2.py``
            with ``--dilated``. Defaults to None.

    Raises:
        ConfigError: If ``frozen_stages`` is out of range.
    """

    def __init__(
        self, frozen_stages: int = -1, init_cfg: object = None
    ) -> None:
        super().__init__(init_cfg)
        if not -1 <= frozen_stages < len(_ENDS):
            raise ConfigError(
                f'frozen_stages={frozen_stages} of DilatedMobileNetV2',
                fix=f'use a number from -1 (none) to {len(_ENDS) - 1}',
            )
        channels = 32
        layers: List[nn.Module] = [_conv_norm(3, channels, 3, 2)]
        for expansion, width, blocks, stride, first, rest in _STAGES:
            for block in range(blocks):
                layers.append(
                    _InvertedResidual(
                        channels,
                        width,
                        expansion,
                        1 if block else stride,
                        rest if block else first,
                    )
                )
                channels = width
        layers.append(_conv_norm(channels, 1280))
        self.features = nn.Sequential(*layers)
        self.num_frozen = (0, 1, *_ENDS)[frozen_stages + 1]
        self.features[: self.num_frozen].requires_grad_(False)

    def init_weights(self) -> None:
        """Follow ``init_cfg``.

        Raises:
            CheckpointError: If it names a file that is missing or has not
                all of these weights, without which mmengine would go on.
        """
        cfg = self.init_cfg
        if isinstance(cfg, dict) and cfg.get('type') == 'Pretrained':
            if 'prefix' not in cfg:
                check_weights(self, cfg['checkpoint'])
        super().init_weights()

    def train(self, mode: bool = True) -> 'DilatedMobileNetV2':
        """Keep the norms of frozen layers from learning statistics."""
        super().train(mode)
        self.features[: self.num_frozen].eval()
        return self

    def forward(self, x: Tensor) -> Tuple[Tensor, ...]:
        """Compute four maps.

        Args:
            x (Tensor): float, (B, 3, H, W), normalised RGB.

        Returns:
            tuple[Tensor]: 24 channels at stride 4, 32 at 8, 96 at 16 and
            1280 at 16.
        """
        outs = []
        for number, layer in enumerate(self.features, 1):
            x = layer(x)
            if number in _ENDS:
                outs.append(x)
        return tuple(outs)
