"""The SQLite file of a journal: its tables, its removal, its errors."""

import os
from pathlib import Path
from typing import Union

from ..utils.errors import OutputError

TABLES = """
CREATE TABLE IF NOT EXISTS facts (key TEXT PRIMARY KEY, value);
CREATE TABLE IF NOT EXISTS found (
    frame INTEGER NOT NULL, place INTEGER NOT NULL, track INTEGER NOT NULL,
    label INTEGER NOT NULL, score REAL NOT NULL,
    x0 REAL NOT NULL, y0 REAL NOT NULL, x1 REAL NOT NULL, y1 REAL NOT NULL,
    empty INTEGER NOT NULL, height INTEGER NOT NULL, width INTEGER NOT NULL,
    counts TEXT NOT NULL,
    PRIMARY KEY (frame, place)
) WITHOUT ROWID;
CREATE TABLE IF NOT EXISTS clock (
    frame INTEGER PRIMARY KEY, seconds REAL NOT NULL
);
CREATE TABLE IF NOT EXISTS verdicts (
    place INTEGER PRIMARY KEY, track INTEGER NOT NULL, label INTEGER NOT NULL,
    score REAL NOT NULL, start INTEGER NOT NULL
);
"""


def refusal(path: Union[str, Path], reason: Exception) -> OutputError:
    """Make the error about a journal that SQLite refuses.

    Args:
        path (str | Path): The journal.
        reason (Exception): What SQLite or the system says.

    Returns:
        OutputError: To be raised.
    """
    if 'malformed' in str(reason):
        return OutputError(
            'the journal is damaged',
            file=path,
            fix='remove it, or set resume=False to begin anew',
        )
    if 'not a database' in str(reason):
        return OutputError(
            'this file is no journal of tracks',
            file=path,
            fix='remove it, or choose another out_dir',
        )
    if 'locked' in str(reason):
        return OutputError(
            f'another run writes this journal: {reason}',
            file=path,
            fix='wait for it; or close() it, if it is one of this process',
        )
    return OutputError(
        f'the journal cannot be written: {reason}',
        file=path,
        fix='check free space and permissions of the folder',
    )


def remove_journal(path: Union[str, Path]) -> None:
    """Remove a journal and what SQLite keeps beside it.

    Args:
        path (str | Path): The journal, if there is one.

    Raises:
        OutputError: If it cannot be removed.
    """
    for suffix in ('', '-journal', '-wal', '-shm'):
        try:
            os.remove(f'{path}{suffix}')
        except FileNotFoundError:
            continue
        except OSError as reason:
            raise OutputError(
                f'an old journal cannot be removed: {reason.strerror}',
                file=path,
                fix='choose a folder as out_dir that can be written',
            ) from reason
