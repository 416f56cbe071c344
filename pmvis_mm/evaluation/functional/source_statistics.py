"""Numbers about mask sources: distributions, choices and agreement.

They answer from one's own data what Figures 2, 3 and 6 of PM-VIS
(arXiv 2404.13863) show of YouTube-VIS and OVIS.
"""

from dataclasses import dataclass
from typing import Dict, List, Mapping, Sequence, Tuple

import numpy as np

from ...structures import MaskTrack, PseudoMaskSet, join
from ...structures.rle import mask_iou
from .mask_quality import MaskQuality

# Borders of the ranges of Fig. 2 of PM-VIS.
IOU_EDGES = (0.5, 0.6, 0.7, 0.8, 0.9)


@dataclass
class IoUHistogram:
    """How many real masks are met with which IoU.

    Attributes:
        missing (int): Real masks without a pseudo mask.
        counts (list[int]): Pseudo masks per range: below the first edge,
            between two (the lower one belongs to it), from the last one on.
    """

    missing: int
    counts: List[int]

    @property
    def total(self) -> int:
        """Number of real masks."""
        return self.missing + sum(self.counts)


def iou_histogram(
    quality: MaskQuality, edges: Sequence[float] = IOU_EDGES
) -> IoUHistogram:
    """Count masks by their IoU with the real ones (PM-VIS, Fig. 2).

    Args:
        quality (MaskQuality): Of a set of masks.
        edges (Sequence[float]): Ascending. Defaults to 0.5, 0.6, ... 0.9.

    Returns:
        IoUHistogram: One count more than edges.
    """
    ious = [iou for key, iou in quality.ious.items() if quality.present[key]]
    places = np.searchsorted(np.asarray(edges), ious, side='right')
    counts = np.bincount(places, minlength=len(edges) + 1)
    return IoUHistogram(len(quality.ious) - len(ious), counts.tolist())


@dataclass
class ChoiceQuality:
    """What a selector took from one source, and whether that was right.

    Attributes:
        masks (int): Masks taken from it, with or without a real mask.
        judged (int): Those with a real mask; the rest is about them.
        miou (float): Their mean IoU; NaN where ``judged`` is 0.
        above_90 (float): Share with an IoU of at least 0.9.
        best (float): Mean IoU of the best candidate for each.
        hits (float): Share for which no candidate was better.
    """

    masks: int
    judged: int
    miou: float
    above_90: float
    best: float
    hits: float


def choice_quality(
    final: PseudoMaskSet,
    quality: MaskQuality,
    candidates: Sequence[MaskQuality],
) -> Dict[str, ChoiceQuality]:
    """Judge the masks of a selection by the source they came from.

    Args:
        final (PseudoMaskSet): The selection; ``sources`` name the winners.
        quality (MaskQuality): Of ``final``.
        candidates (Sequence[MaskQuality]): Of the sets it chose from, with
            the same real masks.

    Returns:
        dict[str, ChoiceQuality]: By name, as in ``final.source_counts()``.
    """
    rows: Dict[str, List[Tuple[float, float]]] = {}
    for track in final:
        for frame, source in enumerate(track.sources):
            key = (track.id, frame)
            if source is None or key not in quality.ious:
                continue
            iou = quality.ious[key]
            best = max([iou, *(c.ious[key] for c in candidates)])
            rows.setdefault(source, []).append((iou, best))
    return {
        name: _judge(number, np.array(rows.get(name, [])).reshape(-1, 2))
        for name, number in final.source_counts().items()
    }


def _judge(masks: int, rows: np.ndarray) -> ChoiceQuality:
    """``rows``: (N, 2), IoU of the choice and of the best candidate."""
    if not len(rows):
        nan = float('nan')
        return ChoiceQuality(masks, 0, nan, nan, nan, nan)
    ious, best = rows.T
    return ChoiceQuality(
        masks,
        len(rows),
        float(ious.mean()),
        float((ious >= 0.9).mean()),
        float(best.mean()),
        float((ious >= best - 1e-9).mean()),
    )


@dataclass
class Agreement:
    """How far each two sources agree, without any real mask.

    Attributes:
        names (list[str]): S sources.
        ious (np.ndarray): float64, (S, S), symmetric: mean IoU over the
            (instance, frame) pairs for which both have a mask; NaN where
            there is none.
        counts (np.ndarray): int64, (S, S): number of such pairs.
    """

    names: List[str]
    ious: np.ndarray
    counts: np.ndarray


def source_agreement(sets: Mapping[str, PseudoMaskSet]) -> Agreement:
    """Compare sources with each other.

    Args:
        sets (Mapping[str, PseudoMaskSet]): By name.

    Returns:
        Agreement: Of all pairs.

    Raises:
        MaskSetError: If the sets have different videos.
    """
    names = list(sets)
    total = np.zeros((len(names), len(names)))
    counts = np.zeros((len(names), len(names)), np.int64)
    for _, tracks in join(sets):
        for mine in tracks.values():
            _compare(mine, names, total, counts)
    ious = np.full_like(total, np.nan)
    np.divide(total, counts, out=ious, where=counts > 0)
    return Agreement(names, ious, counts)


def _compare(
    tracks: Mapping[str, MaskTrack],
    names: Sequence[str],
    total: np.ndarray,
    counts: np.ndarray,
) -> None:
    """Add the IoUs of one instance to the sums."""
    places = [i for i, name in enumerate(names) if name in tracks]
    columns = [tracks[names[i]].masks for i in places]
    for row in zip(*columns):
        present = [i for i, mask in zip(places, row) if mask is not None]
        masks = [mask for mask in row if mask is not None]
        at = np.ix_(present, present)
        total[at] += mask_iou(masks, masks)
        counts[at] += 1
