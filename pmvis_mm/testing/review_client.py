"""Asking the review server without a network."""

from typing import Any, Sequence

import numpy as np


def get(client: Any, url: str, status: int = 200) -> Any:
    """Ask Flask's test client; returns the json of the answer."""
    answer = client.get(url)
    assert answer.status_code == status, answer.text
    return answer.json


def post(client: Any, status: int = 200, **entry: Any) -> Any:
    """Send a decision; returns the json of the answer."""
    answer = client.post('/api/decisions', json=entry)
    assert answer.status_code == status, answer.text
    return answer.json


def dense(runs: Sequence[int], size: Sequence[int]) -> np.ndarray:
    """Paint run lengths, column by column: bool, (H, W)."""
    assert sum(runs) == size[0] * size[1]
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(size[1], size[0]).T
