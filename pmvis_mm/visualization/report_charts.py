"""Bar charts of the labelling report, as inline SVG."""

from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple

from markupsafe import Markup, escape

# From bad to good; told apart with any kind of colour vision.
IOU_COLORS = (
    '#d55e00', '#f0a860', '#f6dcae', '#c5def0', '#5fa8d8', '#0a5a9c',
)  # fmt: skip
NO_MASK_COLOR = '#d1d5db'

_WIDTH = 1000
_ROW = 30
_BAR = 20
_LEGEND = 30
_LABEL = 190  # width of the names on the left
_NOTE = 190  # of the words on the right
_CHARACTER = 7.2  # width of one, about
_FEWEST = 0.045  # a narrower piece has no room for its percentage


class Piece(NamedTuple):
    """A part of a bar.

    Attributes:
        share (float): Of the whole width, in [0, 1].
        color (str): As '#rrggbb'.
        name (str): Shown when pointed at, and in the legend.
    """

    share: float
    color: str
    name: str


class Bar(NamedTuple):
    """A row of a chart.

    Attributes:
        name (str): On the left.
        pieces (Sequence[Piece]): From left to right.
        note (str): On the right.
    """

    name: str
    pieces: Sequence[Piece]
    note: str = ''


def bar_chart(
    bars: Sequence[Bar],
    label: str,
    legend: bool = True,
    percentages: bool = True,
) -> Optional[Markup]:
    """Draw horizontal bars made of pieces.

    Args:
        bars (Sequence[Bar]): From top to bottom.
        label (str): Says what it shows, for those who cannot see it.
        legend (bool): Whether to name the colours above. Defaults to True.
        percentages (bool): Whether to write them into the pieces. Defaults
            to True.

    Returns:
        Markup, optional: An ``<svg>`` without links; None without bars.
    """
    if not bars:
        return None
    parts: List[Markup] = []
    top = 0
    if legend:
        parts, lines = _legend(bars)
        top = lines * _LEGEND
    for number, bar in enumerate(bars):
        parts += _row(bar, top + number * _ROW, percentages)
    height = top + len(bars) * _ROW
    start = Markup(
        '<svg viewBox="0 0 {} {}" role="img" aria-label="{}" class="bars">'
    ).format(_WIDTH, height, label)
    return start + Markup('').join(parts) + Markup('</svg>')


def _row(bar: Bar, top: float, percentages: bool) -> List[Markup]:
    middle = top + _ROW / 2
    parts = [
        _text(bar.name, _LABEL - 10, middle, 'end', limit=_LABEL - 10),
        _text(bar.note, _WIDTH - _NOTE + 10, middle, 'start'),
    ]
    scale = _WIDTH - _LABEL - _NOTE
    left = float(_LABEL)
    for piece in bar.pieces:
        width = piece.share * scale
        if width <= 0:
            continue
        percent = f'{100 * piece.share:.1f} %'
        parts.append(
            Markup(
                '<rect x="{:.2f}" y="{:.2f}" width="{:.2f}" height="{}" '
                'fill="{}"><title>{}: {}</title></rect>'
            ).format(
                left,
                middle - _BAR / 2,
                width,
                _BAR,
                piece.color,
                piece.name,
                percent,
            )
        )
        if percentages and piece.share >= _FEWEST:
            parts.append(
                _text(
                    f'{100 * piece.share:.0f}',
                    left + width / 2,
                    middle,
                    'middle',
                    _readable_on(piece.color),
                )
            )
        left += width
    return parts


def _legend(bars: Sequence[Bar]) -> Tuple[List[Markup], int]:
    """Name every colour once; returns the parts and the number of lines."""
    parts: List[Markup] = []
    left, line = float(_LABEL), 0
    seen: Dict[str, str] = {}
    for bar in bars:
        for piece in bar.pieces:
            seen.setdefault(piece.name, piece.color)
    for name, color in seen.items():
        width = 36 + _CHARACTER * len(name)
        if left + width > _WIDTH and left > _LABEL:
            left, line = float(_LABEL), line + 1
        middle = line * _LEGEND + _LEGEND / 2
        parts.append(
            Markup(
                '<rect x="{:.2f}" y="{:.2f}" width="14" height="14" '
                'fill="{}"/>'
            ).format(left, middle - 7, color)
        )
        parts.append(_text(name, left + 20, middle, 'start'))
        left += width
    return parts, line + 1


def _text(
    text: str,
    x: float,
    y: float,
    anchor: str,
    color: str = '#1f2937',
    limit: Optional[float] = None,
) -> Markup:
    if not text:
        return Markup('')
    shown = text
    most = None if limit is None else int(limit / _CHARACTER)
    if most is not None and len(text) > most:
        shown = f'{text[: most - 1]}…'
    full = Markup('<title>{}</title>').format(text) if shown != text else ''
    return Markup(
        '<text x="{:.2f}" y="{:.2f}" dy="0.35em" text-anchor="{}" '
        'fill="{}">{}{}</text>'
    ).format(x, y, anchor, color, full, escape(shown))


def _readable_on(color: str) -> str:
    """Choose dark or white letters by the brightness of a colour."""
    red, green, blue = (int(color[i : i + 2], 16) for i in (1, 3, 5))
    brightness = 0.299 * red + 0.587 * green + 0.114 * blue
    return '#1f2937' if brightness > 140 else '#ffffff'
