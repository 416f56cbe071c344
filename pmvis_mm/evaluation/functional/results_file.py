"""Reading results files, as evaluation servers take them."""

import io
import json
import zipfile
import zlib
from contextlib import contextmanager
from pathlib import Path
from typing import IO, Any, Dict, Iterator, Union

from ...utils.errors import ResultsError

_CHUNK = 1 << 20
_AGAIN = 'it may be cut off: write it again'


def iter_results(path: Union[str, Path]) -> Iterator[Dict[str, Any]]:
    """Read a results file, one entry at a time.

    Args:
        path (str | Path): A json list of objects, or a zip with such a list
            as ``results.json`` or as its only json file.

    Yields:
        dict: The entries, unchecked.

    Raises:
        ResultsError: If the file is missing, cut off or no such list.
    """
    with _open_text(Path(path)) as file:
        yield from _Entries(file, path)


@contextmanager
def _open_text(path: Path) -> Iterator[IO[str]]:
    try:
        if not zipfile.is_zipfile(path):
            if path.suffix == '.zip' and path.exists():
                raise ResultsError('not a zip file', file=path, fix=_AGAIN)
            with open(path, encoding='utf-8') as file:
                yield file
            return
        with zipfile.ZipFile(path) as archive:
            with archive.open(_member(archive, path)) as raw:
                yield io.TextIOWrapper(raw, 'utf-8')
    except FileNotFoundError:
        raise ResultsError(
            'file does not exist', file=path, fix='check the path'
        ) from None
    except (
        zipfile.BadZipFile,
        zlib.error,
        EOFError,
        UnicodeDecodeError,
    ) as reason:
        raise ResultsError(
            f'cannot be read: {reason}', file=path, fix=_AGAIN
        ) from None
    except OSError as reason:
        raise ResultsError(
            f'cannot be read: {reason.strerror or reason}',
            file=path,
            fix='name a file, and check its permissions',
        ) from None


def _member(archive: zipfile.ZipFile, path: Path) -> str:
    names = [name for name in archive.namelist() if name.endswith('.json')]
    if 'results.json' in names:
        return 'results.json'
    if len(names) != 1:
        raise ResultsError(
            f'the zip holds {len(names)} json files, none of them '
            '"results.json"',
            file=path,
            fix='put the results into it as "results.json", in no folder',
        )
    return names[0]


class _Entries:
    """The objects of a json list, with no more than needed in memory."""

    def __init__(self, file: IO[str], path: Union[str, Path]) -> None:
        self.file, self.path = file, path
        self.text, self.pos, self.number = '', 0, 0
        self.decode = json.JSONDecoder().raw_decode

    def __iter__(self) -> Iterator[Dict[str, Any]]:
        self._expect('[')
        if self._next() == ']':
            self.pos += 1
        else:
            yield self._entry()
            while self._expect(',]') == ',':
                yield self._entry()
        if self._next():
            raise self._error(
                'something follows the list', 'write one json list'
            )

    def _more(self) -> bool:
        """Read on, twice as much each time that it did not suffice."""
        kept = self.text[self.pos :]
        new = self.file.read(max(_CHUNK, len(kept)))
        self.text, self.pos = kept + new, 0
        return bool(new)

    def _next(self) -> str:
        """Look at the next character that is no space; '' at the end."""
        while True:
            while self.pos < len(self.text):
                character = self.text[self.pos]
                if not character.isspace():
                    return character
                self.pos += 1
            if not self._more():
                return ''

    def _expect(self, allowed: str) -> str:
        character = self._next()
        if not character and self.number:
            raise self._error('the file ends early', _AGAIN)
        if not character or character not in allowed:
            raise self._error(
                f'not a list of results: found {character!r}',
                'write a json list of objects',
            )
        self.pos += 1
        return character

    def _entry(self) -> Dict[str, Any]:
        if self._next() != '{':
            raise self._error(
                'this entry is no object, or the file ends early', _AGAIN
            )
        while True:
            try:
                entry, self.pos = self.decode(self.text, self.pos)
                break
            except json.JSONDecodeError:
                if not self._more():
                    raise self._error(
                        'the file ends early or is no json', _AGAIN
                    ) from None
            except (RecursionError, ValueError) as reason:
                raise self._error(
                    f'json that no results file holds ({reason})',
                    'write a json list of objects',
                ) from None
        self.number += 1
        return entry

    def _error(self, problem: str, fix: str) -> ResultsError:
        return ResultsError(
            f'{problem}, after {self.number} whole entries',
            file=self.path,
            fix=fix,
        )
