"""Gated propagation module of DeAOT."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmcv.cnn.bricks import DropPath
from torch import Tensor, nn

from .gated_attention import (
    GatedAttention,
    LocalGatedAttention,
    SelfGatedAttention,
)

_QUERY, _VALUE = 128, 512


class LayerMemory(NamedTuple):
    """What a layer remembers of one or more frames.

    Attributes:
        key (Tensor): float, (G or 1, M, 128).
        value (Tensor): float, (G or 1, M, 512), visual.
        id_value (Tensor): float, (G, M, 512), of the identities.
    """

    key: Tensor
    value: Tensor
    id_value: Tensor


class LayerView(NamedTuple):
    """What a layer saw in a frame, before its labels are known.

    Attributes:
        key (Tensor): float, (G or 1, N, 128).
        value (Tensor): float, (G or 1, N, 512).
        identity (Tensor, optional): float, (G, N, 256); None in the first
            layer.
    """

    key: Tensor
    value: Tensor
    identity: Optional[Tensor]


class GPMLayer(nn.Module):
    """One layer of the gated propagation module (DeAOT, Fig. 3b).

    Queries are the keys of the same frame; there is no positional embedding
    and no feed-forward network.

    Args:
        is_first (bool): Whether no identity features come in.
        channels (int): Channels of each branch. Defaults to 256.
        drop_path (float): How often a branch goes without the result of
            self-attention, per clip, in training. Defaults to 0.0.
        dropout (float): See :class:`GatedAttention`. Defaults to 0.0.
    """

    def __init__(
        self,
        is_first: bool,
        channels: int = 256,
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.is_first = is_first
        self.channels = channels
        self.norm1 = nn.LayerNorm(channels)
        self.linear_qv = nn.Linear(channels, _QUERY + _VALUE)
        self.linear_u = nn.Linear(channels, _VALUE)
        if is_first:
            self.linear_id_v = nn.Linear(channels, _VALUE)
        else:
            self.id_norm1 = nn.LayerNorm(channels)
            self.linear_id_v = nn.Linear(2 * channels, _VALUE)
            self.linear_id_u = nn.Linear(channels, _VALUE)
        options: Dict[str, Any] = dict(
            value_channels=2 * _VALUE,
            out_channels=2 * channels,
            dropout=dropout,
        )
        self.long_term_attn = GatedAttention(**options)
        self.short_term_attn = LocalGatedAttention(_QUERY, **options)
        self.norm2 = nn.LayerNorm(channels)
        self.id_norm2 = nn.LayerNorm(channels)
        self.self_attn = SelfGatedAttention(channels, _QUERY, **options)
        self.drop_path = DropPath(drop_path)

    def remember(self, view: LayerView, id_embed: Tensor) -> LayerMemory:
        """Join what was seen with the labels.

        Args:
            view (LayerView): Of the frame.
            id_embed (Tensor): float, (G, N, 256), of its labels.

        Returns:
            LayerMemory: Of one frame.
        """
        if view.identity is not None:
            id_embed = torch.cat((view.identity, id_embed), -1)
        id_value = F.silu(self.linear_id_v(id_embed))
        return LayerMemory(view.key, view.value, id_value)

    def forward(
        self,
        visual: Tensor,
        identity: Optional[Tensor],
        grid: Tuple[int, int],
        memory: Optional[Tuple[LayerMemory, LayerMemory]] = None,
        id_embed: Optional[Tensor] = None,
    ) -> Tuple[Tensor, Tensor, LayerView]:
        """Propagate from memory, or from the frame itself with its labels.

        Args:
            visual (Tensor): float, (G or 1, N, 256).
            identity (Tensor, optional): float, (G, N, 256); None in the
                first layer.
            grid (tuple[int]): Height and width, N = height * width.
            memory (tuple, optional): Long-term and short-term memory.
            id_embed (Tensor, optional): float, (G, N, 256); instead of
                memory, for a reference.

        Returns:
            tuple: Visual and identity features, float, (G, N, 256) each,
            and the LayerView of the frame.
        """
        view, gate = self._look(visual, identity)
        if memory is None:
            assert id_embed is not None
            own = self.remember(view, id_embed)
            memory = own, own
        out = sum(
            attention(view.key, source.key, _joined(source), gate, grid)
            for attention, source in zip(
                (self.long_term_attn, self.short_term_attn), memory
            )
        )
        first, second = out.split(self.channels, -1)
        visual = visual + first
        identity = second if identity is None else identity + second
        out = self.self_attn(self.norm2(visual), self.id_norm2(identity), grid)
        first, second = out.split(self.channels, -1)
        # Each branch is dropped by itself, as in the public code.
        visual = visual + self.drop_path(first)
        return visual, identity + self.drop_path(second), view

    def _look(
        self, visual: Tensor, identity: Optional[Tensor]
    ) -> Tuple[LayerView, Tensor]:
        x = self.norm1(visual)
        key, value = self.linear_qv(x).split((_QUERY, _VALUE), -1)
        gate = F.silu(self.linear_u(x))
        if identity is None:
            id_gate = torch.ones_like(gate)
        else:
            identity = self.id_norm1(identity)
            id_gate = F.silu(self.linear_id_u(identity))
        view = LayerView(key, F.silu(value), identity)
        return view, torch.cat((gate, id_gate), -1)


class GPM(nn.Module):
    """Gated propagation module: L layers and a norm.

    Args:
        num_layers (int): L.
        channels (int): Channels of each branch. Defaults to 256.
        drop_path (float): See :class:`GPMLayer`. Defaults to 0.0.
        dropout (float): See :class:`GPMLayer`. Defaults to 0.0.
    """

    def __init__(
        self,
        num_layers: int,
        channels: int = 256,
        drop_path: float = 0.0,
        dropout: float = 0.0,
    ) -> None:
        super().__init__()
        self.layers = nn.ModuleList(
            GPMLayer(number == 0, channels, drop_path, dropout)
            for number in range(num_layers)
        )
        self.out_norm = nn.GroupNorm(2, 2 * channels)

    def forward(
        self,
        x: Tensor,
        memory: Optional[
            Tuple[Sequence[LayerMemory], Sequence[LayerMemory]]
        ] = None,
        id_embed: Optional[Tensor] = None,
    ) -> Tuple[Tensor, List[LayerView]]:
        """Propagate identities to a frame.

        Args:
            x (Tensor): float, (G or 1, 256, h, w), features of the frame;
                one for all groups of a video, or one for each clip of a
                batch.
            memory (tuple, optional): Long-term and short-term memory, each
                a LayerMemory per layer of G groups of objects, or clips.
            id_embed (Tensor, optional): float, (G, h * w, 256), of the
                labels; instead of memory, for a reference.

        Returns:
            tuple: Features, float, (G, 512, h, w), and a LayerView per
            layer.
        """
        grid = (x.size(2), x.size(3))
        visual = x.flatten(2).transpose(1, 2)
        identity: Any = None
        views = []
        for number, layer in enumerate(self.layers):
            own = None
            if memory is not None:
                own = memory[0][number], memory[1][number]
            visual, identity, view = layer(
                visual, identity, grid, own, id_embed
            )
            views.append(view)
        x = torch.cat((visual, identity), -1).transpose(1, 2)
        return self.out_norm(x).unflatten(2, grid), views

    def remember(
        self, views: Sequence[LayerView], id_embed: Tensor
    ) -> Tuple[LayerMemory, ...]:
        """Join what every layer saw with the labels of the frame.

        Args:
            views (Sequence[LayerView]): One per layer.
            id_embed (Tensor): float, (G, N, 256).

        Returns:
            tuple[LayerMemory]: One per layer.
        """
        return tuple(
            layer.remember(view, id_embed)  # type: ignore[operator]
            for layer, view in zip(self.layers, views)
        )


def _joined(memory: LayerMemory) -> Tensor:
    """Put visual values, which groups may share, before the others."""
    _, value, id_value = memory
    return torch.cat((value.expand(len(id_value), -1, -1), id_value), -1)
