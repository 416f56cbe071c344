"""Keys of a json file, without reading all of it."""

import re
from typing import List, Set, Tuple

_TOKEN = re.compile(
    r'"(?P<text>(?:[^"\\]|\\.)*)"(?P<colon>\s*:)?|(?P<open>[{\[])'
    r'|(?P<close>[}\]])'
)
_DEPTH = 6


def json_keys(text: str) -> Set[str]:
    """Collect the keys of objects in the beginning of a json text.

    Args:
        text (str): Json, may be cut off anywhere.

    Returns:
        set[str]: Where each key stands, such as 'videos[].file_names' for
        that of objects in a list; begins with '[]' if the text is a list.
        Nothing from deeper than six levels; empty if the text is neither
        object nor list.
    """
    found: Set[str] = set()
    if not text.lstrip().startswith(('{', '[')):
        return found
    # One entry for every open bracket: path to it, and whether it is a list.
    stack: List[Tuple[str, bool]] = []
    key = ''
    for match in _TOKEN.finditer(text):
        if match['open']:
            path = stack[-1][0] if stack else ''
            if len(stack) >= _DEPTH:
                # Not needed; grown with the depth it would fill the memory.
                stack.append(('', True))
                continue
            if stack and not stack[-1][1]:
                path = f'{path}.{key}' if path else key
            is_list = match['open'] == '['
            stack.append((path + '[]' if is_list else path, is_list))
        elif match['close']:
            if not stack:
                break
            stack.pop()
        elif match['colon'] and 0 < len(stack) <= _DEPTH and not stack[-1][1]:
            key = match['text']
            path = stack[-1][0]
            found.add(f'{path}.{key}' if path else key)
    return found


def loose_keys(text: str) -> Set[str]:
    """Collect keys from anywhere in a json text, such as its end.

    Args:
        text (str): Part of a json text.

    Returns:
        set[str]: Keys without the way to them.
    """
    return set(re.findall(r'"(\w+)"\s*:', text))
