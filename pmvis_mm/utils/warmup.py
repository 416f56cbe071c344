"""Factors that grow over the first iterations."""


def linear_warmup(iteration: int, num_iters: int) -> float:
    """Ramp a factor up, ``min(iteration / num_iters, 1)``.

    Args:
        iteration (int): Training iterations so far, this one included
            (the first one is 1).
        num_iters (int): Length of the ramp; 0 means none. BoxInst and
            PM-VIS use 10000.

    Returns:
        float: Factor in [0, 1].
    """
    return min(iteration / num_iters, 1.0) if num_iters > 0 else 1.0
