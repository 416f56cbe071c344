"""Layers that the parts of SAM share; names follow the checkpoints."""

from typing import Tuple

import torch.nn.functional as F
from torch import Tensor, nn


class LayerNorm2d(nn.LayerNorm):
    """Layer norm over the channels of every pixel.

    Args:
        num_channels (int): Channels.
        eps (float): Added to the variance. Defaults to 1e-6.
    """

    def __init__(self, num_channels: int, eps: float = 1e-6) -> None:
        super().__init__(num_channels, eps=eps)

    def forward(self, x: Tensor) -> Tensor:
        """Normalise.

        Args:
            x (Tensor): float, (B, C, H, W).

        Returns:
            Tensor: Same shape.
        """
        return super().forward(x.permute(0, 2, 3, 1)).permute(0, 3, 1, 2)


class Doubling(nn.ConvTranspose2d):
    """Transposed convolution that makes four pixels of each.

    Nothing overlaps, so that it is one matrix product; several times as fast
    on a CPU as the general operation.

    Args:
        in_channels (int): Channels of the input.
        out_channels (int): Channels of the output.
    """

    def __init__(self, in_channels: int, out_channels: int) -> None:
        super().__init__(in_channels, out_channels, 2, stride=2)

    def forward(self, x: Tensor) -> Tensor:  # type: ignore[override]
        """Double height and width.

        Args:
            x (Tensor): float, (B, C, H, W).

        Returns:
            Tensor: float, (B, out_channels, 2H, 2W), channels last in
            memory.
        """
        height, width = x.shape[2:]
        weight = self.weight.permute(2, 3, 1, 0).flatten(0, 2)
        assert self.bias is not None
        y = F.linear(x.permute(0, 2, 3, 1), weight, self.bias.repeat(4))
        y = y.unflatten(3, (2, 2, -1)).transpose(2, 3)
        y = y.reshape(-1, 2 * height, 2 * width, self.out_channels)
        return y.permute(0, 3, 1, 2)


class MLP(nn.Module):
    """Three linear layers with ReLU between them.

    Args:
        in_channels (int): Channels of the input.
        hidden_channels (int): Channels in between.
        out_channels (int): Channels of the output.
    """

    def __init__(
        self, in_channels: int, hidden_channels: int, out_channels: int
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            [
                nn.Linear(in_channels, hidden_channels),
                nn.Linear(hidden_channels, hidden_channels),
                nn.Linear(hidden_channels, out_channels),
            ]
        )

    def forward(self, x: Tensor) -> Tensor:
        """Map (..., in_channels) to (..., out_channels)."""
        first, second, last = self.layers
        return last(F.relu(second(F.relu(first(x)))))


def build_neck(in_channels: int, out_channels: int) -> nn.Sequential:
    """Build what brings an encoder's map to the width of the decoder."""
    return nn.Sequential(
        nn.Conv2d(in_channels, out_channels, 1, bias=False),
        LayerNorm2d(out_channels),
        nn.Conv2d(out_channels, out_channels, 3, padding=1, bias=False),
        LayerNorm2d(out_channels),
    )


def split_windows(x: Tensor, size: int) -> Tensor:
    """Cut a map into square windows; zeros fill the last ones.

    Args:
        x (Tensor): float, (B, H, W, C).
        size (int): Side of a window.

    Returns:
        Tensor: (B * rows * columns, size, size, C).
    """
    height, width, channels = x.shape[1:]
    x = F.pad(x, (0, 0, 0, -width % size, 0, -height % size))
    x = x.unflatten(2, (-1, size)).unflatten(1, (-1, size))
    return x.transpose(2, 3).reshape(-1, size, size, channels)


def join_windows(x: Tensor, shape: Tuple[int, int]) -> Tensor:
    """Undo :func:`split_windows`.

    Args:
        x (Tensor): float, (B * rows * columns, size, size, C).
        shape (tuple[int]): (H, W) of the map.

    Returns:
        Tensor: (B, H, W, C).
    """
    height, width = shape
    size, channels = x.shape[1], x.shape[3]
    rows, columns = -(-height // size), -(-width // size)
    x = x.reshape(-1, rows, columns, size, size, channels).transpose(2, 3)
    x = x.reshape(-1, rows * size, columns * size, channels)
    return x[:, :height, :width]
