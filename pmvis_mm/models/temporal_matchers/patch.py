"""Matching small patches of colour within a search window."""

import math
from typing import Callable, Dict, Iterator, List, Optional, Tuple, Union

import torch
import torch.nn.functional as F
from torch import Tensor

from ...registry import MODELS
from ...structures.temporal_matches import TemporalMatches
from ...utils.errors import ConfigError, PMVISError
from .base import TemporalMatcher

Offsets = List[Tuple[int, int]]

# Similarities that are held at once; 8 MB on the CPU.
_CHUNK = 1 << 21
_CHUNK_GPU = 1 << 25
# Variance of a patch, Lab units squared, below which it is flat.
_FLAT = 1e-6


def search_offsets(search: Union[int, Dict[str, int]]) -> Offsets:
    """List the candidates of a pixel, row by row, itself included.

    Args:
        search (dict | int): ``dict(kernel=3, dilation=3)``: a square grid
            with an odd number of points per side, ``dilation`` pixels apart.
            ``dict(radius=5)`` or just 5: all pixels no further away than
            this.

    Returns:
        list[tuple[int]]: Offsets (rows, columns), in pixels at mask stride.
        A disc has 5, 29, 81 or 149 for radius 1, 3, 5 or 7.

    Raises:
        ConfigError: If there is no such search.
    """
    if isinstance(search, int):
        search = dict(radius=search)
    keys, values = set(search), list(search.values())
    valid = all(isinstance(value, int) and value >= 1 for value in values)
    if valid and keys == {'radius'}:
        radius = search['radius']
        steps = range(-radius, radius + 1)
        return [
            (row, col)
            for row in steps
            for col in steps
            if row * row + col * col <= radius * radius
        ]
    if valid and keys == {'kernel', 'dilation'} and search['kernel'] % 2:
        half = search['kernel'] // 2
        grid = [i * search['dilation'] for i in range(-half, half + 1)]
        return [(row, col) for row in grid for col in grid]
    raise ConfigError(
        f'no search is {search}',
        fix='use dict(kernel=3, dilation=3) with an odd kernel, or '
        'dict(radius=5)',
    )


def _l2(partner: Tensor, center: Tensor, size: int) -> Tensor:
    """exp(-d / 2) of the Euclidean distance d of patches."""
    difference = partner - center
    squares = (difference * difference).sum(1)
    return _box_sum(squares, size).sqrt_().mul_(-0.5).exp_()


def _l1(partner: Tensor, center: Tensor, size: int) -> Tensor:
    """exp(-d / (2 sqrt(n))) of the sum d of the n absolute differences."""
    distance = _box_sum((partner - center).abs().sum(1), size)
    return distance.mul_(-0.5 / math.sqrt(3 * size * size)).exp_()


def _ncc(partner: Tensor, center: Tensor, size: int) -> Tensor:
    """Normalised cross-correlation; 0 if a patch is flat."""
    # Squares of colours are large beside the variance of most patches.
    partner, center = partner.double(), center.double()
    area = size * size
    total_a, total_b = _box_sum(partner, size), _box_sum(center, size)

    def covariance(x: Tensor, y: Tensor, sums: Tensor) -> Tensor:
        return (_box_sum(x * y, size) - sums / area).sum(1)

    var_a = covariance(partner, partner, total_a * total_a)
    var_b = covariance(center, center, total_b * total_b)
    both = covariance(partner, center, total_a * total_b)
    flat = torch.min(var_a, var_b) < _FLAT * 3 * area
    ratio = both * (var_a * var_b).clamp(min=_FLAT**2).rsqrt()
    return ratio.masked_fill_(flat, 0).clamp_(-1, 1).float()


def _box_sum(maps: Tensor, size: int) -> Tensor:
    """Sum over size x size windows, (..., H, W) to (..., h, w)."""
    height, width = (side - size + 1 for side in maps.shape[-2:])
    rows = maps[..., :height, :].clone()
    for i in range(1, size):
        rows += maps[..., i : i + height, :]
    total = rows[..., :width].clone()
    for i in range(1, size):
        total += rows[..., i : i + width]
    return total


_METRICS: Dict[str, Callable[[Tensor, Tensor, int], Tensor]] = dict(
    l2=_l2, l1=_l1, ncc=_ncc
)
# L2 as released. The others keep as many pairs, 8 %, of 12 videos of DAVIS
# 2017 at 480p, frames 4 apart.
_THRESHOLDS: Dict[str, float] = dict(l2=0.05, l1=0.11, ncc=0.7)


def patch_similarity(
    partner: Tensor,
    center: Tensor,
    offsets: Offsets,
    patch_size: int = 3,
    metric: str = 'l2',
    rows: Optional[slice] = None,
) -> Tensor:
    """Compare patches around pixels with those around their candidates.

    Outside of the frame colours are zero. So is the whole patch of a
    candidate that lies outside, even where it would overlap the frame.
    Works offset by offset: patches are never copied.

    Args:
        partner (Tensor): float32, (G, 3, h, w), CIE-Lab of the frames with
            the candidates.
        center (Tensor): Same shape, of the frames with the pixels.
        offsets (list[tuple[int]]): Candidates, (rows, columns) from the
            pixel.
        patch_size (int): Odd side of a patch. Defaults to 3.
        metric (str): See :class:`PatchMatcher`. Defaults to 'l2'.
        rows (slice, optional): Rows of pixels to compare. Defaults to None:
            all.

    Returns:
        Tensor: float32, (G, num_offsets, num_rows, w).
    """
    height, width = center.shape[-2:]
    start, stop, _ = (rows or slice(None)).indices(height)
    half = patch_size // 2
    reach = max(abs(step) for offset in offsets for step in offset)
    edge = half + reach
    partner = F.pad(partner, (edge, edge, edge, edge))
    center = F.pad(center, (half, half, half, half))
    center = center[:, :, start : stop + 2 * half]
    compare = _METRICS[metric]
    alone = compare(torch.zeros_like(center), center, patch_size)
    similarity = center.new_empty(
        len(center), len(offsets), stop - start, width
    )
    for k, (row, col) in enumerate(offsets):
        first, left = reach + row + start, reach + col
        view = partner[:, :, first:, left : left + width + 2 * half]
        view = view[:, :, : center.size(2)]
        similarity[:, k] = compare(view, center, patch_size)
        for part in _outside(row, start, stop, height):
            similarity[:, k, part] = alone[:, part]
        for part in _outside(col, 0, width, width):
            similarity[:, k, :, part] = alone[:, :, part]
    return similarity


def _outside(step: int, start: int, stop: int, length: int) -> List[slice]:
    """Index the pixels from start to stop that a step takes outside."""
    count = stop - start
    low = min(max(-step - start, 0), count)
    high = min(max(length - step - start, 0), count)
    return [slice(0, low), slice(high, count)]


@MODELS.register_module()
class PatchMatcher(TemporalMatcher):
    """Patch matching of `MaskFreeVIS <https://arxiv.org/abs/2303.15904>`_.

    A pixel of frame b matches the K candidates of frame a whose patches of
    colour are most similar, as far as they are similar enough (Sec. 3.1).
    Candidates outside of the frame take part as black patches, as in the
    released code.

    Args:
        patch_size (int): Odd side N of a patch, pixels at mask stride.
            Distances grow with it, so that the same threshold gets
            stricter. Defaults to 3.
        search (dict | int, optional): See :func:`search_offsets`. Defaults
            to None: ``dict(kernel=3, dilation=3)``, the 9 candidates of the
            released code. The paper's disc is 5.
        num_neighbors (int, optional): K. None keeps all candidates that are
            similar enough. Defaults to 5.
        metric (str): How n = 3 N^2 numbers are compared. 'l2':
            exp(-d / 2) of their Euclidean distance d. 'l1':
            exp(-d / (2 sqrt(n))) of the sum d of absolute differences,
            which is the same where all differ equally, and larger
            elsewhere. 'ncc': normalised cross-correlation, without the
            mean of each channel; 0 for flat patches. Defaults to 'l2'.
        threshold (float, optional): Least similarity of a match. Defaults
            to None: 0.05 for 'l2' (released code); 0.11 for 'l1' and 0.7
            for 'ncc', which keep as many pairs of DAVIS 2017 (8 %).

    Raises:
        ConfigError: If an option is out of range, or if there are fewer
            than ``num_neighbors`` candidates.
    """

    def __init__(
        self,
        patch_size: int = 3,
        search: Union[int, Dict[str, int], None] = None,
        num_neighbors: Optional[int] = 5,
        metric: str = 'l2',
        threshold: Optional[float] = None,
    ) -> None:
        super().__init__()
        self.search = dict(kernel=3, dilation=3) if search is None else search
        self.offsets = search_offsets(self.search)
        if patch_size < 1 or patch_size % 2 == 0:
            raise ConfigError(
                f'patch_size={patch_size} has no middle',
                fix='use an odd number, such as 3',
            )
        if metric not in _METRICS:
            raise ConfigError(
                f'metric={metric!r} is unknown',
                fix=f'use one of {list(_METRICS)}',
            )
        most = len(self.offsets)
        if num_neighbors is not None and not 1 <= num_neighbors <= most:
            raise ConfigError(
                f'num_neighbors={num_neighbors}, but search={self.search} '
                f'has {most} candidates',
                fix=f'use 1 to {most}, or None for all, or search further',
            )
        if threshold is None:
            threshold = _THRESHOLDS[metric]
        if not 0 < threshold <= 1:
            raise ConfigError(
                f'threshold={threshold} is no similarity',
                fix=f'use a value in (0, 1], such as {_THRESHOLDS[metric]} '
                f'for {metric!r}',
            )
        self.patch_size = patch_size
        self.num_neighbors = most if num_neighbors is None else num_neighbors
        self.metric = metric
        self.threshold = threshold

    @torch.no_grad()
    def forward(
        self,
        lab: Tensor,
        connections: List[Tuple[int, int]],
        images: Optional[Tensor] = None,
    ) -> TemporalMatches:
        """Match pixels of connected frames.

        Args:
            lab (Tensor): float, (N, T, 3, h, w), see
                :class:`TemporalMatcher`. Worked on in float32.
            connections (list[tuple[int]]): Pairs of frames (a, b).
            images (Tensor, optional): Not used.

        Returns:
            TemporalMatches: J = 1, without weights; candidates of a pixel
            row by row.

        Raises:
            PMVISError: If the colours have another shape.
        """
        if lab.dim() != 5 or lab.size(2) != 3:
            raise PMVISError(
                f'lab must be (N, T, 3, h, w), got {tuple(lab.shape)}',
                fix='pass the lab_features of the frames of all clips',
            )
        clips, frames, _, height, width = lab.shape
        with torch.autocast(lab.device.type, enabled=False):
            found = self._match(lab.float(), connections)
        # (P, 2) clip and connection, and 2 pixels.
        group, center, partner = found
        count = len(connections)
        counts = torch.bincount(group, minlength=clips * count)
        return TemporalMatches(
            (frames, height, width),
            list(connections),
            counts.view(clips, count),
            center,
            partner[:, None],
        )

    def _match(
        self, lab: Tensor, connections: List[Tuple[int, int]]
    ) -> Tuple[Tensor, Tensor, Tensor]:
        """Find clip and connection, centre and partner of all pairs."""
        clips, frames, _, height, width = lab.shape
        offsets = torch.tensor(self.offsets, device=lab.device)
        pairs = torch.tensor(connections, device=lab.device).view(-1, 2)
        pairs = pairs.repeat(clips, 1)
        first = torch.arange(clips, device=lab.device) * frames
        start = first.repeat_interleave(len(connections))
        images = lab.flatten(0, 1)
        found = []
        for groups, rows in self._parts(len(pairs), height, width, lab.device):
            frame_a, frame_b = (start[groups, None] + pairs[groups]).unbind(1)
            similarity = patch_similarity(
                images[frame_a],
                images[frame_b],
                self.offsets,
                self.patch_size,
                self.metric,
                rows,
            )
            keep = self._nearest(similarity)
            group, row, col, which = keep.nonzero().unbind(1)
            group, row = group + groups.start, row + rows.start
            a, b = pairs[group].unbind(1)
            center = (b * height + row) * width + col
            step = offsets[which]
            row, col = row + step[:, 0], col + step[:, 1]
            inside = (0 <= row) & (row < height) & (0 <= col) & (col < width)
            partner = (a * height + row) * width + col
            found.append((group, center, partner.masked_fill_(~inside, -1)))
        if not found:
            none = start[:0]
            return none, none, none
        group, center, partner = (torch.cat(part) for part in zip(*found))
        return group, center, partner

    def _parts(
        self, groups: int, height: int, width: int, device: torch.device
    ) -> Iterator[Tuple[slice, slice]]:
        """Cut the work into several groups, or into rows of one."""
        chunk = _CHUNK if device.type == 'cpu' else _CHUNK_GPU
        rows = chunk // (len(self.offsets) * width)
        at_once = max(rows // height, 1)
        rows = min(max(rows, 1), height)
        for first in range(0, groups, at_once):
            for top in range(0, height, rows):
                yield (
                    slice(first, min(first + at_once, groups)),
                    slice(top, min(top + rows, height)),
                )

    def _nearest(self, similarity: Tensor) -> Tensor:
        """Mark the matches, bool, (G, h, w, num_offsets)."""
        keep = similarity >= self.threshold
        crowded = keep.sum(1) > self.num_neighbors
        keep = keep.movedim(1, -1).contiguous()
        # Elsewhere the K most similar are all that are similar enough.
        values = similarity.movedim(1, -1)[crowded]
        top = values.topk(self.num_neighbors, -1).indices
        nearest = torch.zeros_like(values, dtype=torch.bool)
        keep[crowded] &= nearest.scatter_(1, top, True)
        return keep

    def extra_repr(self) -> str:
        """Show the options when the model is printed."""
        return (
            f'patch_size={self.patch_size}, search={self.search}, '
            f'num_neighbors={self.num_neighbors}, metric={self.metric!r}, '
            f'threshold={self.threshold}'
        )
