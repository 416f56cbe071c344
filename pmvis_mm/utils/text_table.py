"""Tables of plain text for the terminal."""

import math
from typing import Any, List, Sequence


def format_table(
    header: Sequence[str], rows: Sequence[Sequence[Any]], digits: int = 4
) -> str:
    """Align a table.

    Args:
        header (Sequence[str]): Names of the columns.
        rows (Sequence[Sequence]): Cells: str, int, float or None.
        digits (int): Of floats, after the point. Defaults to 4.

    Returns:
        str: Lines without a trailing newline; the first column is aligned
        to the left, all others to the right; None and NaN are '-'.
    """
    lines = [[str(name) for name in header]]
    lines += [[_cell(value, digits) for value in row] for row in rows]
    widths = [max(map(len, column)) for column in zip(*lines)]
    texts: List[str] = []
    for line in lines:
        cells = [line[0].ljust(widths[0])]
        cells += [c.rjust(w) for c, w in zip(line[1:], widths[1:])]
        texts.append('  '.join(cells).rstrip())
    return '\n'.join(texts)


def _cell(value: Any, digits: int) -> str:
    if value is None:
        return '-'
    if isinstance(value, float):
        return '-' if math.isnan(value) else f'{value:.{digits}f}'
    return str(value)
