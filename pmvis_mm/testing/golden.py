"""Where the golden numbers of the reference implementations lie."""

import os
from pathlib import Path
from typing import List

_REPO = Path(__file__).resolve().parents[2]


def golden_dir() -> Path:
    """Folder of the golden files.

    Returns:
        Path: The environment variable ``PMVIS_GOLDEN`` if it is set and
        not empty, else ``tests/data/golden`` of the repository.
    """
    chosen = os.environ.get('PMVIS_GOLDEN')
    return Path(chosen) if chosen else _REPO / 'tests' / 'data' / 'golden'


def golden_files(pattern: str) -> List[Path]:
    """List the golden files that a test must check.

    Args:
        pattern (str): Glob pattern of the file name, e.g.
            ``'idol_tracker_*.npz'``.

    Returns:
        list[Path]: Sorted; empty if the folder or a match is missing.
    """
    return sorted(golden_dir().glob(pattern))
