"""Writing what a converter has made of a checkpoint."""

from pathlib import Path
from typing import Any, Dict, Optional, Union

import torch

from .errors import ConfigError
from .fileio import atomic_write

PathLike = Union[str, Path]


def refuse_same_file(src: PathLike, dst: Optional[PathLike]) -> None:
    """Keep a converter from writing over its source.

    Args:
        src (str | Path): File to read.
        dst (str | Path, optional): File to write, if any.

    Raises:
        ConfigError: If both are the same file.
    """
    if dst is not None and Path(dst).resolve() == Path(src).resolve():
        raise ConfigError(
            'source and target are the same file',
            file=dst,
            fix='name another file to write',
        )


def write_checkpoint(data: Dict[str, Any], dst: Optional[PathLike]) -> None:
    """Write a checkpoint whole or not at all.

    Args:
        data (dict): What ``torch.save`` takes.
        dst (str | Path, optional): File to write; None writes nothing.

    Raises:
        OutputError: If it cannot be written.
    """
    if dst is not None:
        with atomic_write(dst, binary=True) as file:
            torch.save(data, file)
