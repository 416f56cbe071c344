"""Gated attention of DeAOT: over all tokens, over a window, of a frame."""

from typing import Any, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor, nn

# Largest matrix of attention weights at a time, numbers (64 MiB).
_MAX_WEIGHTS = 2**24


def attend(
    query: Tensor, key: Tensor, value: Tensor, bias: Optional[Tensor] = None
) -> Tensor:
    """Scaled dot-product attention of one head, in bounded memory.

    Batches of 1 are shared by all others.

    Args:
        query (Tensor): float, (B or 1, N, D).
        key (Tensor): float, (B or 1, M, D).
        value (Tensor): float, (B or 1, M, E).
        bias (Tensor, optional): float, (B or 1, N, M), added to the scaled
            products; -inf excludes a key.

    Returns:
        Tensor: float, (B, N, E).
    """
    query = query * query.size(-1) ** -0.5
    rows = max(1, _MAX_WEIGHTS // (len(query) * key.size(1)))
    outs = []
    for start in range(0, query.size(1), rows):
        part = slice(start, start + rows)
        scores = query[:, part] @ key.transpose(1, 2)
        if bias is not None:
            scores = scores + bias[:, part]
        outs.append(scores.softmax(-1) @ value)
    return outs[0] if len(outs) == 1 else torch.cat(outs, 1)


class GatedAttention(nn.Module):
    """Attention over all tokens, gated and filtered over the grid.

    Gated propagation, Eq. 5 of `DeAOT <https://arxiv.org/abs/2210.09782>`_:
    the attended values times the gate, a 5x5 convolution of each channel,
    a projection.

    Args:
        value_channels (int): Channels of values and gate. Defaults to 1024.
        out_channels (int): Channels of the result. Defaults to 512.
        kernel_size (int): Of the convolution. Defaults to 5.
        dropout (float): Share of the filtered channels that are dropped in
            training. Defaults to 0.0.
    """

    def __init__(
        self,
        value_channels: int = 1024,
        out_channels: int = 512,
        kernel_size: int = 5,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.dw_conv = nn.Conv2d(
            value_channels,
            value_channels,
            kernel_size,
            padding=kernel_size // 2,
            groups=value_channels,
            bias=False,
        )
        self.dropout = nn.Dropout2d(dropout)
        self.projection = nn.Linear(value_channels, out_channels)

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        gate: Tensor,
        grid: Tuple[int, int],
    ) -> Tensor:
        """Propagate the values of M tokens to the N tokens of a frame.

        Args:
            query (Tensor): float, (B or 1, N, D).
            key (Tensor): float, (B or 1, M, D).
            value (Tensor): float, (B or 1, M, E).
            gate (Tensor): float, (B or 1, N, E).
            grid (tuple[int]): Height and width, N = height * width; tokens
                are in rows.

        Returns:
            Tensor: float, (B, N, out_channels).
        """
        return self.finish(attend(query, key, value), gate, grid)

    def finish(
        self, attended: Tensor, gate: Tensor, grid: Tuple[int, int]
    ) -> Tensor:
        """Gate, filter and project attended values, see :meth:`forward`."""
        x = (attended * gate).transpose(1, 2).unflatten(2, grid)
        x = self.dropout(self.dw_conv(x))
        return self.projection(x.flatten(2).transpose(1, 2))


class LocalGatedAttention(GatedAttention):
    """Gated attention over a window around each token, with learned bias.

    Evaluated densely, a band of rows at a time: nothing is unfolded.
    Positions outside the frame do not count.

    Args:
        query_channels (int): Channels of the queries. Defaults to 128.
        radius (int): The window has ``2 * radius + 1`` rows and columns.
            Defaults to 7.
        rows_at_once (int): Rows of queries per band; only speed and memory
            depend on it. Defaults to 4.
        **kwargs: See :class:`GatedAttention`.
    """

    def __init__(
        self,
        query_channels: int = 128,
        radius: int = 7,
        rows_at_once: int = 4,
        **kwargs: Any,
    ) -> None:
        super().__init__(**kwargs)
        self.radius = radius
        self.rows_at_once = rows_at_once
        self.relative_emb_k = nn.Conv2d(
            query_channels, (2 * radius + 1) ** 2, 1
        )

    def forward(
        self,
        query: Tensor,
        key: Tensor,
        value: Tensor,
        gate: Tensor,
        grid: Tuple[int, int],
    ) -> Tensor:
        """Propagate between two frames of one grid; see the base class."""
        height, width = grid
        weight = self.relative_emb_k.weight.flatten(1)
        bias = F.linear(query, weight, self.relative_emb_k.bias)
        # One more place, for the keys that a query does not see.
        bias = F.pad(bias, (0, 1), value=float('-inf'))
        outs = []
        for top in range(0, height, self.rows_at_once):
            bottom = min(height, top + self.rows_at_once)
            first = max(0, top - self.radius)
            last = min(height, bottom + self.radius)
            mine = slice(top * width, bottom * width)
            seen = slice(first * width, last * width)
            places = self._places((top, bottom), (first, last), width, query)
            part = bias[:, mine]
            part = part.gather(2, places.expand(len(part), -1, -1))
            outs.append(
                attend(query[:, mine], key[:, seen], value[:, seen], part)
            )
        return self.finish(torch.cat(outs, 1), gate, grid)

    def _places(
        self,
        queries: Tuple[int, int],
        keys: Tuple[int, int],
        width: int,
        like: Tensor,
    ) -> Tensor:
        """Find the place in the window for all pairs of two bands.

        Args:
            queries (tuple[int]): First row and end of the queries.
            keys (tuple[int]): First row and end of the keys.
            width (int): Tokens per row.
            like (Tensor): On the device to use.

        Returns:
            Tensor: int64, (n, m); the number of places where a query does
            not see a key.
        """
        radius, side = self.radius, 2 * self.radius + 1
        y = torch.arange(max(queries[1], keys[1]), device=like.device)
        x = torch.arange(width, device=like.device)
        dy = y[None, slice(*keys)] - y[slice(*queries), None]
        dx = x[None] - x[:, None]
        place = (dy + radius)[:, None, :, None] * side
        place = place + (dx + radius)[None, :, None]
        hidden = (dy.abs() > radius)[:, None, :, None]
        hidden = hidden | (dx.abs() > radius)[None, :, None]
        place = place.masked_fill(hidden, side * side)
        return place.flatten(2).flatten(0, 1)


class SelfGatedAttention(GatedAttention):
    """Gated attention among the tokens of a frame.

    Args:
        in_channels (int): Channels of the visual and of the identity half.
            Defaults to 256.
        query_channels (int): Channels of the queries, which are the keys.
            Defaults to 128.
        **kwargs: See :class:`GatedAttention`.
    """

    def __init__(
        self, in_channels: int = 256, query_channels: int = 128, **kwargs: Any
    ) -> None:
        super().__init__(**kwargs)
        half = self.projection.in_features // 2
        self.linear_qk = nn.Linear(2 * in_channels, query_channels)
        self.linear_v1 = nn.Linear(in_channels, half)
        self.linear_v2 = nn.Linear(in_channels, half)
        self.linear_u1 = nn.Linear(in_channels, half)
        self.linear_u2 = nn.Linear(in_channels, half)

    def forward(  # type: ignore[override]
        self, visual: Tensor, identity: Tensor, grid: Tuple[int, int]
    ) -> Tensor:
        """Mix the tokens of a frame.

        Args:
            visual (Tensor): float, (B, N, in_channels).
            identity (Tensor): float, (B, N, in_channels).
            grid (tuple[int]): Height and width, N = height * width.

        Returns:
            Tensor: float, (B, N, out_channels).
        """
        query = self.linear_qk(torch.cat((visual, identity), -1))
        value = torch.cat(
            (self.linear_v1(visual), self.linear_v2(identity)), -1
        )
        gate = torch.cat(
            (self.linear_u1(visual), self.linear_u2(identity)), -1
        )
        return super().forward(query, query, F.silu(value), F.silu(gate), grid)
