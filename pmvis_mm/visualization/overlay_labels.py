"""Labels of instances: plates that stay clear of each other."""

import math
from functools import lru_cache
from pathlib import Path
from typing import List, NamedTuple, Sequence, Tuple

import cv2
import matplotlib
import numpy as np
from PIL import Image, ImageDraw, ImageFont

from ..structures.video_annotations import Box

Color = Tuple[int, int, int]

# Letters of 9 pixels are the smallest that read well.
_MIN_FONT = 12
# Of more instances the labels get smaller, where that leaves them legible.
_CROWD = 12
# A label takes at most this share of the width; the tail of a longer one,
# with id and score, stays.
_MAX_SHARE = 0.5
_TAIL = 8
# Of the frame: with more of it under labels, they are short ones.
_MAX_COVER = 0.25
# How far to look for room: rows of half a plate, columns of half a plate.
_STEPS = (16, 8)


class Label(NamedTuple):
    """What to write beside an instance.

    Attributes:
        text (str): One line.
        short (str): Instead, if the frame has too little room.
        color (tuple[int, int, int]): Of the plate, BGR.
        target (Box): What it is about, half-open xyxy, pixels of the
            canvas.
    """

    text: str
    short: str
    color: Color
    target: Box


def draw_labels(canvas: np.ndarray, labels: Sequence[Label]) -> None:
    """Write labels on plates, in place.

    A label stands at its instance: above, below or beside it, or where the
    next room is, joined to it by a line. It covers no other label and no
    small instance as long as there is room elsewhere. Where labels would
    hide a quarter of the frame, all of them are short.

    Args:
        canvas (np.ndarray): uint8, (H, W, 3), BGR.
        labels (Sequence[Label]): The first ones choose their places first.
    """
    height, width = canvas.shape[:2]
    size = font_size(height, width, len(labels))
    room = _MAX_SHARE * width
    plates = [render_text(_shorten(x.text, size, room), size) for x in labels]
    if sum(plate.size for plate in plates) > _MAX_COVER * height * width:
        plates = [
            render_text(_shorten(x.short, size, room), size) for x in labels
        ]
    places = place_plates(
        [plate.shape[::-1] for plate in plates],
        [label.target for label in labels],
        (width, height),
    )
    # All lines first: none may cross a text.
    for label, plate, place in zip(labels, plates, places):
        _draw_line(canvas, label, place, plate.shape)
    for label, plate, place in zip(labels, plates, places):
        _paste(canvas, plate, place, label.color)


def font_size(height: int, width: int, count: int = 1) -> int:
    """Choose a size that is legible: 12 pixels at 240p, 70 at 2160p.

    Args:
        height (int): Of the canvas, pixels.
        width (int): Of the canvas, pixels.
        count (int): Number of labels. Defaults to 1.

    Returns:
        int: Pixels; capital letters take about 3/4 of them. It grows slower
        than the frame: who looks at a large one sees more of it.
    """
    size = _MIN_FONT * (min(height, width) / 240) ** 0.8
    size *= min(1.0, max(0.6, math.sqrt(_CROWD / max(count, 1))))
    return max(_MIN_FONT, round(size))


def place_plates(
    sizes: Sequence[Tuple[int, int]],
    targets: Sequence[Box],
    frame: Tuple[int, int],
) -> List[Tuple[int, int]]:
    """Find places for plates, one after the other.

    Args:
        sizes (Sequence[tuple[int, int]]): Width and height of each, pixels.
        targets (Sequence[Box]): What each is about, half-open xyxy.
        frame (tuple[int, int]): Width and height.

    Returns:
        list[tuple[int, int]]: x and y of the upper left corner of each,
        inside the frame if it fits in. The same for the same input.
    """
    placed = np.zeros((0, 4))
    boxes = np.array(targets, np.float64).reshape(-1, 4)
    areas = np.prod(boxes[:, 2:] - boxes[:, :2], axis=1)
    places = []
    for (width, height), target in zip(sizes, targets):
        spots = _candidates(target, width, height, frame)
        plates = np.hstack([spots, spots + [width, height]])
        # Large instances may be written on: little of them is lost.
        small = boxes[areas < 2 * width * height]
        cost = _overlaps(plates, placed) + 0.01 * _overlaps(plates, small)
        best = int(np.argmin(cost))  # of equals the first: the nearest
        placed = np.vstack([placed, plates[best]])
        places.append((int(spots[best, 0]), int(spots[best, 1])))
    return places


def _candidates(
    target: Box, width: int, height: int, frame: Tuple[int, int]
) -> np.ndarray:
    """List upper left corners, (C, 2), the best ones first."""
    x0, y0, x1, y1 = target
    near = [
        (x0, y0 - height),
        (x1 - width, y0 - height),
        (x0, y1),
        (x1 - width, y1),
        (x0, y0),
        (x1, y0),
        (x0 - width, y0),
        (x1 - width, y1 - height),
    ]
    middle = ((x0 + x1 - width) / 2, (y0 + y1 - height) / 2)
    spots = np.vstack([near, np.array(middle) + _ring_steps(width, height)])
    last = np.maximum(np.array(frame) - [width, height], 0)
    return np.rint(np.clip(spots, 0, last))


@lru_cache(maxsize=256)
def _ring_steps(width: int, height: int) -> np.ndarray:
    """List steps of half plates, (R, 2), the shortest first."""
    rows, columns = (np.arange(-n, n + 1) for n in _STEPS)
    ys, xs = np.meshgrid(
        rows * (height / 2), columns * (width / 2), indexing='ij'
    )
    flat = np.stack([xs.ravel(), ys.ravel()], axis=1)
    return flat[np.argsort(np.hypot(*flat.T), kind='stable')]


def _overlaps(plates: np.ndarray, others: np.ndarray) -> np.ndarray:
    """Sum the areas, (C, ), that plates share with other boxes."""
    low = np.maximum(plates[:, None, :2], others[None, :, :2])
    high = np.minimum(plates[:, None, 2:], others[None, :, 2:])
    return np.prod(np.maximum(high - low, 0), axis=2).sum(axis=1)


# ------------------------------------------------------------------ text
@lru_cache(maxsize=32)
def _font(size: int) -> ImageFont.FreeTypeFont:
    # Comes with matplotlib; has Latin, Greek and Cyrillic letters.
    folder = Path(matplotlib.get_data_path()) / 'fonts' / 'ttf'
    return ImageFont.truetype(str(folder / 'DejaVuSans-Bold.ttf'), size)


def _shorten(text: str, size: int, room: float) -> str:
    """Take letters out of the middle of a text until it fits."""
    text = ' '.join(text.split())
    font = _font(size)
    if font.getlength(text) <= room:
        return text
    tail = text[-_TAIL:].lstrip()
    for end in range(len(text) - _TAIL - 1, 0, -1):
        short = f'{text[:end].rstrip()}…{tail}'
        if font.getlength(short) <= room:
            return short
    return tail


@lru_cache(maxsize=512)
def render_text(text: str, size: int) -> np.ndarray:
    """Render a line of text.

    Args:
        text (str): Latin, Greek or Cyrillic letters.
        size (int): Pixels.

    Returns:
        np.ndarray: uint8, (h, w), 255 where there is ink. Kept: not to be
        changed.
    """
    font = _font(size)
    ascent, descent = font.getmetrics()
    pad = max(2, size // 6)
    width = math.ceil(font.getlength(text)) + 2 * pad
    image = Image.new('L', (width, ascent + descent + 2))
    ImageDraw.Draw(image).text((pad, 1), text, fill=255, font=font)
    return np.asarray(image)


def _paste(
    canvas: np.ndarray, ink: np.ndarray, place: Tuple[int, int], color: Color
) -> None:
    x, y = place
    region = canvas[y : y + ink.shape[0], x : x + ink.shape[1]]
    # A plate may be larger than a tiny canvas.
    ink = ink[: region.shape[0], : region.shape[1]]
    share = np.arange(256)[:, None] / 255
    table = (1 - share) * np.array(color) + share * np.array(_ink_of(color))
    region[...] = np.rint(table).astype(np.uint8)[ink]


def _ink_of(color: Color) -> Color:
    """Choose black or white letters, whichever stands out."""
    blue, green, red = color
    luma = 0.114 * blue + 0.587 * green + 0.299 * red
    return (0, 0, 0) if luma > 120 else (255, 255, 255)


def _draw_line(
    canvas: np.ndarray,
    label: Label,
    place: Tuple[int, int],
    shape: Tuple[int, ...],
) -> None:
    """Join a plate to an instance that it does not touch."""
    x0, y0, x1, y1 = label.target
    left, top = place
    right, bottom = left + shape[1], top + shape[0]
    gap = max(x0 - right, left - x1, y0 - bottom, top - y1)
    if gap <= shape[0] / 2:
        return
    start = ((left + right) // 2, (top + bottom) // 2)
    end = (round((x0 + x1) / 2), round((y0 + y1) / 2))
    width = max(1, shape[0] // 12)
    cv2.line(canvas, start, end, label.color, width, cv2.LINE_AA)
