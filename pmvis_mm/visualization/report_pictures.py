"""Pictures of the labelling report, as data URIs."""

import base64
import io
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import cv2
import numpy as np
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from ..evaluation.functional.mask_quality import MaskQuality
from ..structures import RLE, BoxTrack, MaskTrack, PseudoMaskSet
from ..structures.frame_reader import FrameReader
from ..structures.rle import decode, tight_boxes
from .overlay import draw_contour, track_color

TILE = 150
_BINS = 20
_TRUTH_COLOR = (255, 255, 255)
# Okabe and Ito's colours: told apart with any kind of colour vision.
_CYCLE = ('#0072b2', '#e69f00', '#009e73', '#cc79a7', '#56b4e9', '#d55e00')


def score_histogram(masks: PseudoMaskSet) -> Optional[str]:
    """Plot how many masks have which score, stacked by source.

    Args:
        masks (PseudoMaskSet): Scores in [0, 1].

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
    names = sorted(by_source)
    figure, axes = _new_axes()
    axes.hist(
        [np.clip(by_source[name], 0, 1) for name in names],
        bins=list(np.linspace(0, 1, _BINS + 1)),
        stacked=True,
        label=names,
        color=[_CYCLE[i % len(_CYCLE)] for i in range(len(names))],
        rwidth=0.9,
    )
    axes.set(xlim=(0, 1), xlabel='agreement (SCM) score', ylabel='masks')
    axes.legend(frameon=False, fontsize=9)
    return _figure_uri(figure)


def iou_curves(qualities: Mapping[str, MaskQuality]) -> Optional[str]:
    """Plot the share of real masks that is met with at least some IoU.

    Args:
        qualities (Mapping[str, MaskQuality]): By name of the set.

    Returns:
        str, optional: PNG as data URI; None where there is no real mask.
    """
    figure, axes = _new_axes()
    thresholds = np.linspace(0, 1, 201)
    drawn = False
    for index, (name, quality) in enumerate(qualities.items()):
        ious = np.sort(np.array(list(quality.ious.values())))
        if not len(ious):
            continue
        below = np.searchsorted(ious, thresholds, side='left')
        main = name in ('final', 'oracle')
        axes.plot(
            thresholds,
            100 * (1 - below / len(ious)),
            label=name,
            color='#222222' if main else _CYCLE[index % len(_CYCLE)],
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
        track (MaskTrack): Drawn as a contour in its colour.
        reader (FrameReader): Frames of its video, BGR; read one at a time.
        truth (BoxTrack, optional): Real masks, drawn as a white contour.
        number (int): Most frames to show. Defaults to 6.

    Returns:
        list[dict]: Per picture ``frame`` (0-based) and ``image`` (data
        URI). Empty for a track without boxes and masks.
    """
    regions = _regions(track)
    shown = spread([t for t, box in enumerate(regions) if box], number)
    if not shown:
        return []
    # One zoom for the whole strip, so that growth can be seen.
    side = max(_side(regions[t]) for t in shown)
    side = max(int(np.ceil(1.5 * side)), 24)
    strip = []
    for t in shown:
        contours: List[Tuple[Optional[RLE], Tuple[int, int, int]]] = []
        if truth is not None and truth.segmentations is not None:
            contours.append((truth.segmentations[t], _TRUTH_COLOR))
        contours.append((track.masks[t], track_color(track.id)))
        tile = _cut(reader[t], regions[t], side, contours)
        strip.append(dict(frame=t, image=_jpeg_uri(tile)))
    return strip


def spread(values: Sequence[int], number: int) -> List[int]:
    """Choose at most ``number`` values evenly, with the first and last."""
    if len(values) <= number:
        return list(values)
    places = np.linspace(0, len(values) - 1, number)
    return [values[int(place)] for place in np.rint(places)]


def _regions(track: MaskTrack) -> List[Optional[Tuple[float, ...]]]:
    """Bound box and mask of every frame, None where there is neither."""
    regions: List[Optional[Tuple[float, ...]]] = []
    for box, mask, tight in zip(
        track.boxes, track.masks, tight_boxes(track.masks)
    ):
        found = [box] if box is not None else []
        if mask is not None:
            found.append(tuple(tight))
        if not found:
            regions.append(None)
            continue
        array = np.array(found)
        low, high = array[:, :2].min(axis=0), array[:, 2:].max(axis=0)
        regions.append((*low, *high))
    return regions


def _side(region: Optional[Tuple[float, ...]]) -> float:
    assert region is not None
    return max(region[2] - region[0], region[3] - region[1])


def _cut(
    image: np.ndarray,
    region: Optional[Tuple[float, ...]],
    side: int,
    contours: Sequence[Tuple[Optional[RLE], Tuple[int, int, int]]],
) -> np.ndarray:
    """Cut a square of ``side`` pixels, grey outside, and enlarge it."""
    assert region is not None
    x0 = int(round((region[0] + region[2] - side) / 2))
    y0 = int(round((region[1] + region[3] - side) / 2))
    factor = max(1, -(-TILE // side))
    window = _window(image, x0, y0, side, 200)
    tile = cv2.resize(
        window, None, fx=factor, fy=factor, interpolation=cv2.INTER_CUBIC
    )
    for mask, color in contours:
        if mask is not None:
            dense = _window(decode(mask).view(np.uint8), x0, y0, side, 0)
            draw_contour(tile, dense > 0, color, factor)
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
    _, data = cv2.imencode('.jpg', image, [cv2.IMWRITE_JPEG_QUALITY, 88])
    return _uri('jpeg', data.tobytes())


def _uri(kind: str, data: bytes) -> str:
    return f'data:image/{kind};base64,{base64.b64encode(data).decode()}'
