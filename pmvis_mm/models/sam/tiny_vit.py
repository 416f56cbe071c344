"""TinyViT, the small image encoder of HQ-SAM."""

from typing import Sequence, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import MODELS
from ...utils.errors import ConfigError
from .layers import build_neck, join_windows, split_windows

_MERGE_STRIDES = (2, 2, 1)
_STRIP = 32  # rows


@MODELS.register_module()
class SAMTinyViT(nn.Module):
    """`TinyViT-5M <https://arxiv.org/abs/2207.10666>`_ as image encoder.

    As distilled for `MobileSAM <https://arxiv.org/abs/2306.14289>`_ and
    used by HQ-SAM. Equal to the public implementation in eval mode, with
    its state dict. Attention biases are read from their table in every
    forward; the public code caches them and then ignores what is loaded.

    Args:
        img_size (int): Side of the padded input, pixels, a multiple of 16.
            Checkpoints are made for the default, 1024; their weights fit
            any size.
        embed_dims (Sequence[int]): Channels of the four stages.
        depths (Sequence[int]): Blocks of the four stages.
        num_heads (Sequence[int]): Heads of the four stages; the first has
            no attention.
        window_sizes (Sequence[int]): Side of the windows in the four stages.
        out_channels (int): Channels of the embedding. Defaults to 256.
        num_classes (int): Of the classifier, which is only kept so that
            checkpoints load strictly. Defaults to 1000.

    Raises:
        ConfigError: If the sizes do not fit.
    """

    stride = 16

    def __init__(
        self,
        img_size: int = 1024,
        embed_dims: Sequence[int] = (64, 128, 160, 320),
        depths: Sequence[int] = (2, 2, 6, 2),
        num_heads: Sequence[int] = (2, 4, 5, 10),
        window_sizes: Sequence[int] = (7, 7, 14, 7),
        out_channels: int = 256,
        num_classes: int = 1000,
    ) -> None:
        super().__init__()
        if img_size % self.stride:
            raise ConfigError(
                f'img_size={img_size} is no multiple of {self.stride}',
                fix='use 1024, as the checkpoints have it',
            )
        lengths = [len(v) for v in (embed_dims, depths, num_heads)]
        if lengths + [len(window_sizes)] != [4] * 4:
            raise ConfigError(
                f'SAMTinyViT has four stages, got {embed_dims}, {depths}, '
                f'{num_heads}, {window_sizes}',
                fix='give four values of each',
            )
        self.img_size = img_size
        self.early_channels = embed_dims[2]
        self.out_channels = out_channels
        self.patch_embed = _Stem(embed_dims[0])
        self.layers = nn.ModuleList()
        for i, dims in enumerate(embed_dims):
            blocks = [
                _Block(dims, num_heads[i], window_sizes[i])
                if i
                else _MBConv(dims)
                for _ in range(depths[i])
            ]
            merge = (
                _Merge(dims, embed_dims[i + 1], _MERGE_STRIDES[i])
                if i < 3
                else None
            )
            self.layers.append(_Stage(blocks, merge))
        self.norm_head = nn.LayerNorm(embed_dims[3])
        self.head = nn.Linear(embed_dims[3], num_classes)
        self.neck = build_neck(embed_dims[3], out_channels)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """Encode frames.

        Args:
            x (Tensor): float, (B, 3, img_size, img_size), RGB, normalised.

        Returns:
            tuple[Tensor]: The embedding, (B, out_channels, h, w), and the
            early features, (B, early_channels, h, w), with
            h = w = img_size / 16.
        """
        if x.device.type == 'cpu':
            # Two to three times as fast for convolutions of few channels,
            # and what the attention needs anyway.
            x = x.contiguous(memory_format=torch.channels_last)
        x = self.layers[0](self.patch_embed(x))
        early = self.layers[1](x)
        x = self.layers[2](early)
        return self.neck(self.layers[3](x)), early


class _ConvBN(nn.Sequential):
    """Convolution and batch norm."""

    c: nn.Conv2d
    bn: nn.BatchNorm2d

    def __init__(
        self,
        in_channels: int,
        out_channels: int,
        kernel: int = 1,
        stride: int = 1,
        groups: int = 1,
    ) -> None:
        super().__init__()
        conv = nn.Conv2d(
            in_channels,
            out_channels,
            kernel,
            stride,
            padding=kernel // 2,
            groups=groups,
            bias=False,
        )
        self.add_module('c', conv)
        self.add_module('bn', nn.BatchNorm2d(out_channels))

    def forward(self, x: Tensor) -> Tensor:
        if self.training:
            return super().forward(x)
        # One pass over the map instead of two. Not kept: a stale copy of
        # loaded weights would go unnoticed.
        conv, bn = self.c, self.bn
        assert bn.running_mean is not None and bn.running_var is not None
        scale = bn.weight * (bn.running_var + bn.eps).rsqrt()
        weight = conv.weight * scale[:, None, None, None]
        bias = bn.bias - bn.running_mean * scale
        if conv.kernel_size == (1, 1) and x.device.type == 'cpu':
            y = F.linear(x.permute(0, 2, 3, 1), weight[..., 0, 0], bias)
            return y.permute(0, 3, 1, 2)
        return F.conv2d(
            x,
            weight,
            bias,
            conv.stride,  # type: ignore[arg-type]
            conv.padding,
            groups=conv.groups,
        )


class _Stem(nn.Module):
    """Two convolutions down to a quarter of the size."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.seq = nn.Sequential(
            _ConvBN(3, dims // 2, 3, 2),
            nn.GELU(),
            _ConvBN(dims // 2, dims, 3, 2),
        )

    def forward(self, x: Tensor) -> Tensor:
        return self.seq(x)


class _Bottleneck(nn.Module):
    """1x1, depthwise 3x3 and 1x1 convolution with GELU between them."""

    def __init__(
        self, in_channels: int, channels: int, out_channels: int, stride: int
    ) -> None:
        super().__init__()
        self.conv1 = _ConvBN(in_channels, channels)
        self.conv2 = _ConvBN(channels, channels, 3, stride, groups=channels)
        self.conv3 = _ConvBN(channels, out_channels)

    def forward(self, x: Tensor) -> Tensor:
        x = F.gelu(self.conv2(F.gelu(self.conv1(x))))
        return self.conv3(x)


class _MBConv(_Bottleneck):
    """Bottleneck that widens, with a shortcut."""

    def __init__(self, dims: int) -> None:
        super().__init__(dims, 4 * dims, dims, stride=1)

    def forward(self, x: Tensor) -> Tensor:
        if self.training or x.device.type != 'cpu':
            return F.gelu(x + super().forward(x))
        # The wide map is 67 MB: by strips it stays in a CPU's cache.
        tops = range(0, x.size(2), _STRIP)
        return torch.cat([self._strip(x, top) for top in tops], dim=2)

    def _strip(self, x: Tensor, top: int) -> Tensor:
        """Compute the rows from ``top`` on, with what they see around."""
        bottom = min(top + _STRIP, x.size(2))
        above = min(top, 1)
        seen = x[:, :, top - above : bottom + 1]
        y = F.gelu(self.conv2(F.gelu(self.conv1(seen))))
        rows = slice(above, above + bottom - top)
        return F.gelu(seen[:, :, rows] + self.conv3(y[:, :, rows]))


class _Merge(_Bottleneck):
    """Way to the next stage."""

    def __init__(self, dims: int, out_dims: int, stride: int) -> None:
        super().__init__(dims, out_dims, out_dims, stride)


class _Stage(nn.Module):
    """Blocks of one width and the way to the next stage."""

    def __init__(self, blocks: Sequence[nn.Module], downsample) -> None:
        super().__init__()
        self.blocks = nn.ModuleList(blocks)
        self.downsample = downsample

    def forward(self, x: Tensor) -> Tensor:
        for block in self.blocks:
            x = block(x)
        return x if self.downsample is None else self.downsample(x)


class _Block(nn.Module):
    """Attention in windows, depthwise convolution and MLP."""

    def __init__(self, dims: int, heads: int, window: int) -> None:
        super().__init__()
        self.window = window
        self.attn = _Attention(dims, heads, window)
        self.local_conv = _ConvBN(dims, dims, 3, groups=dims)
        self.mlp = _FeedForward(dims)

    def forward(self, x: Tensor) -> Tensor:
        shape = (x.size(2), x.size(3))
        # Zeros fill the windows before the norm, which is in the attention.
        windows = split_windows(x.permute(0, 2, 3, 1), self.window)
        y = join_windows(self.attn(windows), shape).permute(0, 3, 1, 2)
        x = self.local_conv(x + y)
        tokens = x.permute(0, 2, 3, 1)
        return (tokens + self.mlp(tokens)).permute(0, 3, 1, 2)


class _FeedForward(nn.Module):
    """Norm and two linear layers with GELU."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.norm = nn.LayerNorm(dims)
        self.fc1 = nn.Linear(dims, 4 * dims)
        self.fc2 = nn.Linear(4 * dims, dims)

    def forward(self, x: Tensor) -> Tensor:
        return self.fc2(F.gelu(self.fc1(self.norm(x))))


class _Attention(nn.Module):
    """Norm and self-attention with a learned bias for each distance."""

    def __init__(self, dims: int, heads: int, window: int) -> None:
        super().__init__()
        self.heads = heads
        self.window = window
        self.norm = nn.LayerNorm(dims)
        self.qkv = nn.Linear(dims, 3 * dims)
        self.proj = nn.Linear(dims, dims)
        self.attention_biases = nn.Parameter(torch.zeros(heads, window**2))

    def forward(self, x: Tensor) -> Tensor:
        shape = x.shape
        qkv = self.qkv(self.norm(x.flatten(1, 2)))
        # In each head stand q, k and v, one after the other.
        qkv = qkv.unflatten(2, (self.heads, 3, -1)).permute(3, 0, 2, 1, 4)
        q, k, v = qkv
        bias = self.attention_biases[:, self._distances()].to(q.dtype)
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias[None])
        return self.proj(y.transpose(1, 2).flatten(2)).reshape(shape)

    def _distances(self) -> Tensor:
        """Index the table by (|dy|, |dx|).

        Returns:
            Tensor: int64, (window ** 2, window ** 2).
        """
        device = self.attention_biases.device
        y, x = torch.meshgrid(
            torch.arange(self.window, device=device),
            torch.arange(self.window, device=device),
            indexing='ij',
        )
        y, x = y.flatten(), x.flatten()
        dy = (y[:, None] - y[None]).abs()
        dx = (x[:, None] - x[None]).abs()
        return dy * self.window + dx
