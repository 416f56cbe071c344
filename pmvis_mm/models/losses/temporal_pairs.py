"""Sum of the temporal term over matched pixels, with little memory."""

from typing import Any, Callable, Dict, Iterator, List, Optional, Tuple

import torch
import torch.nn.functional as F
from torch import Tensor
from torch.autograd.function import once_differentiable

from ...structures.temporal_matches import RowPairs, TemporalMatches
from .utils import zero_loss

# Pairs that a GPU works on at once.
_CHUNK = 1 << 22


def _all(box_masks: Tensor) -> Tensor:
    """Every pixel."""
    return torch.ones_like(box_masks, dtype=torch.bool)


def _tube(box_masks: Tensor) -> Tensor:
    """Where the boxes of all frames add up to a pixel, in every frame."""
    return (box_masks.sum(0) >= 1).expand(box_masks.shape)


def _center(box_masks: Tensor) -> Tensor:
    """Inside of the box of the same frame."""
    return box_masks >= 1


# From box masks (T, h, w) of an instance to where its centres may lie.
REGIONS: Dict[str, Callable[[Tensor], Tensor]] = dict(
    tube=_tube, center=_center, pair=_center, all=_all
)


def select_pairs(
    matches: TemporalMatches,
    box_masks: Tensor,
    clip_index: Tensor,
    region: str = 'tube',
) -> RowPairs:
    """Find the pairs of each instance.

    Args:
        matches (TemporalMatches): Of all clips.
        box_masks (Tensor): float, (num_instances, T, h, w), in [0, 1].
        clip_index (Tensor): int64, (num_instances, ), clip of each.
        region (str): See :class:`~.tk_loss.TKLoss`. Defaults to 'tube'.

    Returns:
        RowPairs: One row per instance.
    """
    ends = matches.counts.flatten().cumsum(0).view_as(matches.counts)
    ends = ends.cpu()
    num_connections = len(matches.connections)
    ids, bounds, totals, size = [], [], [], 0
    for masks, clip in zip(box_masks, clip_index.tolist()):
        last = ends[clip]
        first = int(ends[clip - 1, -1]) if clip and num_connections else 0
        stop = int(last[-1]) if num_connections else 0
        chosen = _in_region(matches, slice(first, stop), masks, region)
        edges = torch.cat([last.new_tensor([first]), last]).to(chosen.device)
        totals.append(_totals(matches, chosen, edges))
        # The others cost nothing, but count.
        chosen = chosen[(matches.partners[chosen] >= 0).any(1)]
        bounds.append((torch.searchsorted(chosen, edges) + size).tolist())
        ids.append(chosen)
        size += len(chosen)
    none = matches.centers[:0]
    return RowPairs(
        matches,
        torch.cat(ids) if ids else none,
        bounds,
        torch.stack(totals)
        if totals
        else none.new_zeros((0, num_connections), dtype=torch.float32),
        torch.arange(len(bounds), device=none.device),
    )


def _in_region(
    matches: TemporalMatches, part: slice, box_masks: Tensor, region: str
) -> Tensor:
    """Find the pairs of a clip that concern an instance, int64, sorted."""
    inside = REGIONS[region](box_masks).reshape(-1)
    keep = inside[matches.centers[part]]
    if region == 'pair':
        partners = matches.partners[part]
        shares = (inside[partners] & (partners >= 0)).float()
        if matches.mix is not None:
            shares = shares * matches.mix[part].detach()
        # Most of a partner that lies between pixels.
        keep = keep & (shares.sum(1) >= 0.5)
    return keep.nonzero().flatten() + part.start


def _totals(matches: TemporalMatches, ids: Tensor, edges: Tensor) -> Tensor:
    """Add up the weights of sorted pairs per connection, float32, (C, )."""
    bounds = torch.searchsorted(ids, edges)
    if matches.weights is None:
        return bounds.diff().float()
    weights = matches.weights.detach()[ids].double()
    sums = F.pad(weights.cumsum(0), (1, 0))
    return sums[bounds].diff().float()


def pair_sum(logits: Tensor, pairs: RowPairs, scale: Tensor) -> Tensor:
    r"""Sum the consistency term over the pairs of all rows.

    The term of two pixels with logits :math:`a, b` is

    .. math::
        -\log(m_a m_b + (1 - m_a)(1 - m_b))
        = \zeta(a) + \zeta(b) - \zeta(a + b)

    with the softplus :math:`\zeta`; its derivative by :math:`a` is
    :math:`\sigma(a) - \sigma(a + b)`. For matches without weights it is
    added up in the forward pass, so that one map per row is kept, and none
    per pair. If a partner lies between pixels, the probabilities to agree
    with them are mixed; outside of the frame it is 1.

    Args:
        logits (Tensor): float, (num_rows, T, h, w), before sigmoid.
        pairs (RowPairs): One row per row.
        scale (Tensor): float, (C, ), factor of the pairs of a connection.

    Returns:
        Tensor: Scalar. Can be differentiated by ``logits``, and by the
        ``weights`` and ``mix`` of the matches where they have them.
    """
    if pairs.matches.weights is None and pairs.matches.mix is None:
        return _PairSum.apply(logits, pairs, scale)
    return _mixed_sum(logits, pairs, scale)


class _PairSum(torch.autograd.Function):
    """Adds value and gradient in one pass."""

    @staticmethod
    def forward(
        ctx: Any, logits: Tensor, pairs: RowPairs, scale: Tensor
    ) -> Tensor:
        grad = None
        if ctx.needs_input_grad[0]:
            grad = torch.zeros_like(
                logits, memory_format=torch.contiguous_format
            )
        total = logits.new_zeros(())
        parts = _segments if logits.device.type == 'cpu' else _chunks
        for rows, centers, partners, factor in parts(pairs, scale.to(logits)):
            total += _add_pairs(
                logits[rows].reshape(-1),
                centers,
                partners,
                factor,
                None if grad is None else grad[rows].view(-1),
            )
        if grad is not None:
            ctx.save_for_backward(grad)
        return total

    @staticmethod
    @once_differentiable
    def backward(ctx: Any, grad_output: Tensor) -> Tuple[Any, ...]:
        (grad,) = ctx.saved_tensors
        return grad * grad_output, None, None


# Rows, their pixels in the frames b and a, and the factor of the pairs.
_Part = Tuple[slice, Tensor, Tensor, Any]


def _segments(pairs: RowPairs, scale: Tensor) -> Iterator[_Part]:
    """Cut the pairs by row and connection, which fits into the cache."""
    matches = pairs.matches
    partners = matches.partners.reshape(-1)
    factors = scale.tolist()
    for row, instance in enumerate(pairs.rows.tolist()):
        bounds = pairs.bounds[instance]
        for factor, start, stop in zip(factors, bounds[:-1], bounds[1:]):
            if stop > start:
                ids = pairs.ids[start:stop]
                yield (
                    slice(row, row + 1),
                    matches.centers.index_select(0, ids),
                    partners.index_select(0, ids),
                    factor,
                )


def _chunks(pairs: RowPairs, scale: Tensor) -> Iterator[_Part]:
    """Cut the pairs by rows; a GPU wants few, large steps."""
    matches = pairs.matches
    chunk: List[int] = []
    size = start = 0
    instances = pairs.rows.tolist()
    for row, instance in enumerate(instances):
        bounds = pairs.bounds[instance]
        chunk.append(instance)
        size += bounds[-1] - bounds[0]
        if size >= _CHUNK or row + 1 == len(instances):
            ids, shift, factor = _flatten(pairs, chunk, scale)
            yield (
                slice(start, row + 1),
                matches.centers[ids] + shift,
                matches.partners[ids, 0] + shift,
                factor,
            )
            chunk, size, start = [], 0, row + 1


def _flatten(
    pairs: RowPairs, instances: List[int], scale: Tensor
) -> Tuple[Tensor, Tensor, Tensor]:
    """List the pairs of some rows.

    Returns:
        tuple: Ids of the pairs, int64, the first pixel of their row among
        these rows, int64, and their factor; all (num_pairs, ).
    """
    frames, height, width = pairs.matches.shape
    bounds = [pairs.bounds[instance] for instance in instances]
    ids = torch.cat([pairs.ids[b[0] : b[-1]] for b in bounds])
    sizes = torch.tensor(bounds).diff()
    rows = torch.arange(len(bounds)) * (frames * height * width)
    device = ids.device
    shift = rows.to(device).repeat_interleave(
        sizes.sum(1).to(device), output_size=len(ids)
    )
    factor = scale.repeat(len(bounds)).repeat_interleave(
        sizes.flatten().to(device), output_size=len(ids)
    )
    return ids, shift, factor


def _add_pairs(
    logits: Tensor,
    centers: Tensor,
    partners: Tensor,
    factor: Any,
    grad: Optional[Tensor],
) -> Tensor:
    """Return the sum of some pairs and add its gradient to ``grad``."""
    # Several times as fast as logits[partners] on the CPU.
    a = logits.index_select(0, partners)
    b = logits.index_select(0, centers)
    joint = a + b
    cost = F.softplus(a).add_(F.softplus(b)).sub_(F.softplus(joint))
    if grad is not None:
        joint.sigmoid_()
        for pixels, z in ((partners, a), (centers, b)):
            slope = z.sigmoid_().sub_(joint).mul_(factor)
            grad.index_add_(0, pixels, slope)
    return cost.mul_(factor).sum()


def _mixed_sum(logits: Tensor, pairs: RowPairs, scale: Tensor) -> Tensor:
    """Sum over pairs with weights, or with partners between pixels."""
    matches = pairs.matches
    total = zero_loss(logits)
    for value in (matches.weights, matches.mix):
        if value is not None:
            # A gradient path without rows, too, for DDP.
            total = total + value.sum() * 0
    instances = pairs.rows.tolist()
    if not instances:
        return total
    ids, shift, factor = _flatten(pairs, instances, scale.to(logits))
    flat = logits.reshape(-1)
    partners = matches.partners[ids]
    a = flat[(partners.clamp(min=0) + shift[:, None])]
    b = flat[matches.centers[ids] + shift][:, None]
    cost = F.softplus(a) + F.softplus(b) - F.softplus(a + b)
    cost = cost.masked_fill(partners < 0, 0)
    if matches.mix is None:
        cost = cost[:, 0]
    else:
        cost = _mix(cost, matches.mix[ids].to(cost))
    if matches.weights is not None:
        cost = cost * matches.weights[ids].to(cost)
    return total + (cost * factor).sum()


def _mix(costs: Tensor, shares: Tensor) -> Tensor:
    """Compute -log of the shares of exp(-costs), (P, J) to (P, )."""
    # Relative to the largest that counts: no probability underflows.
    least = costs.detach().masked_fill(shares <= 0, float('inf'))
    least = least.amin(1, keepdim=True)
    agree = (least - costs).clamp(max=50).exp()
    return least[:, 0] - (shares * agree).sum(1).log()
