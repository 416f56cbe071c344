"""Opening files of other tools, with errors that say what they are."""

import json
import os
import stat
from pathlib import Path
from typing import Any, Union

from ...utils.errors import AnnotationError
from .sniffing import looks_like


def check_source(path: Union[str, Path]) -> None:
    """Refuse paths that are no files or folders before any is opened.

    Args:
        path (str | Path): What is to be read. That something is there is
            left to the reader.

    Raises:
        AnnotationError: If it is a pipe or a device, which would never end,
            no path at all, or must not be read.
    """
    try:
        mode = Path(path).stat().st_mode
    except (FileNotFoundError, NotADirectoryError):
        return
    except (OSError, ValueError) as reason:
        raise AnnotationError(
            f'cannot be read ({getattr(reason, "strerror", None) or reason})',
            file=str(path)[:200],
            fix='check the path',
        ) from None
    if not (stat.S_ISREG(mode) or stat.S_ISDIR(mode)):
        raise AnnotationError(
            'neither a file nor a folder, but a pipe or device',
            file=path,
            fix='name a file; copy what comes out of a pipe into one',
        )
    if not os.access(path, os.R_OK):
        raise AnnotationError(
            'cannot be read (Permission denied)',
            file=path,
            fix='check its permissions',
        )


def read_text(path: Union[str, Path], title: str) -> str:
    """Read a text file in UTF-8, with or without byte order mark.

    Args:
        path (str | Path): The file.
        title (str): Name of the format that is expected, for messages.

    Returns:
        str: The content.

    Raises:
        AnnotationError: If it is missing, empty or no such text; names the
            format that it looks like.
    """
    check_source(path)
    try:
        text = Path(path).read_text(encoding='utf-8-sig')
    except UnicodeDecodeError:
        raise wrong_format(path, title, 'not text in UTF-8') from None
    except OSError as reason:
        raise AnnotationError(
            f'cannot be read ({reason.strerror or reason})',
            file=path,
            fix=f'check the path; expected {title}',
        ) from None
    if not text.strip():
        raise AnnotationError(
            'the file is empty', file=path, fix='export it again'
        )
    return text


def read_json(path: Union[str, Path], title: str) -> Any:
    """Read a json file in UTF-8, with or without byte order mark.

    Args:
        path (str | Path): The file.
        title (str): Name of the format that is expected, for messages.

    Returns:
        Any: The content; may hold NaN and infinity.

    Raises:
        AnnotationError: If it is missing, empty, cut off or no json; names
            the format that it looks like.
    """
    text = read_text(path, title)
    try:
        return json.loads(text)
    except (ValueError, RecursionError) as reason:
        raise wrong_format(
            path, title, f'no json, or cut off ({reason})'
        ) from None


def wrong_format(
    path: Union[str, Path], title: str, reason: str
) -> AnnotationError:
    """Make the error about a file of another format, or a cut-off one.

    Args:
        path (str | Path): The file.
        title (str): Name of the format that is expected.
        reason (str): What does not fit.

    Returns:
        AnnotationError: To be raised; names the format that the file looks
        like, if that is another one.
    """
    found = looks_like(path)
    hint = 'check that the export is complete'
    if found is not None and found != title:
        hint = f'it looks like {found}: choose that format'
    return AnnotationError(f'not {title}: {reason}', file=path, fix=hint)
