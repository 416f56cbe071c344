"""Command line words of the form KEY=VALUE."""

import argparse
import json
from typing import Any, Dict, Tuple


def key_value(text: str, form: str = 'KEY=VALUE') -> Tuple[str, str]:
    """Split a word; a ``type`` for argparse.

    Args:
        text (str): 'KEY=VALUE'; the value may have more equal signs.
        form (str): What it should look like, for the message. Defaults to
            'KEY=VALUE'.

    Returns:
        tuple[str]: Key and value.

    Raises:
        argparse.ArgumentTypeError: If either is missing.
    """
    key, equals, value = text.partition('=')
    if not (key and equals and value):
        raise argparse.ArgumentTypeError(f'{text!r} is not {form}')
    return key, value


def add_options(parser: argparse.ArgumentParser, help: str) -> None:
    """Add ``--option KEY=VALUE ...``; :func:`read_options` reads them.

    Args:
        parser (argparse.ArgumentParser): Of a tool.
        help (str): What the options are for.
    """
    parser.add_argument(
        '--option',
        nargs='+',
        action='extend',
        default=[],
        type=key_value,
        metavar='KEY=VALUE',
        help=help,
    )


def read_options(args: argparse.Namespace) -> Dict[str, Any]:
    """Read values: numbers, lists, true, false, null; the rest is text.

    Args:
        args (argparse.Namespace): Of a parser with ``--option``.

    Returns:
        dict[str, Any]: Value by key; the last one counts.
    """
    return {key: _value(value) for key, value in args.option}


def _value(text: str) -> Any:
    try:
        return json.loads(text)
    except ValueError:
        return text
