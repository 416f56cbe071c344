"""Dynamic-k matching of queries and instances."""

import torch
from torch import Tensor


def dynamic_k_matching(
    cost: Tensor,
    iou: Tensor,
    candidate_topk: int,
    rematch_cost: float = 1e5,
) -> Tensor:
    """Give every instance its cheapest queries, at least one.

    Instance g gets k queries, where k is the sum of its ``candidate_topk``
    largest IoUs, rounded down, at least 1 ("dynamic k estimation" of
    `OTA <https://arxiv.org/abs/2103.14259>`_). A query that several
    instances want goes to the cheapest of them. An instance that is left
    without a query then takes the cheapest query that is free.

    Reproduces the public code of IDOL, also in that queries which only
    come to be shared in that last step stay shared.

    Args:
        cost (Tensor): float, (Q, G), Q and G at least 1, finite. **Changed
            in place**: rows that were matched when an instance had to look
            for a free query become dearer by ``rematch_cost``.
        iou (Tensor): float, (Q, G).
        candidate_topk (int): How many IoUs to add up; at most Q count.
        rematch_cost (float): More than the spread of the costs. Defaults
            to 1e5.

    Returns:
        Tensor: bool, (Q, G). Every column has a match.
    """
    candidates = iou.topk(min(candidate_topk, len(iou)), dim=0).values
    num_queries = candidates.sum(0).int().clamp(min=1).tolist()
    matched = torch.zeros_like(cost, dtype=torch.bool)
    for gt, k in enumerate(num_queries):
        # One column at a time: which of equal costs win depends on k.
        matched[cost[:, gt].topk(k, largest=False).indices, gt] = True
    shared = matched.sum(1) > 1
    _keep_cheapest(matched, cost, shared)
    _rematch(matched, cost, shared, rematch_cost)
    return matched


def _keep_cheapest(matched: Tensor, cost: Tensor, rows: Tensor) -> None:
    """Leave the cheapest instance to each of the given queries, in place.

    Args:
        matched (Tensor): bool, (Q, G).
        cost (Tensor): float, (Q, G).
        rows (Tensor): bool, (Q,).
    """
    cheapest = torch.zeros_like(matched)
    cheapest.scatter_(1, cost.argmin(1, keepdim=True), True)
    matched[rows] = cheapest[rows]


def _rematch(
    matched: Tensor, cost: Tensor, shared: Tensor, rematch_cost: float
) -> None:
    """Find a query for the instances that have none, in place.

    Args:
        matched (Tensor): bool, (Q, G).
        cost (Tensor): float, (Q, G).
        shared (Tensor): bool, (Q,), queries that several instances wanted
            at first. Not renewed: the public code does not either.
        rematch_cost (float): See :func:`dynamic_k_matching`.
    """
    while not matched.any(0).all():
        taken = matched.any(1)
        cost[taken] += rematch_cost
        _give_cheapest(matched, cost)
        if (matched.sum(1) > 1).any():
            _keep_cheapest(matched, cost, shared)
        if taken.all():
            # A free query is never in ``shared`` and therefore stays with
            # who takes it; taken ones become dearer until a free one is
            # the cheapest. Without a free one (few queries, many
            # instances) all costs rise alike and the same choice is undone
            # for ever, where the public code hangs. Share queries instead.
            _give_cheapest(matched, cost)
            return


def _give_cheapest(matched: Tensor, cost: Tensor) -> None:
    """Give instances without a query the cheapest one, in place.

    Args:
        matched (Tensor): bool, (Q, G).
        cost (Tensor): float, (Q, G).
    """
    empty = (~matched.any(0)).nonzero().squeeze(1)
    matched[cost[:, empty].argmin(0), empty] = True
