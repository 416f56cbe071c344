"""How suspicious a track looks, without any real mask.

All measures are our own definitions:

- ``agreement``: mean IoU of the final mask with the masks of the other
  sources in that frame.
- ``overflow``: share of the pixels of the final mask that lie outside of the
  annotated box; a pixel that the box covers in part is inside. 1 where there
  is a mask and no box.
- ``area_jump``: ``|ln(f[t] / f[t - 1])|`` with ``f`` the area of the mask
  over that of its box, so that an object which grows with its box is no jump;
  ln 2 is a mask that fills twice as much of its box as just before.
- ``flicker``: 1 - IoU of the mask and that of the frame before, both
  stretched to the same square by their boxes, so that motion and zoom do not
  count. 1 where the mask comes or goes while the box is there in both frames.
- ``missing``: a box without a mask.
"""

import math
from dataclasses import dataclass
from typing import Dict, List, Mapping, Optional, Sequence

import numpy as np

from ..labeling.selection import suspicion as lack_of_score
from ..structures import Box, MaskTrack
from .track_runs import TrackRuns

# Samples per side of a box when masks are compared across frames.
FLICKER_GRID = 24
# The value of a track is that of its worst frames but for the worst tenth, so
# that one odd frame of a long track does not make it the worst of all.
WORST_SHARE = 0.1
# What halves the trust in a track, by measure; see `combine`. Round numbers:
# ranks on real videos hardly change when any of them is halved.
HALF_TRUST = dict(overflow=0.3, area_jump=0.5, flicker=0.5, missing=0.5)


@dataclass
class FrameMeasures:
    """Measures of the frames of a track.

    Attributes:
        agreement (np.ndarray): float64, (T,), in [0, 1]; NaN without a mask
            or without a mask of another source.
        overflow (np.ndarray): float64, (T,), in [0, 1]; NaN without a mask.
        area_jump (np.ndarray): float64, (T,), >= 0; NaN unless this frame
            and the one before have mask and box.
        flicker (np.ndarray): float64, (T,), in [0, 1]; NaN unless this
            frame and the one before have a box, and one of them a mask.
        missing (np.ndarray): bool, (T,), a box and no mask.
    """

    agreement: np.ndarray
    overflow: np.ndarray
    area_jump: np.ndarray
    flicker: np.ndarray
    missing: np.ndarray


@dataclass
class TrackMeasures:
    """Measures of a whole track, NaN where nothing can be measured.

    Attributes:
        suspicion (float): In [0, 1], see :func:`combine`.
        score (float): Mean score of its masks.
        agreement (float): Mean over the frames; the worst ones would be
            ruled by the one source that fails.
        overflow (float): Worst frames, see :func:`worst`.
        area_jump (float): Likewise.
        flicker (float): Likewise.
        missing (float): Share of the boxes without a mask.
    """

    suspicion: float
    score: float
    agreement: float
    overflow: float
    area_jump: float
    flicker: float
    missing: float


def family(source: str) -> str:
    """Name what variants of a source share: 'track, raw' is a 'track'."""
    return source.partition(',')[0].strip()


def mean_agreement(
    ious: Mapping[str, np.ndarray], sources: Sequence[Optional[str]]
) -> np.ndarray:
    """Average the IoU with the other sources.

    The source that a final mask was taken from is left out with all of its
    variants (see :func:`family`): it would agree with itself. Where the
    final set names a source that is not among the candidates, the family of
    a candidate with exactly the same mask is left out.

    Args:
        ious (Mapping[str, np.ndarray]): Per candidate source float64,
            (T,), IoU of its mask with the final one, NaN without either.
        sources (Sequence[str | None]): Per frame the source of the final
            mask.

    Returns:
        np.ndarray: float64, (T,), NaN where no other source has a mask.
    """
    length = len(sources)
    families = {name: family(name) for name in ious}
    known = set(families.values())
    total, number = np.zeros(length), np.zeros(length)
    own: List[Optional[str]] = [family(s) if s else None for s in sources]
    for t in np.flatnonzero([name not in known for name in own]):
        same = [families[n] for n, iou in ious.items() if iou[t] == 1]
        own[t] = same[0] if same else None
    for name, iou in ious.items():
        other = np.array([families[name] != source for source in own], bool)
        counts = other & ~np.isnan(iou)
        total[counts] += iou[counts]
        number += counts
    return np.where(number > 0, total / np.maximum(number, 1), np.nan)


def measure_frames(
    runs: TrackRuns,
    boxes: Sequence[Optional[Box]],
    agreement: np.ndarray,
) -> FrameMeasures:
    """Measure every frame of a track.

    Args:
        runs (TrackRuns): The final masks.
        boxes (Sequence[Box | None]): Per frame the annotated box, half-open
            xyxy, pixels.
        agreement (np.ndarray): See :func:`mean_agreement`.

    Returns:
        FrameMeasures: One value for every frame.
    """
    corners = np.array([box or (0.0,) * 4 for box in boxes]).reshape(-1, 4)
    has_box = np.array([box is not None for box in boxes], bool)
    has_mask = runs.areas > 0
    inside = runs.areas_in_boxes(corners)
    outside = 1 - inside / np.maximum(runs.areas, 1)
    box_areas = (corners[:, 2:] - corners[:, :2]).prod(1)
    fill = np.full(len(boxes), np.nan)
    both = has_box & has_mask
    fill[both] = runs.areas[both] / box_areas[both]
    jump = np.full(len(boxes), np.nan)
    jump[1:] = np.abs(np.diff(np.log(fill)))
    return FrameMeasures(
        np.where(has_mask, agreement, np.nan),
        np.where(has_mask, outside, np.nan),
        jump,
        _flicker(runs, corners, has_box, has_mask),
        has_box & ~has_mask,
    )


def _flicker(
    runs: TrackRuns,
    boxes: np.ndarray,
    has_box: np.ndarray,
    has_mask: np.ndarray,
) -> np.ndarray:
    result = np.full(runs.length, np.nan)
    if runs.length < 2 or not has_mask.any():
        return result
    cells = runs.sample_boxes(boxes, FLICKER_GRID).reshape(runs.length, -1)
    common = (cells[1:] & cells[:-1]).sum(1)
    union = (cells[1:] | cells[:-1]).sum(1)
    # Masks that no sample hits lie outside of their boxes or are tiny.
    change = 1 - np.where(union > 0, common / np.maximum(union, 1), 1.0)
    flips = has_mask[1:] != has_mask[:-1]
    change[flips] = 1
    counts = has_box[1:] & has_box[:-1] & (has_mask[1:] | has_mask[:-1])
    result[1:][counts] = change[counts]
    return result


def worst(values: np.ndarray) -> float:
    """Give the value that a tenth of the frames exceed; NaN without any."""
    known = values[~np.isnan(values)]
    if not len(known):
        return math.nan
    return float(np.quantile(known, 1 - WORST_SHARE))


def measure_track(track: MaskTrack, frames: FrameMeasures) -> TrackMeasures:
    """Sum up the frames of a track.

    Args:
        track (MaskTrack): The final masks.
        frames (FrameMeasures): Of these.

    Returns:
        TrackMeasures: One value for every measure.
    """
    scores = [score for score in track.scores if score is not None]
    num_boxes = sum(box is not None for box in track.boxes)
    known = frames.agreement[~np.isnan(frames.agreement)]
    values = dict(
        score=float(np.mean(scores)) if scores else math.nan,
        agreement=float(known.mean()) if len(known) else math.nan,
        overflow=worst(frames.overflow),
        area_jump=worst(frames.area_jump),
        flicker=worst(frames.flicker),
        missing=(
            float(frames.missing.sum()) / num_boxes if num_boxes else math.nan
        ),
    )
    return TrackMeasures(combine(lack_of_score(track), values), **values)


def combine(lack: float, values: Dict[str, float]) -> float:
    """Combine the measures of a track to one number.

    The basis is the mean of what is known of ``1 - score`` and
    ``1 - agreement``, or 0; every other measure ``v`` can only add to it:
    ``suspicion = 1 - (1 - basis) * prod(h / (h + v))``, where ``h`` is the
    value that halves the trust (``HALF_TRUST``).

    Args:
        lack (float): 1 - mean score, 1 for a track without a mask; may be
            NaN.
        values (dict[str, float]): The measures of the track; may be NaN.

    Returns:
        float: In [0, 1]; 1 for a track with boxes and no mask.
    """
    basis = [v for v in (lack, 1 - values['agreement']) if not math.isnan(v)]
    trust = 1 - float(np.mean(basis)) if basis else 1.0
    for name, half in HALF_TRUST.items():
        if not math.isnan(values[name]):
            trust *= half / (half + values[name])
    return min(max(1 - trust, 0.0), 1.0)
