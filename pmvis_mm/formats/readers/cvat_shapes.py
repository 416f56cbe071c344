"""Shapes of CVAT files."""

import math
import re
from typing import Optional, Tuple
from xml.etree.ElementTree import Element

import numpy as np

from ...structures.rle import encode
from .shapes import Shape, Size, mask_shape, polygon

SHAPES = ('box', 'polygon', 'mask', 'ellipse')
OTHER_SHAPES = ('polyline', 'points', 'cuboid', 'skeleton')

_ELLIPSE_CORNERS = 72
# A mask of a frame of unknown size may have this many pixels at most.
_MOST_PIXELS = 2**26


def read_shape(element: Element, size: Size) -> Optional[Shape]:
    """Read a shape.

    Args:
        element (Element): <box>, <polygon>, <mask> or <ellipse>.
        size (tuple[int], optional): Height and width of the frame; None
            where unknown: then there are no masks.

    Returns:
        Shape, optional: Of a turned box, the upright box around it. None
        for a mask without a pixel.

    Raises:
        ValueError: If it is malformed.
    """
    if element.tag == 'box':
        return _box(element)
    if element.tag == 'polygon':
        return polygon(_points(element), size)
    if element.tag == 'ellipse':
        return _ellipse(element, size)
    return _mask(element, size)


def number(
    element: Element, key: str, default: Optional[float] = None
) -> float:
    """Read a finite number.

    Raises:
        ValueError: If it is missing or none.
    """
    text = element.get(key)
    if text is None:
        if default is None:
            raise ValueError(f'<{element.tag}> has no {key!r}')
        return default
    try:
        value = float(text)
    except ValueError:
        value = math.nan
    if not math.isfinite(value):
        raise ValueError(f'{key}={text[:40]!r} is no finite number')
    return value


def integer(element: Element, key: str) -> int:
    """Read an integer.

    Raises:
        ValueError: If it is missing or none.
    """
    text = element.get(key, '')
    if not re.fullmatch(r'\s*-?\d{1,9}\s*', text):
        raise ValueError(f'{key}={text[:40]!r} is no integer')
    return int(text)


def flag(element: Element, key: str, default: bool) -> bool:
    """Read '0' or '1'.

    Raises:
        ValueError: If it is anything else.
    """
    text = element.get(key, str(int(default))).strip()
    if text not in ('0', '1'):
        raise ValueError(f'{key}={text[:40]!r} is neither 0 nor 1')
    return text == '1'


def _box(element: Element) -> Shape:
    x0, y0, x1, y1 = (
        number(element, key) for key in ('xtl', 'ytl', 'xbr', 'ybr')
    )
    degrees = number(element, 'rotation', 0.0)
    if degrees % 180:
        sine, cosine = _turn(degrees)
        half_w = (abs((x1 - x0) * cosine) + abs((y1 - y0) * sine)) / 2
        half_h = (abs((x1 - x0) * sine) + abs((y1 - y0) * cosine)) / 2
        x, y = (x0 + x1) / 2, (y0 + y1) / 2
        if x1 > x0 and y1 > y0:  # else it is to be refused as it is
            x0, y0, x1, y1 = x - half_w, y - half_h, x + half_w, y + half_h
    return Shape((x0, y0, x1, y1), is_rectangle=True)


def _turn(degrees: float) -> Tuple[float, float]:
    radians = math.radians(degrees)
    return math.sin(radians), math.cos(radians)


def _points(element: Element) -> np.ndarray:
    text = element.get('points', '')
    try:
        pairs = [
            [float(value) for value in pair.split(',')]
            for pair in text.split(';')
        ]
        points = np.array(pairs, np.float64).reshape(len(pairs), 2)
    except ValueError:
        raise ValueError(
            f'points={text[:40]!r} is no list "x,y;x,y;..."'
        ) from None
    if not np.isfinite(points).all():
        raise ValueError('a coordinate is no finite number')
    return points


def _ellipse(element: Element, size: Size) -> Shape:
    x, y, rx, ry = (number(element, k) for k in ('cx', 'cy', 'rx', 'ry'))
    if rx <= 0 or ry <= 0:
        raise ValueError(f'an ellipse of radii {rx:g} and {ry:g} is none')
    sine, cosine = _turn(number(element, 'rotation', 0.0))
    turns = np.arange(_ELLIPSE_CORNERS) * (2 * math.pi / _ELLIPSE_CORNERS)
    along, across = rx * np.cos(turns), ry * np.sin(turns)
    ring = [
        x + along * cosine - across * sine,
        y + along * sine + across * cosine,
    ]
    half_w = math.hypot(rx * cosine, ry * sine)
    half_h = math.hypot(rx * sine, ry * cosine)
    box = (x - half_w, y - half_h, x + half_w, y + half_h)
    return Shape(box, polygon(np.stack(ring, 1), size).mask)


def _mask(element: Element, size: Size) -> Optional[Shape]:
    left, top, width, height = (
        integer(element, key) for key in ('left', 'top', 'width', 'height')
    )
    if width < 1 or height < 1 or width * height > _MOST_PIXELS:
        raise ValueError(f'a mask of {width}x{height} pixels')
    if size is not None and not (
        0 <= left <= size[1] - width and 0 <= top <= size[0] - height
    ):
        raise ValueError(
            f'mask of {width}x{height} pixels at {[left, top]} sticks out '
            f'of the {size[1]}x{size[0]} frame'
        )
    part = _decode(element.get('rle', ''), height, width)
    rows, columns = np.flatnonzero(part.any(1)), np.flatnonzero(part.any(0))
    if not len(rows):
        return None
    if size is None:
        x0, y0 = left + columns[0], top + rows[0]
        x1, y1 = left + columns[-1] + 1, top + rows[-1] + 1
        return Shape((float(x0), float(y0), float(x1), float(y1)))
    canvas = np.zeros(size, bool)
    canvas[top : top + height, left : left + width] = part
    return mask_shape(encode(canvas))


def _decode(text: str, height: int, width: int) -> np.ndarray:
    """Decode runs that go along the rows, background first."""
    try:
        runs = np.array([int(run) for run in text.split(',')], np.int64)
    except (ValueError, OverflowError):
        raise ValueError(f'rle={text[:40]!r} is no list of integers') from None
    if (runs < 0).any() or (runs > height * width).any():
        raise ValueError('rle has a run that is negative or too long')
    if runs.sum() != height * width:
        raise ValueError(
            f'the runs of rle add up to {runs.sum()}, not to the '
            f'{height * width} pixels of its box'
        )
    values = np.arange(len(runs)) % 2 == 1
    return np.repeat(values, runs).reshape(height, width)
