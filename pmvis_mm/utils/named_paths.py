"""Command line words of the form NAME=PATH."""

import argparse
from typing import Any, Dict, Tuple

from .option_words import key_value


def named_path(text: str) -> Tuple[str, str]:
    """Split a word; a ``type`` for argparse.

    Args:
        text (str): 'NAME=PATH'; the path may have more equal signs.

    Returns:
        tuple[str]: Name and path.

    Raises:
        argparse.ArgumentTypeError: If either is missing.
    """
    return key_value(text, 'NAME=PATH')


def add_sources(parser: argparse.ArgumentParser, help: str) -> None:
    """Add ``--sources NAME=PATH ...``, candidate masks by name.

    ``args.sources`` is a dict, empty by default. A name that is given twice
    ends the program with a message.

    Args:
        parser (argparse.ArgumentParser): Of a tool.
        help (str): What the candidates are for.
    """
    parser.add_argument(
        '--sources',
        nargs='+',
        type=named_path,
        action=_NamedPaths,
        default={},
        metavar='NAME=PATH',
        help=help,
    )


class _NamedPaths(argparse.Action):
    def __call__(
        self,
        parser: argparse.ArgumentParser,
        namespace: argparse.Namespace,
        values: Any,
        option_string: Any = None,
    ) -> None:
        paths: Dict[str, str] = {}
        for name, path in values:
            if name in paths:
                raise argparse.ArgumentError(
                    self, f'{name!r} is {paths[name]!r} and {path!r}'
                )
            paths[name] = path
        setattr(namespace, self.dest, paths)
