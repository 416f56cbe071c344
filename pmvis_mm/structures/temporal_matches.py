"""Pairs of pixels of different frames that should get the same label."""

from dataclasses import dataclass, replace
from typing import List, Optional, Tuple

from torch import Tensor

from ..utils.errors import PMVISError


@dataclass
class TemporalMatches:
    """What a temporal matcher has found in the clips of a batch.

    A connection (a, b) pairs pixels of frame b, the centres, with pixels of
    frame a, their partners. The pairs of all clips and connections stand in
    one list, sorted by clip, then connection, then centre. Pixels are
    indices into the flattened (T, h, w) of their clip.

    Attributes:
        shape (tuple[int]): T, h and w of a clip, at mask stride.
        connections (list[tuple[int]]): C pairs of frames (a, b).
        counts (Tensor): int64, (num_clips, C), pairs of each.
        centers (Tensor): int64, (P, ), pixels of the frames b.
        partners (Tensor): int64, (P, J), pixels of the frames a; -1 outside
            of the frame, where every label agrees. J is 1 unless a partner
            lies between pixels.
        weights (Tensor, optional): float, (P, ), how much each pair counts;
            may have a gradient. Defaults to None: 1 each.
        mix (Tensor, optional): float, (P, J), shares of the J pixels in
            their partner, which sum to 1; may have a gradient. Needed
            unless J is 1.

    Raises:
        PMVISError: If the shapes do not fit together.
    """

    shape: Tuple[int, int, int]
    connections: List[Tuple[int, int]]
    counts: Tensor
    centers: Tensor
    partners: Tensor
    weights: Optional[Tensor] = None
    mix: Optional[Tensor] = None

    def __post_init__(self) -> None:
        pairs = self.centers.size(0)
        columns = tuple(self.partners.shape[1:2]) or (1,)
        expected = dict(partners=(pairs, *columns))
        expected['counts'] = (self.counts.size(0), len(self.connections))
        if self.weights is not None:
            expected['weights'] = (pairs,)
        if self.mix is not None or columns != (1,):
            expected['mix'] = (pairs, *columns)
        for name, shape in expected.items():
            value = getattr(self, name)
            got = None if value is None else tuple(value.shape)
            if got != shape:
                raise PMVISError(
                    f'{name} of temporal matches has shape {got}, not {shape}',
                    fix='give one row per pair, and one count per clip and '
                    'connection',
                )
        if int(self.counts.sum()) != pairs:
            raise PMVISError(
                f'counts add up to {int(self.counts.sum())}, but there are '
                f'{pairs} pairs',
                fix='count the pairs of every clip and connection',
            )

    def __len__(self) -> int:
        return self.centers.size(0)


@dataclass
class RowPairs:
    """Which of the pairs of its clip each instance is concerned with.

    Found once per step and shared: rows only say which instance they are,
    so that decoder layers gather nothing per pair.

    Attributes:
        matches (TemporalMatches): The pairs of all clips.
        ids (Tensor): int64, (S, ), pairs that can cost something, instance
            by instance, then in the order of the matches.
        bounds (list[list[int]]): Of each instance C + 1 positions; its
            pairs of connection c are ``ids[bounds[c]:bounds[c + 1]]``.
        totals (Tensor): float32, (num_instances, C), no gradient. Number of
            pairs, or the sum of their weights; pairs with a partner outside
            of the frame count here although they cost nothing.
        rows (Tensor): int64, (num_rows, ), instance of each row.
    """

    matches: TemporalMatches
    ids: Tensor
    bounds: List[List[int]]
    totals: Tensor
    rows: Tensor

    def __len__(self) -> int:
        return self.rows.size(0)

    def take(self, index: Tensor) -> 'RowPairs':
        """Take rows; nothing else is copied.

        Args:
            index (Tensor): int64, (num_pos, ), repeats allowed.

        Returns:
            RowPairs: One row per index.
        """
        return replace(self, rows=self.rows[index])
