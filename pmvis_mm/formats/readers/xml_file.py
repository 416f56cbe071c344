"""Reading XML of other tools, piece by piece and without surprises."""

from pathlib import Path
from typing import Any, Dict, Iterator, List, Union
from xml.etree.ElementTree import Element
from xml.parsers import expat

from ...utils.errors import AnnotationError
from .files import wrong_format

_BLOCK = 1 << 18


def read_children(
    path: Union[str, Path], title: str, root: str
) -> Iterator[Element]:
    """Read the elements right below the root, one at a time.

    Only the element that is given is in memory. Declarations of types and
    entities are refused before any is expanded: no format of annotations
    needs them, and a file of a kilobyte could otherwise fill the memory.

    Args:
        path (str | Path): The file; in any encoding that it declares.
        title (str): Name of the format that is expected, for messages.
        root (str): Tag that the outermost element must have.

    Yields:
        Element: Complete, in the order of the file.

    Raises:
        AnnotationError: If it is missing, empty, cut off, no XML, has
            another root or declares types.
    """
    reader = _Reader(path, title, root)
    try:
        with open(path, 'rb') as file:
            for block in iter(lambda: file.read(_BLOCK), b''):
                yield from reader.feed(block)
        yield from reader.feed(b'', last=True)
    except OSError as reason:
        raise AnnotationError(
            f'cannot be read ({reason.strerror or reason})',
            file=path,
            fix=f'check the path; expected {title}',
        ) from None


class _Reader:
    def __init__(self, path: Union[str, Path], title: str, root: str) -> None:
        self.path, self.title, self.root = path, title, root
        self._open: List[Element] = []  # from the child of the root inwards
        self._depth = 0
        self._done: List[Element] = []
        # Expat itself: ElementTree's parser cannot tell of declarations.
        self._parser = expat.ParserCreate()
        self._parser.buffer_text = True
        self._parser.StartElementHandler = self._start
        self._parser.EndElementHandler = self._end
        self._parser.CharacterDataHandler = self._text
        self._parser.StartDoctypeDeclHandler = self._refuse
        self._parser.EntityDeclHandler = self._refuse

    def feed(self, block: bytes, last: bool = False) -> Iterator[Element]:
        try:
            self._parser.Parse(block, last)
        # The latter two are about encodings that Python does not know.
        except (expat.ExpatError, LookupError, ValueError) as reason:
            raise wrong_format(
                self.path, self.title, f'no XML, or cut off ({reason})'
            ) from None
        found, self._done = self._done, []
        yield from found

    def _start(self, tag: str, attributes: Dict[str, str]) -> None:
        self._depth += 1
        if self._depth == 1:
            if tag != self.root:
                raise wrong_format(
                    self.path,
                    self.title,
                    f'its root is <{tag[:40]}>, not <{self.root}>',
                )
            return
        element = Element(tag, attributes)
        if self._open:
            self._open[-1].append(element)
        self._open.append(element)

    def _end(self, tag: str) -> None:
        self._depth -= 1
        if self._open:
            element = self._open.pop()
            if not self._open:
                self._done.append(element)

    def _text(self, text: str) -> None:
        # Text between elements is of no use to anybody here.
        if self._open and not len(self._open[-1]):
            self._open[-1].text = (self._open[-1].text or '') + text

    def _refuse(self, *_: Any) -> None:
        raise AnnotationError(
            'the XML declares a document type or entities',
            file=self.path,
            fix='export it again; no annotation tool writes them, and they '
            'can be used to attack',
        )
