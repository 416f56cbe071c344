"""The list of files that tells an export from a folder of somebody's own."""

import json
import os
from pathlib import Path
from typing import Iterator, Optional

from ..utils.fileio import dump_json

# Hidden, so that no tool takes it for a sequence or a label.
MARKER = '.pmvis_export.json'


def write_marker(folder: Path) -> None:
    """List in a folder what it holds.

    Args:
        folder (Path): Everything in it was written by an export.

    Raises:
        OutputError: If it cannot be written.
    """
    dump_json(dict(files=sorted(_files(folder))), folder / MARKER)


def foreign_file(folder: Path) -> Optional[str]:
    """Find something that the export which made a folder did not write.

    Args:
        folder (Path): Folder to look at.

    Returns:
        str, optional: Its path relative to the folder; the name of the
        marker where there is none that can be read; None if the export
        wrote all.
    """
    try:
        content = json.loads((folder / MARKER).read_text(encoding='utf-8'))
        known = {*content['files']}
    except (OSError, ValueError, KeyError, TypeError, RecursionError):
        return MARKER
    known.add(MARKER)
    return min((f for f in _files(folder) if f not in known), default=None)


def _files(folder: Path) -> Iterator[str]:
    """Files and links below a folder, relative to it, with slashes."""
    for place, folders, names in os.walk(folder):
        links = [n for n in folders if os.path.islink(os.path.join(place, n))]
        for name in (*names, *links):
            yield Path(place, name).relative_to(folder).as_posix()
