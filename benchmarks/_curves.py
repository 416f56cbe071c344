"""Loss curves of trainings, for the benchmarks that train."""

import json
from pathlib import Path
from typing import Dict, List

Rows = List[Dict[str, float]]


def read_losses(folder: Path) -> Rows:
    """Read the log of a training that may have been resumed.

    Args:
        folder (Path): Its work dir.

    Returns:
        list[dict[str, float]]: One per logged iteration, in order: ``step``,
        ``loss`` and the terms of the loss. What a resumed training repeated
        counts once.
    """
    rows: Dict[int, Dict[str, float]] = {}
    for path in sorted(folder.glob('*/vis_data/scalars.json')):
        for line in path.read_text().splitlines():
            row = json.loads(line)
            if 'loss' in row:
                rows[row['step']] = row
    return [rows[step] for step in sorted(rows)]


def last_layer_terms(rows: Rows) -> List[str]:
    """Name the terms of the last decoder layer and of the other heads.

    Args:
        rows (list[dict[str, float]]): From :func:`read_losses`.

    Returns:
        list[str]: Such as ``loss_cls``; ``loss`` itself and those of the
        layers before (``d0.loss_cls``) are not among them.
    """
    names = dict.fromkeys(name for row in rows for name in row)
    return [name for name in names if name.startswith('loss_')]
