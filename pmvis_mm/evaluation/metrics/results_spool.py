"""Results files that need not fit into memory."""

import json
import tempfile
import zipfile
from contextlib import ExitStack
from pathlib import Path
from typing import IO, Any, Dict, Iterable, Mapping, NamedTuple, Optional

from ...utils.fileio import atomic_write, disk_errors, ensure_writable


class Piece(NamedTuple):
    """What a results file says of one video.

    Attributes:
        number (int): Of tracks.
        text (bytes): Their json objects, with commas between them.
    """

    number: int
    text: bytes


class ResultSpool:
    """Keeps the entries of judged videos on the disk.

    They wait in an anonymous file beside the target, which vanishes with
    the process.

    Args:
        prefix (str): Of the files to write.

    Raises:
        OutputError: If the folder cannot be written.
    """

    def __init__(self, prefix: str) -> None:
        self.prefix = prefix
        self._file: Optional[IO[bytes]] = None
        self._pieces: Dict[int, tuple] = {}

    def add(self, video_id: int, entries: Iterable[Mapping[str, Any]]) -> None:
        """Take the entries of a video.

        Raises:
            OutputError: If the disk refuses them.
        """
        texts = [json.dumps(e, separators=(',', ':')) for e in entries]
        text = ','.join(texts).encode('ascii')
        with disk_errors(self.prefix):
            file = self._open()
            start = file.seek(0, 2)
            file.write(text)
        self._pieces[video_id] = (len(texts), start, len(text))

    def _open(self) -> IO[bytes]:
        if self._file is None:
            folder = Path(self.prefix).parent
            ensure_writable(folder)
            self._file = tempfile.TemporaryFile(dir=folder)
        return self._file

    def read(self, video_id: int) -> Piece:
        """Return what :meth:`add` took."""
        number, start, length = self._pieces[video_id]
        with disk_errors(self.prefix):
            file = self._open()
            file.seek(start)
            return Piece(number, file.read(length))

    def close(self) -> None:
        """Forget everything."""
        self._pieces.clear()
        if self._file is not None:
            self._file.close()
            self._file = None


def write_results(prefix: str, pieces: Iterable[Piece], as_zip: bool) -> int:
    """Write ``<prefix>.results.json`` and ``<prefix>.results.zip``.

    Both appear only when complete; the zip holds ``results.json``, as
    evaluation servers take it. Same pieces, same bytes.

    Args:
        prefix (str): Of the files.
        pieces (Iterable[Piece]): Of the videos, in the order to write.
        as_zip (bool): Whether to write the zip too.

    Returns:
        int: Number of tracks.

    Raises:
        OutputError: If they cannot be written.
    """
    number = 0
    with ExitStack() as stack:
        stack.enter_context(disk_errors(prefix))
        files = [
            stack.enter_context(atomic_write(f'{prefix}.results.json', True))
        ]
        if as_zip:
            target = stack.enter_context(
                atomic_write(f'{prefix}.results.zip', True)
            )
            archive = stack.enter_context(
                zipfile.ZipFile(
                    target, 'w', zipfile.ZIP_DEFLATED, compresslevel=1
                )
            )
            # Its date is fixed; its size is not known yet.
            member = archive.open('results.json', 'w', force_zip64=True)
            files.append(stack.enter_context(member))
        before = b'['
        for piece in pieces:
            if not piece.number:
                continue
            for file in files:
                file.write(before)
                file.write(piece.text)
            number += piece.number
            before = b','
        for file in files:
            file.write(b'[]' if before == b'[' else b']')
    return number
