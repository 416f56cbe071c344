"""Dividing a set in two so that both parts hold their share of all kinds."""

import numpy as np

# Costs that differ by less are equal, whatever a processor rounds.
_DECIMALS = 9
_MAX_ROUNDS = 20


def stratify(counts: np.ndarray, sizes: np.ndarray, target: int) -> np.ndarray:
    r"""Choose units that hold their share of every kind.

    Three steps, none of them at random:

    1. Iterative stratification (`Sechidis et al., ECML PKDD 2011
       <https://doi.org/10.1007/978-3-642-23808-6_10>`_, here for counts):
       the units of the rarest kind that is left go, one by one, to the
       part that still wants most of that kind (a tie: most items).
    2. While the chosen part has not ``target`` items, the unit is moved
       that brings it closer at the lowest cost.
    3. A chosen unit is exchanged for one of the same size as long as that
       lowers the cost.

    The cost is that of a chi-square test: with :math:`n_k` of a kind in
    all, of which the part has :math:`x_k` and should have the share
    :math:`s`, :math:`\sum_k (x_k - s n_k)^2 / n_k`.

    Args:
        counts (np.ndarray): int, (U, K): how many of each of K kinds every
            unit holds. Units come first that shall win ties.
        sizes (np.ndarray): int, (U, ), positive: items of every unit.
        target (int): Items to choose, at least 1 and less than there are.

    Returns:
        np.ndarray: bool, (U, ), what is chosen: at least one unit, not
        all. The items are ``target`` if units of one item are there to
        make that up.

    Raises:
        ValueError: If there are less than two units, or ``target`` is out
            of range.
    """
    if len(sizes) < 2:
        raise ValueError(f'cannot divide {len(sizes)} units')
    if not 0 < target < sizes.sum():
        raise ValueError(
            f'`target` must be in 1 ... {sizes.sum() - 1}, got {target}'
        )
    # Items are one more kind, the last one.
    features = np.concatenate([counts, sizes[:, None]], axis=1).astype(float)
    totals = features.sum(0)
    goal = totals * (target / sizes.sum())
    weights = 1 / np.maximum(totals, 1)
    chosen = _iterative(features, goal)
    _meet_target(chosen, features, goal, weights, target)
    for _ in range(_MAX_ROUNDS):
        if not _exchange(chosen, features, goal, weights):
            break
    return chosen


def _iterative(features: np.ndarray, goal: np.ndarray) -> np.ndarray:
    """Step 1."""
    chosen = np.zeros(len(features), bool)
    free = np.ones(len(features), bool)
    wanted = np.stack([features.sum(0) - goal, goal])
    while free.any():
        left = features[free].sum(0)
        left[left == 0] = np.inf
        # Items are looked at last, by units without any kind.
        known = np.isfinite(left[:-1]).any()
        kind = int(left[:-1].argmin()) if known else len(left) - 1
        for unit in np.flatnonzero(free & (features[:, kind] > 0)):
            keys = np.round(wanted[:, [kind, -1]], _DECIMALS).tolist()
            side = int(keys[1] > keys[0])
            wanted[side] -= features[unit]
            chosen[unit], free[unit] = bool(side), False
    return chosen


def _meet_target(
    chosen: np.ndarray,
    features: np.ndarray,
    goal: np.ndarray,
    weights: np.ndarray,
    target: int,
) -> None:
    """Step 2, in place."""
    sizes = features[:, -1]
    while True:
        excess = sizes[chosen].sum() - target
        # What the excess becomes if a unit changes sides.
        after = excess + np.where(chosen, -sizes, sizes)
        better = np.abs(after) < abs(excess)
        if chosen.any() and not chosen.all():
            for side in (True, False):  # neither part gets empty
                if (chosen == side).sum() == 1:
                    better &= chosen != side
        else:
            better = np.abs(after) == np.abs(after).min()
        if not better.any():
            return
        sign = np.where(chosen, -1.0, 1.0)[:, None]
        gap = features[chosen].sum(0) - goal + sign * features
        cost = np.round((gap**2 * weights).sum(1), _DECIMALS)
        unit = int(np.where(better, cost, np.inf).argmin())
        chosen[unit] = not chosen[unit]


def _exchange(
    chosen: np.ndarray,
    features: np.ndarray,
    goal: np.ndarray,
    weights: np.ndarray,
) -> bool:
    """Step 3, once through all chosen units; whether anything changed."""
    changed = False
    gap = features[chosen].sum(0) - goal
    for unit in np.flatnonzero(chosen):
        others = np.flatnonzero(
            ~chosen & (features[:, -1] == features[unit, -1])
        )
        if not len(others):
            continue
        new = gap - features[unit] + features[others]
        cost = np.round((new**2 * weights).sum(1), _DECIMALS)
        best = int(cost.argmin())
        if cost[best] < np.round((gap**2 * weights).sum(), _DECIMALS):
            chosen[unit], chosen[others[best]] = False, True
            gap, changed = new[best], True
    return changed
