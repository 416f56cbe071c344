"""Command line words of the form NAME=PATH."""

import argparse
from typing import Tuple


def named_path(text: str) -> Tuple[str, str]:
    """Split a word; a ``type`` for argparse.

    Args:
        text (str): 'NAME=PATH'; the path may have more equal signs.

    Returns:
        tuple[str]: Name and path.

    Raises:
        argparse.ArgumentTypeError: If either is missing.
    """
    name, equals, path = text.partition('=')
    if not (name and equals and path):
        raise argparse.ArgumentTypeError(f'{text!r} is not NAME=PATH')
    return name, path
