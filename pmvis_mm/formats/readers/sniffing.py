"""Recognising the formats of annotations."""

from pathlib import Path
from typing import Optional, Union


def looks_like(path: Union[str, Path]) -> Optional[str]:
    """Tell which format a file or folder seems to have.

    Args:
        path (str | Path): File or folder; may not exist.

    Returns:
        str, optional: Title of the format, as its reader has it; None if
        it looks like nothing known.
    """
    return None
