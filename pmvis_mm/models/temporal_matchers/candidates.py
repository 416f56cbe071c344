"""Numbering candidates and listing the pairs that were found."""

from typing import List, Optional, Sequence, Tuple

import torch
from torch import Tensor

from ...structures.temporal_matches import TemporalMatches


def candidate_index(
    offsets: Sequence[Tuple[int, int]],
    size: Tuple[int, int],
    device: Optional[torch.device] = None,
) -> Tensor:
    """Number the candidates of every pixel of a map.

    Args:
        offsets (Sequence[tuple[int]]): K offsets (rows, columns).
        size (tuple[int]): Height and width of the map, pixels.
        device (torch.device, optional): Of the result.

    Returns:
        Tensor: int64, (h * w, K), pixels of the flattened map; -1 outside.
    """
    height, width = size
    shift = torch.tensor(offsets, dtype=torch.long, device=device)
    row = torch.arange(height, device=device)[:, None] + shift[:, 0]
    col = torch.arange(width, device=device)[:, None] + shift[:, 1]
    inside = ((row >= 0) & (row < height))[:, None]
    inside = inside & ((col >= 0) & (col < width))[None]
    index = row[:, None] * width + col[None]
    return torch.where(inside, index, -torch.ones_like(index)).flatten(0, 1)


def list_pairs(
    keep: Tensor,
    candidates: Tensor,
    connections: List[Tuple[int, int]],
    shape: Tuple[int, int, int],
) -> TemporalMatches:
    """List the candidates that are kept, in the order of matches.

    Args:
        keep (Tensor): bool, (N, C, h * w, K), pairs to keep, per clip,
            connection, centre and candidate.
        candidates (Tensor): int64, (h * w, K), see
            :func:`candidate_index`, or broadcastable to ``keep``.
        connections (list[tuple[int]]): C pairs of frames (a, b).
        shape (tuple[int]): T, h and w.

    Returns:
        TemporalMatches: Without weights; those of a matcher are
        ``weights[keep]``.
    """
    area = shape[1] * shape[2]
    frames = torch.tensor(connections, dtype=torch.long, device=keep.device)
    frames = frames.view(len(connections), 2)
    where = keep.nonzero().unbind(1)
    _, number, center, _ = where
    partner = candidates.expand(keep.shape)[where]
    moved = partner + frames[number, 0] * area
    partner = torch.where(partner < 0, partner, moved)
    return TemporalMatches(
        shape=shape,
        connections=list(connections),
        counts=keep.sum((2, 3)),
        centers=center + frames[number, 1] * area,
        partners=partner[:, None],
    )
