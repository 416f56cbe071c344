"""Sum of the pairwise term over edges, with little memory."""

from typing import Any, Iterator, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ..utils import neighbor_offsets

# Part of a (num_maps, h, w) tensor.
MapIndex = Tuple[slice, slice, slice]

# On the CPU, from this many pixels on a map is worth a step of its own.
_LARGE_MAP = 2048
# Pixels that are worked on at once otherwise.
_CHUNK = 1 << 22


def edge_sum(
    logits: Tensor,
    boxes: Tensor,
    similar: Tensor,
    clip_index: Tensor,
    size: int,
    dilation: int,
) -> Tensor:
    r"""Sum the pairwise term over all edges that start in a box.

    The term of two pixels with logits :math:`z_p, z_q` is
    :math:`\zeta(z_p) + \zeta(z_q) - \zeta(z_p + z_q)` with the softplus
    :math:`\zeta`; its derivative by :math:`z_p` is
    :math:`\sigma(z_p) - \sigma(z_p + z_q)`. It is added up in the forward
    pass, so that one map per row is kept, and none per edge.

    Args:
        logits (Tensor): float, (num_pos, T, h, w), before sigmoid.
        boxes (Tensor): Same shape and dtype, in [0, 1]; weight of the edges
            that start at a pixel.
        similar (Tensor): bool, (num_clips, T, K, h, w), edges that count,
            in the order of ``neighbor_offsets(size, dilation)``.
        clip_index (Tensor): int64, (num_pos, ), clip of each row.
        size (int): Odd side of the neighbourhood.
        dilation (int): Distance between neighbours.

    Returns:
        Tensor: Scalar. Can be differentiated once, by ``logits``.
    """
    return _EdgeSum.apply(logits, boxes, similar, clip_index, size, dilation)


class _EdgeSum(torch.autograd.Function):
    """Adds value and gradient in one pass."""

    @staticmethod
    def forward(
        ctx: Any,
        logits: Tensor,
        boxes: Tensor,
        similar: Tensor,
        clip_index: Tensor,
        size: int,
        dilation: int,
    ) -> Tensor:
        maps, weights = logits.flatten(0, 1), boxes.flatten(0, 1)
        frames = similar.size(1)
        times = torch.arange(frames, device=clip_index.device)
        frame_index = (clip_index[:, None] * frames + times).flatten()
        grad = None
        if ctx.needs_input_grad[0]:
            grad = torch.zeros_like(
                maps, memory_format=torch.contiguous_format
            )
        total = logits.new_zeros(())
        offsets = neighbor_offsets(size, dilation)
        for part in _parts(weights, size // 2 * dilation):
            chosen = similar.flatten(0, 1)[_frames(frame_index, part[0])]
            total += _add_edges(
                maps[part],
                weights[part],
                chosen[:, :, part[1], part[2]],
                offsets,
                None if grad is None else grad[part],
            )
        if grad is not None:
            ctx.save_for_backward(grad.view(logits.shape))
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> Tuple[Any, ...]:
        (grad,) = ctx.saved_tensors
        return grad * grad_output, None, None, None, None, None


def _frames(frame_index: Tensor, part: slice) -> Any:
    """Index the frames of some maps, without a copy for a single map."""
    if part.stop - part.start == 1:
        frame = int(frame_index[part.start])
        return slice(frame, frame + 1)
    return frame_index[part]


def _parts(weights: Tensor, reach: int) -> Iterator[MapIndex]:
    """Cut maps into what is worked on at once; edges stay whole.

    The CPU takes map by map and only the surroundings of its box. A GPU
    would wait for the boxes longer than that saves.
    """
    num_maps, height, width = weights.shape
    if weights.device.type == 'cpu' and height * width >= _LARGE_MAP:
        rows = _spans(weights.amax(2) > 0, reach)
        cols = _spans(weights.amax(1) > 0, reach)
        for i, (row, col) in enumerate(zip(rows, cols)):
            if row is not None and col is not None:
                yield slice(i, i + 1), row, col
        return
    step = max(_CHUNK // (height * width), 1)
    for start in range(0, num_maps, step):
        yield (
            slice(start, min(start + step, num_maps)),
            slice(None),
            slice(None),
        )


def _spans(used: Tensor, reach: int) -> List[Optional[slice]]:
    """Find the first to the last True of each row, widened; None if none."""
    length = used.size(1)
    flags = used.int()
    first = flags.argmax(1)
    last = length - 1 - flags.flip(1).argmax(1)
    return [
        slice(max(i - reach, 0), min(j + reach + 1, length)) if any_ else None
        for i, j, any_ in zip(
            first.tolist(), last.tolist(), used.any(1).tolist()
        )
    ]


def _add_edges(
    logits: Tensor,
    boxes: Tensor,
    similar: Tensor,
    offsets: List[Tuple[int, int]],
    grad: Optional[Tensor],
) -> Tensor:
    """Return the sum of some maps and add its gradient to ``grad``."""
    softplus, sigmoid = F.softplus(logits), logits.sigmoid()
    total = logits.new_zeros(())
    # The second half of the offsets points right and down; an edge back is
    # the mirrored offset of its other end.
    for k in range(len(offsets) // 2, len(offsets)):
        here, there = _ends(offsets[k], logits.shape[-2:])
        weight = similar[:, k][here] * boxes[here]
        weight += similar[:, len(offsets) - 1 - k][there] * boxes[there]
        joint = logits[here] + logits[there]
        edge = softplus[here] + softplus[there]
        edge -= F.softplus(joint)
        total += edge.mul_(weight).sum()
        if grad is not None:
            both = joint.sigmoid_()
            grad[here] += (sigmoid[here] - both).mul_(weight)
            grad[there] += (sigmoid[there] - both).mul_(weight)
    return total


def _ends(
    offset: Tuple[int, int], shape: torch.Size
) -> Tuple[MapIndex, MapIndex]:
    """Index both ends of all edges along an offset that stay inside."""
    here: List[slice] = []
    there: List[slice] = []
    for step, length in zip(offset, shape):
        count = max(length - abs(step), 0)
        start = max(-step, 0)
        here.append(slice(start, start + count))
        start = max(step, 0)
        there.append(slice(start, start + count))
    every = slice(None)
    return (every, here[0], here[1]), (every, there[0], there[1])
