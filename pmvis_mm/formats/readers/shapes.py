"""Shapes that annotation tools draw."""

import base64
import binascii
import io
import math
import zlib
from dataclasses import dataclass
from typing import Any, Optional, Sequence, Tuple

import numpy as np
from PIL import Image

from ...structures.rle import (
    RLE,
    encode,
    from_any,
    subtract,
    tight_boxes,
    union,
)
from ...structures.video_annotations import Box

_CIRCLE_CORNERS = 72
# What a PNG or base64 adds to the pixels at the very most.
_OVERHEAD = 1 << 16

Size = Optional[Tuple[int, int]]


@dataclass(frozen=True)
class Shape:
    """What was drawn for one object in one frame.

    Attributes:
        box (tuple[float]): Half-open xyxy, pixels, not clipped.
        mask (RLE, optional): At the size of the frame; None for a rectangle
            and for what has no pixel in the frame.
        is_rectangle (bool): Whether it was drawn as a box.
    """

    box: Box
    mask: Optional[RLE] = None
    is_rectangle: bool = False


def read_points(raw: Any) -> np.ndarray:
    """Check the points of a shape.

    Args:
        raw (Any): List of [x, y].

    Returns:
        np.ndarray: float64, (N, 2), pixels.

    Raises:
        ValueError: If it is anything else, or a number is not finite.
    """
    if not isinstance(raw, list) or not all(_is_pair(point) for point in raw):
        raise ValueError(f'points {str(raw)[:80]} are no list of [x, y]')
    points = np.array(raw, np.float64).reshape(-1, 2)
    if not np.isfinite(points).all():
        raise ValueError('a coordinate is no finite number')
    return points


def _is_pair(point: Any) -> bool:
    return (
        isinstance(point, (list, tuple))
        and len(point) == 2
        and all(type(value) in (int, float) for value in point)
    )


def rectangle(points: np.ndarray) -> Shape:
    """Make the box around corners.

    Args:
        points (np.ndarray): float64, (N, 2), at least two opposite corners
            in any order, pixels, continuous.

    Returns:
        Shape: Without mask.

    Raises:
        ValueError: If it has no positive width and height.
    """
    if len(points) < 2:
        raise ValueError(f'a rectangle needs 2 corners, got {len(points)}')
    box = _extent(points)
    if box[2] <= box[0] or box[3] <= box[1]:
        raise ValueError(
            f'box {list(box)} (x0, y0, x1, y1) has no positive width and '
            'height'
        )
    return Shape(box, is_rectangle=True)


def rotated_rectangle(
    x: float, y: float, width: float, height: float, degrees: float
) -> Shape:
    """Make the upright box around a turned one.

    Args:
        x (float): Left edge before it is turned, pixels.
        y (float): Upper edge, pixels.
        width (float): Pixels.
        height (float): Pixels.
        degrees (float): Clockwise, around (x, y).

    Returns:
        Shape: Without mask.

    Raises:
        ValueError: If the width or height is not positive.
    """
    values = (x, y, width, height, degrees)
    if not all(map(math.isfinite, values)):
        raise ValueError('a coordinate is no finite number')
    if width <= 0 or height <= 0:
        raise ValueError(
            f'box of {width:g} x {height:g} has no positive width and height'
        )
    if degrees % 360 == 0:  # exactly, without sines
        corners = np.array([[x, y], [x + width, y + height]])
        return rectangle(corners)
    sine, cosine = (f(math.radians(degrees)) for f in (math.sin, math.cos))
    sides = np.array([[0, 0], [width, 0], [width, height], [0, height]])
    turn = np.array([[cosine, sine], [-sine, cosine]])
    return rectangle(sides @ turn + [x, y])


def polygon(
    points: np.ndarray, size: Size, holes: Sequence[np.ndarray] = ()
) -> Shape:
    """Fill a polygon.

    Args:
        points (np.ndarray): float64, (N, 2), pixels, continuous.
        size (tuple[int], optional): Height and width of the frame; None
            where unknown: then there is no mask.
        holes (Sequence[np.ndarray]): Polygons that are cut out.

    Returns:
        Shape: Mask rasterized as COCO does; box of the points.

    Raises:
        ValueError: If it has fewer than three points, or lies far outside.
    """
    if len(points) < 3:
        raise ValueError(f'a polygon needs 3 points, got {len(points)}')
    if size is None:
        return Shape(_extent(points))
    for ring in (points, *holes):
        check_near(ring, size)
    mask = from_any([points.ravel().tolist()], *size)
    for hole in holes:
        cut = from_any([hole.ravel().tolist()], *size)
        if mask is not None and cut is not None:
            # Brings a mask without a pixel back to None.
            mask = from_any(subtract(mask, cut), *size)
    return Shape(_extent(points), mask)


def check_near(points: np.ndarray, size: Tuple[int, int]) -> None:
    """Refuse points more than a frame away: filling takes memory for them.

    Args:
        points (np.ndarray): float64, (N, 2), pixels.
        size (tuple[int]): Height and width of the frame.

    Raises:
        ValueError: If there is such a point.
    """
    limit = np.array(size[::-1], np.float64)
    if ((points < -limit) | (points > 2 * limit)).any():
        raise ValueError(
            f'a point lies far outside the {size[1]}x{size[0]} frame'
        )


def circle(points: np.ndarray, size: Size) -> Shape:
    """Fill a circle.

    Args:
        points (np.ndarray): float64, (2, 2), the centre and a point on the
            circle, pixels.
        size (tuple[int], optional): As for :func:`polygon`.

    Returns:
        Shape: Mask of a polygon with 72 corners.

    Raises:
        ValueError: If there are not two different points.
    """
    if len(points) != 2 or (points[0] == points[1]).all():
        raise ValueError('a circle needs its centre and a point on it')
    radius = math.dist(points[0], points[1])
    turns = np.arange(_CIRCLE_CORNERS) * (2 * math.pi / _CIRCLE_CORNERS)
    ring = np.stack([np.cos(turns), np.sin(turns)], 1) * radius + points[0]
    return polygon(ring, size)


def bitmap(
    text: Any,
    origin: Tuple[int, int],
    size: Tuple[int, int],
    compressed: bool = False,
) -> Shape:
    """Place a mask that is written as PNG in base64.

    Args:
        text (Any): The encoded PNG.
        origin (tuple[int]): x and y of its upper left pixel in the frame.
        size (tuple[int]): Height and width of the frame.
        compressed (bool): Whether the PNG may be compressed by zlib too.
            Defaults to False.

    Returns:
        Shape: Mask where the PNG is opaque, or not zero if it has no alpha
        channel; its tight box.

    Raises:
        ValueError: If it is no such text, holds no PNG of a mask, sticks
            out of the frame or has no pixel. What it unpacks to is bounded
            by the size of the frame.
    """
    part = _decode_png(_unpack(text, size, compressed), size)
    height, width = part.shape
    x, y = origin
    if not (0 <= x <= size[1] - width and 0 <= y <= size[0] - height):
        raise ValueError(
            f'mask of {width}x{height} pixels at {[x, y]} sticks out of the '
            f'{size[1]}x{size[0]} frame'
        )
    if not part.any():
        raise ValueError('the mask has no pixel')
    canvas = np.zeros(size, bool)
    canvas[y : y + height, x : x + width] = part
    return mask_shape(encode(canvas))


def mask_shape(mask: RLE) -> Shape:
    """Make a shape of a mask that has at least a pixel."""
    x0, y0, x1, y1 = tight_boxes([mask])[0].tolist()
    return Shape((x0, y0, x1, y1), mask)


def merge_shapes(shapes: Sequence[Shape]) -> Shape:
    """Unite shapes of one object.

    Args:
        shapes (Sequence[Shape]): At least one.

    Returns:
        Shape: Its mask is the union; its box that of a rectangle among
        them, or else the one around all of them.
    """
    masks = [shape.mask for shape in shapes if shape.mask is not None]
    mask = union(masks) if masks else None
    for shape in shapes:
        if shape.is_rectangle:
            return Shape(shape.box, mask, True)
    x0, y0, x1, y1 = zip(*(shape.box for shape in shapes))
    return Shape((min(x0), min(y0), max(x1), max(y1)), mask)


def _unpack(text: Any, size: Tuple[int, int], compressed: bool) -> bytes:
    limit = 4 * size[0] * size[1] + 4 * size[0] + _OVERHEAD  # RGBA, rows
    if not isinstance(text, str):
        raise ValueError('the mask is no text in base64')
    if len(text) > limit * 4 // 3 + _OVERHEAD:
        raise ValueError('the mask is longer than any of this frame')
    try:
        content = base64.b64decode(text, validate=True)
    except (binascii.Error, ValueError):
        raise ValueError('the mask is no text in base64') from None
    if not compressed or content.startswith(b'\x89PNG'):
        return content
    inflate = zlib.decompressobj()
    try:
        content = inflate.decompress(content, limit)
    except zlib.error as reason:
        raise ValueError(f'the mask does not unpack ({reason})') from None
    if inflate.unconsumed_tail:
        raise ValueError('the mask unpacks to more than any of this frame')
    if not inflate.eof:
        raise ValueError('the mask is cut off')
    return content


def _decode_png(content: bytes, size: Tuple[int, int]) -> np.ndarray:
    try:
        with Image.open(io.BytesIO(content), formats=['PNG']) as image:
            # Before a pixel is decoded.
            if image.width > size[1] or image.height > size[0]:
                raise ValueError(
                    f'mask of {image.width}x{image.height} pixels is larger '
                    f'than the {size[1]}x{size[0]} frame'
                )
            image.load()
    except (OSError, SyntaxError, EOFError, Image.DecompressionBombError):
        raise ValueError('the mask is cut off or no PNG') from None
    if image.mode in ('RGBA', 'LA'):
        return np.asarray(image.getchannel('A')) > 0
    if image.mode == 'RGB':
        raise ValueError('the PNG is a colour image, no mask')
    return np.asarray(image) != 0


def _extent(points: np.ndarray) -> Box:
    x0, y0 = points.min(axis=0).tolist()
    x1, y1 = points.max(axis=0).tolist()
    return x0, y0, x1, y1
