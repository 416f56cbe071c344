"""Transformer in which tokens and image attend to each other."""

from dataclasses import dataclass
from typing import Optional, Tuple, cast

import torch.nn.functional as F
from torch import Tensor, nn


@dataclass
class SharedImage:
    """What a layer needs of an image, whatever the tokens are.

    Attributes:
        key (Tensor): float, (B, heads, h * w, c), that tokens look for.
        value (Tensor): float, (B, heads, h * w, c), that they get.
        query (Tensor): float, (B, heads, h * w, c), of the pixels.
    """

    key: Tensor
    value: Tensor
    query: Tensor


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

    def share(self, image: Tensor, position: Tensor) -> SharedImage:
        """Project the image once for any number of sets of tokens.

        Args:
            image (Tensor): float, (1, h * w, C).
            position (Tensor): float, (1, h * w, C), code of the pixels.

        Returns:
            SharedImage: Only valid for these.
        """
        return cast(_Layer, self.layers[0]).share(image, position)

    def forward(
        self,
        image: Tensor,
        position: Tensor,
        tokens: Tensor,
        shared: Optional[SharedImage] = None,
    ) -> Tuple[Tensor, Tensor]:
        """Let n sets of tokens look at one image.

        Args:
            image (Tensor): float, (1, h * w, C).
            position (Tensor): float, (1, h * w, C), code of the pixels.
            tokens (Tensor): float, (n, k, C), also the code of themselves.
            shared (SharedImage, optional): What :meth:`share` gave for this
                image, if it serves several calls.

        Returns:
            tuple[Tensor]: The tokens, (n, k, C), and the image as each set
            sees it, (n, h * w, C).
        """
        code = tokens
        for layer in self.layers:
            # From the second layer on, every set has its own image.
            known = shared or cast(_Layer, layer).share(image, position)
            tokens, image = layer(tokens, image, code, known)
            shared = None
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

    def share(self, image: Tensor, position: Tensor) -> SharedImage:
        """Project what does not depend on the tokens."""
        placed = image + position
        return SharedImage(
            self.cross_attn_token_to_image.project_key(placed),
            self.cross_attn_token_to_image.project_value(image),
            self.cross_attn_image_to_token.project_query(placed),
        )

    def forward(
        self, tokens: Tensor, image: Tensor, code: Tensor, known: SharedImage
    ) -> Tuple[Tensor, Tensor]:
        if self.first:
            # The tokens are their own code here; there is no shortcut.
            tokens = self.self_attn(tokens, tokens, tokens)
        else:
            q = tokens + code
            tokens = tokens + self.self_attn(q, q, tokens)
        tokens = self.norm1(tokens)
        reader = self.cross_attn_token_to_image
        query = reader.project_query(tokens + code)
        update = reader.attend(query, known.key, known.value)
        tokens = self.norm2(tokens + update)
        tokens = self.norm3(tokens + self.mlp(tokens))
        writer = self.cross_attn_image_to_token
        key = writer.project_key(tokens + code)
        update = writer.attend(known.query, key, writer.project_value(tokens))
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
        return self.attend(
            self.project_query(q), self.project_key(k), self.project_value(v)
        )

    def project_query(self, x: Tensor) -> Tensor:
        """Project (B, l, C) to the queries of the heads, (B, heads, l, c)."""
        return self._split(self.q_proj(x))

    def project_key(self, x: Tensor) -> Tensor:
        """Project (B, l, C) to the keys of the heads, (B, heads, l, c)."""
        return self._split(self.k_proj(x))

    def project_value(self, x: Tensor) -> Tensor:
        """Project (B, l, C) to the values of the heads, (B, heads, l, c)."""
        return self._split(self.v_proj(x))

    def attend(self, q: Tensor, k: Tensor, v: Tensor) -> Tensor:
        """Attend with what was projected; a batch of one serves all."""
        batch = max(q.size(0), k.size(0))
        y = F.scaled_dot_product_attention(
            q.expand(batch, -1, -1, -1),
            k.expand(batch, -1, -1, -1),
            v.expand(batch, -1, -1, -1),
        )
        return self.out_proj(y.transpose(1, 2).flatten(2))

    def _split(self, x: Tensor) -> Tensor:
        return x.unflatten(2, (self.heads, -1)).transpose(1, 2)
