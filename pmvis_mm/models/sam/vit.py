"""Plain vision transformer of SAM with windows and relative positions."""

from typing import Any, Dict, List, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import MODELS
from ...utils.errors import ConfigError
from .layers import build_neck, join_windows, split_windows

_ARCHS: Dict[str, Dict[str, Any]] = dict(
    b=dict(
        embed_dims=768, depth=12, num_heads=12, global_blocks=(2, 5, 8, 11)
    ),
    l=dict(
        embed_dims=1024, depth=24, num_heads=16, global_blocks=(5, 11, 17, 23)
    ),
    h=dict(
        embed_dims=1280, depth=32, num_heads=16, global_blocks=(7, 15, 23, 31)
    ),
)


@MODELS.register_module()
class SAMViT(nn.Module):
    """Image encoder of `SAM <https://arxiv.org/abs/2304.02643>`_.

    A `ViTDet <https://arxiv.org/abs/2203.16527>`_ backbone: attention in
    windows, but for a few global blocks. Equal to the public
    implementation, with its state dict.

    Args:
        arch (str | dict): 'b', 'l', 'h', or ``embed_dims``, ``depth``,
            ``num_heads`` and ``global_blocks`` (0-based indices). Defaults
            to 'h'.
        img_size (int): Side of the padded input, pixels. Checkpoints are
            made for the default, 1024.
        patch_size (int): Side of a patch, pixels. Defaults to 16.
        window_size (int): Side of a window, patches. Defaults to 14.
        out_channels (int): Channels of the embedding. Defaults to 256.

    Raises:
        ConfigError: If ``arch`` is unknown or incomplete, or the sizes do
            not fit.
    """

    def __init__(
        self,
        arch: Union[str, Dict[str, Any]] = 'h',
        img_size: int = 1024,
        patch_size: int = 16,
        window_size: int = 14,
        out_channels: int = 256,
    ) -> None:
        super().__init__()
        sizes = _read_arch(arch)
        dims, heads = sizes['embed_dims'], sizes['num_heads']
        if img_size % patch_size:
            raise ConfigError(
                f'img_size={img_size} is no multiple of '
                f'patch_size={patch_size}',
                fix='use 1024 and 16, as the checkpoints have it',
            )
        side = img_size // patch_size
        self.img_size = img_size
        self.stride = patch_size
        self.early_channels: int = dims
        self.out_channels = out_channels
        # The HQ features come from the first block that sees everything.
        self.early_block: int = min(sizes['global_blocks'])
        self.patch_embed = _PatchEmbed(dims, patch_size)
        self.pos_embed = nn.Parameter(torch.zeros(1, side, side, dims))
        self.blocks = nn.ModuleList(
            _Block(dims, heads, side, None)
            if index in sizes['global_blocks']
            else _Block(dims, heads, window_size, window_size)
            for index in range(sizes['depth'])
        )
        self.neck = build_neck(dims, out_channels)

    def forward(self, x: Tensor) -> Tuple[Tensor, Tensor]:
        """Encode frames.

        Args:
            x (Tensor): float, (B, 3, img_size, img_size), RGB, normalised.

        Returns:
            tuple[Tensor]: The embedding, (B, out_channels, h, w), and the
            early features, (B, early_channels, h, w), with
            h = w = img_size / patch_size.
        """
        x = self.patch_embed(x) + self.pos_embed
        early = x
        for index, block in enumerate(self.blocks):
            x = block(x)
            if index == self.early_block:
                early = x
        embedding = self.neck(x.permute(0, 3, 1, 2))
        return embedding, early.permute(0, 3, 1, 2)


def _read_arch(arch: Union[str, Dict[str, Any]]) -> Dict[str, Any]:
    if isinstance(arch, str):
        if arch not in _ARCHS:
            raise ConfigError(
                f'arch={arch!r} of SAMViT is unknown',
                fix=f'choose from {sorted(_ARCHS)} or give a dict',
            )
        return _ARCHS[arch]
    needed = sorted(_ARCHS['b'])
    if sorted(arch) != needed:
        raise ConfigError(
            f'arch of SAMViT has {sorted(arch)}', fix=f'give {needed}'
        )
    blocks, depth = arch['global_blocks'], arch['depth']
    if not blocks or not set(blocks) <= set(range(depth)):
        raise ConfigError(
            f'global_blocks={blocks} of {depth} blocks',
            fix=f'name at least one block, 0 to {depth - 1}',
        )
    if arch['embed_dims'] % arch['num_heads']:
        raise ConfigError(
            f'{arch["embed_dims"]} channels for {arch["num_heads"]} heads',
            fix='make embed_dims a multiple of num_heads',
        )
    return arch


class _PatchEmbed(nn.Module):
    """Patches to channels-last tokens."""

    def __init__(self, dims: int, size: int) -> None:
        super().__init__()
        self.proj = nn.Conv2d(3, dims, size, stride=size)

    def forward(self, x: Tensor) -> Tensor:
        return self.proj(x).permute(0, 2, 3, 1)


class _Block(nn.Module):
    """Attention, in windows or over the whole map, and MLP."""

    def __init__(
        self, dims: int, heads: int, side: int, window: Optional[int]
    ) -> None:
        super().__init__()
        self.window = window
        self.norm1 = nn.LayerNorm(dims, eps=1e-6)
        self.attn = _Attention(dims, heads, side)
        self.norm2 = nn.LayerNorm(dims, eps=1e-6)
        self.mlp = _FeedForward(dims)

    def forward(self, x: Tensor) -> Tensor:
        y = self.norm1(x)
        if self.window is None:
            # One frame at a time: the biases alone are as large as the
            # attention, 16 heads x 4096 x 4096 in ViT-H.
            frames: List[Tensor] = [self.attn(one) for one in y.split(1)]
            y = torch.cat(frames)
        else:
            # The zeros come after the norm and are attended to.
            shape = (y.size(1), y.size(2))
            windows = self.attn(split_windows(y, self.window))
            y = join_windows(windows, shape)
        x = x + y
        return x + self.mlp(self.norm2(x))


class _FeedForward(nn.Module):
    """Two linear layers with GELU, four times as wide in between."""

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(dims, 4 * dims)
        self.lin2 = nn.Linear(4 * dims, dims)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin2(F.gelu(self.lin1(x)))


class _Attention(nn.Module):
    """Self-attention with decomposed relative positions on a square map."""

    def __init__(self, dims: int, heads: int, side: int) -> None:
        super().__init__()
        self.heads = heads
        self.qkv = nn.Linear(dims, 3 * dims)
        self.proj = nn.Linear(dims, dims)
        offsets = 2 * side - 1
        self.rel_pos_h = nn.Parameter(torch.zeros(offsets, dims // heads))
        self.rel_pos_w = nn.Parameter(torch.zeros(offsets, dims // heads))

    def forward(self, x: Tensor) -> Tensor:
        batch, height, width, _ = x.shape
        qkv = self.qkv(x.flatten(1, 2)).unflatten(2, (3, self.heads, -1))
        q, k, v = qkv.permute(2, 0, 3, 1, 4)  # (B, heads, h * w, channels)
        bias = self._bias(q.unflatten(2, (height, width)))
        y = F.scaled_dot_product_attention(q, k, v, attn_mask=bias)
        y = self.proj(y.transpose(1, 2).flatten(2))
        return y.reshape(batch, height, width, -1)

    def _bias(self, q: Tensor) -> Tensor:
        """Let each query read the offsets to all keys, unscaled.

        Args:
            q (Tensor): float, (B, heads, h, w, channels).

        Returns:
            Tensor: (B, heads, h * w, h * w), the type of ``q``.
        """
        height, width = q.shape[2:4]
        table_h = _offsets_to_pairs(self.rel_pos_h, height).to(q.dtype)
        table_w = _offsets_to_pairs(self.rel_pos_w, width).to(q.dtype)
        along_h = torch.einsum('bnhwc,hkc->bnhwk', q, table_h)
        along_w = torch.einsum('bnhwc,wkc->bnhwk', q, table_w)
        bias = along_h[..., :, None] + along_w[..., None, :]
        return bias.flatten(4, 5).flatten(2, 3).to(q.dtype)


def _offsets_to_pairs(table: Tensor, side: int) -> Tensor:
    """Spread the vectors of offsets over pairs of query and key.

    Args:
        table (Tensor): float, (2 * side - 1, C), from the offset
            -(side - 1) on.
        side (int): Number of positions.

    Returns:
        Tensor: (side, side, C), row: query, column: key.
    """
    position = torch.arange(side, device=table.device)
    return table[position[:, None] - position[None] + side - 1]
