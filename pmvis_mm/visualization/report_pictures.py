"""Pictures of the labelling report, as data URIs."""

import base64
import io
import math
from typing import (
    Any,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
)

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure
from PIL import Image

from ..evaluation.functional.mask_quality import MaskQuality
from ..structures import RLE, BoxTrack, MaskTrack, PseudoMaskSet
from ..structures.frame_reader import FrameReader
from ..structures.rle import decode, tight_boxes
from ..structures.video_annotations import Box
from .overlay import draw_contour

TILE = 168
_BINS = 20
_YELLOW = (0, 235, 255)
_MAGENTA = (255, 0, 255)
_DARK = (30, 30, 30)
# Okabe and Ito's colours: told apart with any kind of colour vision.
_PALETTE = ('#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00')


def source_colors(names: Iterable[str]) -> Dict[str, str]:
    """Give every source a colour, the same in all plots of a report."""
    return {
        name: _PALETTE[index % len(_PALETTE)]
        for index, name in enumerate(dict.fromkeys(names))
    }


def score_histogram(
    masks: PseudoMaskSet, colors: Mapping[str, str]
) -> Optional[str]:
    """Plot how many masks have which score, stacked by source.

    Args:
        masks (PseudoMaskSet): Scores in [0, 1].
        colors (Mapping[str, str]): Of all sources of the masks.

    Returns:
        str, optional: PNG as data URI; None where no mask has a score.
    """
    by_source: Dict[str, List[float]] = {}
    for track in masks:
        for source, score in zip(track.sources, track.scores):
            if source is not None and score is not None:
                by_source.setdefault(source, []).append(score)
    if not by_source:
        return None
    names = [name for name in colors if name in by_source]
    figure, axes = _new_axes()
    axes.hist(
        [np.clip(by_source[name], 0, 1) for name in names],
        bins=list(np.linspace(0, 1, _BINS + 1)),
        stacked=True,
        label=names,
        color=[colors[name] for name in names],
        rwidth=0.9,
    )
    axes.set(xlim=(0, 1), xlabel='score of the final mask', ylabel='masks')
    axes.legend(frameon=False, fontsize=9)
    return _figure_uri(figure)


def iou_curves(
    qualities: Mapping[str, MaskQuality], colors: Mapping[str, str]
) -> Optional[str]:
    """Plot the share of real masks that is met with at least some IoU.

    Args:
        qualities (Mapping[str, MaskQuality]): By name of the set.
        colors (Mapping[str, str]): Of the sources; other sets are black.

    Returns:
        str, optional: PNG as data URI; None where there is no real mask.
    """
    figure, axes = _new_axes()
    thresholds = np.linspace(0, 1, 201)
    drawn = False
    for name, quality in qualities.items():
        ious = np.sort(np.array(list(quality.ious.values())))
        if not len(ious):
            continue
        below = np.searchsorted(ious, thresholds, side='left')
        axes.plot(
            thresholds,
            100 * (1 - below / len(ious)),
            label=name,
            color=colors.get(name, '#222222'),
            linestyle='--' if name == 'oracle' else '-',
            linewidth=2.2 if name == 'final' else 1.4,
        )
        drawn = True
    if not drawn:
        return None
    axes.set(
        xlim=(0, 1),
        ylim=(0, 101),
        xlabel='IoU with the real mask, at least',
        ylabel='% of the real masks',
    )
    axes.legend(frameon=False, fontsize=9, loc='lower left')
    return _figure_uri(figure)


def track_strip(
    track: MaskTrack,
    reader: FrameReader,
    truth: Optional[BoxTrack] = None,
    number: int = 6,
) -> List[Dict[str, Any]]:
    """Cut a few frames out around a track.

    Args:
        track (MaskTrack): Drawn as a yellow contour.
        reader (FrameReader): Frames of its video, BGR; read one at a time.
        truth (BoxTrack, optional): Real masks, drawn as a magenta contour.
        number (int): Most frames to show. Defaults to 6.

    Returns:
        list[dict]: Per picture ``frame`` (0-based) and ``image`` (data
        URI). Empty for a track without boxes and masks.
    """
    regions = _regions(track)
    present = {t: box for t, box in enumerate(regions) if box is not None}
    if not present:
        return []
    shown = spread(list(present), number)
    # One zoom for the whole strip, so that growth can be seen.
    side = max(math.ceil(1.5 * _side(present[t])) for t in shown)
    real = None if truth is None else truth.segmentations
    strip = []
    for t in shown:
        tile = _cut(
            reader[t],
            present[t],
            max(side, 24),
            track.masks[t],
            None if real is None else real[t],
        )
        strip.append(dict(frame=t, image=_jpeg_uri(tile)))
    return strip


def spread(values: Sequence[int], number: int) -> List[int]:
    """Choose at most ``number`` values evenly, with the first and last."""
    if len(values) <= number:
        return list(values)
    places = np.linspace(0, len(values) - 1, number)
    return [values[int(place)] for place in np.rint(places)]


def _regions(track: MaskTrack) -> List[Optional[Box]]:
    """Where to look in every frame: the box, without one the mask.

    A mask that spills out of its box shall not make the picture tiny.
    """
    regions: List[Optional[Box]] = []
    tights = tight_boxes(track.masks)
    for box, mask, tight in zip(track.boxes, track.masks, tights):
        if box is None and mask is not None:
            x0, y0, x1, y1 = tight.tolist()
            box = (x0, y0, x1, y1)
        regions.append(box)
    return regions


def _side(region: Box) -> float:
    return max(region[2] - region[0], region[3] - region[1])


def _cut(
    image: np.ndarray,
    region: Box,
    side: int,
    mask: Optional[RLE],
    real: Optional[RLE],
) -> np.ndarray:
    """Cut a square of ``side`` pixels, grey outside, and enlarge it."""
    x0 = round((region[0] + region[2] - side) / 2)
    y0 = round((region[1] + region[3] - side) / 2)
    window = _window(image, x0, y0, side, 235)
    factor = max(1, -(-TILE // side))
    size = (factor * side, factor * side)
    tile = cv2.resize(window, size, interpolation=cv2.INTER_CUBIC)
    stroke = max(1, round(1.5 * factor * side / TILE))
    # The dark edge keeps the contour visible on objects of any colour.
    for rle, tint, width in (
        (mask, _DARK, 3 * stroke),
        (real, _MAGENTA, stroke),
        (mask, _YELLOW, stroke),
    ):
        if rle is not None:
            dense = _window(decode(rle).view(np.uint8), x0, y0, side, 0)
            draw_contour(tile, dense, tint, factor, width)
    return cv2.resize(tile, (TILE, TILE), interpolation=cv2.INTER_AREA)


def _window(
    image: np.ndarray, x0: int, y0: int, side: int, fill: int
) -> np.ndarray:
    result = np.full((side, side, *image.shape[2:]), fill, image.dtype)
    height, width = image.shape[:2]
    top, left = max(y0, 0), max(x0, 0)
    bottom, right = min(y0 + side, height), min(x0 + side, width)
    result[top - y0 : bottom - y0, left - x0 : right - x0] = image[
        top:bottom, left:right
    ]
    return result


def _new_axes() -> Tuple[Figure, Any]:
    # Not pyplot: it keeps figures and a back end for the whole process.
    figure = Figure(figsize=(6.4, 3.2), dpi=120, layout='constrained')
    FigureCanvasAgg(figure)
    axes = figure.add_subplot()
    axes.spines[['top', 'right']].set_visible(False)
    axes.grid(axis='y', color='#e5e7eb', linewidth=0.8)
    axes.set_axisbelow(True)
    return figure, axes


def _figure_uri(figure: Figure) -> str:
    buffer = io.BytesIO()
    # No metadata: the same report is the same bytes.
    figure.savefig(buffer, format='png', metadata={'Software': None})
    return _uri('png', buffer.getvalue())


def _jpeg_uri(image: np.ndarray) -> str:
    buffer = io.BytesIO()
    # Full chroma resolution, without which thin contours turn grey.
    Image.fromarray(np.ascontiguousarray(image[..., ::-1])).save(
        buffer, format='jpeg', quality=88, subsampling=0
    )
    return _uri('jpeg', buffer.getvalue())


def _uri(kind: str, data: bytes) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(data).decode()}'
