"""Transformer in which tokens and image attend to each other."""

from typing import Tuple

import torch.nn.functional as F
from torch import Tensor, nn


class TwoWayTransformer(nn.Module):
    """Transformer of SAM's mask decoder, figure 14 of arXiv:2304.02643.

    Args:
        embed_dims (int): Channels of tokens and image. Defaults to 256.
        depth (int): Layers. Defaults to 2.
        num_heads (int): Heads of every attention. Defaults to 8.
        feedforward_channels (int): Of the MLP. Defaults to 2048.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        depth: int = 2,
        num_heads: int = 8,
        feedforward_channels: int = 2048,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            _Layer(embed_dims, num_heads, feedforward_channels, i == 0)
            for i in range(depth)
        )
        self.final_attn_token_to_image = _Attention(
            embed_dims, embed_dims // 2, num_heads
        )
        self.norm_final_attn = nn.LayerNorm(embed_dims)

    def forward(
        self, image: Tensor, position: Tensor, tokens: Tensor
    ) -> Tuple[Tensor, Tensor]:
        """Let n sets of tokens look at one image.

        Args:
            image (Tensor): float, (1, h * w, C).
            position (Tensor): float, (1, h * w, C), code of the pixels.
            tokens (Tensor): float, (n, k, C), also the code of themselves.

        Returns:
            tuple[Tensor]: The tokens, (n, k, C), and the image as each set
            sees it, (n, h * w, C).
        """
        code = tokens
        for layer in self.layers:
            tokens, image = layer(tokens, image, code, position)
        update = self.final_attn_token_to_image(
            tokens + code, image + position, image
        )
        return self.norm_final_attn(tokens + update), image


class _Layer(nn.Module):
    """Tokens to tokens, tokens to image, MLP, image to tokens."""

    def __init__(
        self, dims: int, heads: int, feedforward: int, first: bool
    ) -> None:
        super().__init__()
        self.first = first
        self.self_attn = _Attention(dims, dims, heads)
        self.norm1 = nn.LayerNorm(dims)
        self.cross_attn_token_to_image = _Attention(dims, dims // 2, heads)
        self.norm2 = nn.LayerNorm(dims)
        self.mlp = _FeedForward(dims, feedforward)
        self.norm3 = nn.LayerNorm(dims)
        self.norm4 = nn.LayerNorm(dims)
        self.cross_attn_image_to_token = _Attention(dims, dims // 2, heads)

    def forward(
        self, tokens: Tensor, image: Tensor, code: Tensor, position: Tensor
    ) -> Tuple[Tensor, Tensor]:
        if self.first:
            # The tokens are their own code here; there is no shortcut.
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            q = tokens + code
            tokens = tokens + self.self_attn(q, q, tokens)
        tokens = self.norm1(tokens)
        # Before the first update the image is the same for all sets, so
        # that it is projected once.
        placed = image + position
        tokens = self.norm2(
            tokens
            + self.cross_attn_token_to_image(tokens + code, placed, image)
        )
        tokens = self.norm3(tokens + self.mlp(tokens))
        update = self.cross_attn_image_to_token(placed, tokens + code, tokens)
        return tokens, self.norm4(image + update)


class _FeedForward(nn.Module):
    """Two linear layers with ReLU."""

    def __init__(self, dims: int, channels: int) -> None:
        super().__init__()
        self.lin1 = nn.Linear(dims, channels)
        self.lin2 = nn.Linear(channels, dims)

    def forward(self, x: Tensor) -> Tensor:
        return self.lin2(F.relu(self.lin1(x)))


class _Attention(nn.Module):
    """Attention of some inner width; a batch of one serves all others."""

    def __init__(self, dims: int, inner_dims: int, heads: int) -> None:
        super().__init__()
        self.heads = heads
        self.q_proj = nn.Linear(dims, inner_dims)
        self.k_proj = nn.Linear(dims, inner_dims)
        self.v_proj = nn.Linear(dims, inner_dims)
        self.out_proj = nn.Linear(inner_dims, dims)

    def forward(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        batch = max(q.size(0), k.size(0))
        y = F.scaled_dot_product_attention(
            self._split(self.q_proj(q), batch),
            self._split(self.k_proj(k), batch),
            self._split(self.v_proj(v), batch),
        )
        return self.out_proj(y.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor, batch: int) -> Tensor:
        x = x.unflatten(2, (self.heads, -1)).transpose(1, 2)
        return x.expand(batch, -1, -1, -1)
