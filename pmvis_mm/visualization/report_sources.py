"""What the labelling report says of the sources, beyond their means."""

import math
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np
from markupsafe import Markup

from ..evaluation.functional.mask_quality import MaskQuality
from ..evaluation.functional.source_statistics import (
    IOU_EDGES,
    IoUHistogram,
    choice_quality,
    iou_histogram,
    source_agreement,
)
from ..structures import PseudoMaskSet, VideoAnnotations
from .report_charts import (
    IOU_COLORS,
    NO_MASK_COLOR,
    Bar,
    Piece,
    bar_chart,
)

NO_MASK = 'no mask'
# More columns than this nobody reads.
MAX_AGREEMENT = 12
_COUNT_COLOR = '#56b4e9'
_AGREEMENT_RGB = (10, 90, 156)


def annotation_counts(
    final: PseudoMaskSet,
    sources: Mapping[str, PseudoMaskSet],
    annotations: VideoAnnotations,
    filter_stats: Mapping[str, Any],
) -> List[Dict[str, Any]]:
    """Count annotations on the way (PM-VIS, Fig. 6).

    An annotation is an (instance, frame) pair.

    Args:
        final (PseudoMaskSet): The masks that were chosen.
        sources (Mapping[str, PseudoMaskSet]): Each source or stage.
        annotations (VideoAnnotations): The annotated boxes.
        filter_stats (Mapping): By name of the filter; those with ``before``
            and ``removed`` are shown.

    Returns:
        list[dict]: ``name``, ``count`` and ``share``, its ratio to the
        number of boxes; NaN without boxes.
    """
    counts = {'annotated boxes': annotations.num_boxes}
    counts.update((name, s.num_masks) for name, s in sources.items())
    counts['final'] = final.num_masks
    for name, stats in filter_stats.items():
        if isinstance(stats, Mapping) and {'before', 'removed'} <= set(stats):
            counts[f'after {name}'] = stats['before'] - stats['removed']
    whole = annotations.num_boxes
    return [
        dict(name=name, count=n, share=n / whole if whole else math.nan)
        for name, n in counts.items()
    ]


def count_chart(counts: Sequence[Mapping[str, Any]]) -> Optional[Markup]:
    """Draw the counts of :func:`annotation_counts`; None without boxes."""
    longest = max((row['share'] for row in counts), default=math.nan)
    if not longest > 0:
        return None
    bars = [
        Bar(
            row['name'],
            [Piece(row['share'] / longest, _COUNT_COLOR, row['name'])],
            _count_note(row),
        )
        for row in counts
    ]
    label = 'Number of annotations of every set'
    return bar_chart(bars, label, legend=False, percentages=False)


def _count_note(row: Mapping[str, Any]) -> str:
    change = 100 * (row['share'] - 1)
    text = f'{row["count"]:,}'
    # A minus sign, not a hyphen, and no "-0.0".
    return f'{text} (−{-change:.1f} %)' if change <= -0.05 else text


def iou_rows(
    qualities: Mapping[str, MaskQuality],
) -> Dict[str, IoUHistogram]:
    """Count masks by IoU for every set that has real masks to meet."""
    rows = {name: iou_histogram(q) for name, q in qualities.items()}
    return {name: row for name, row in rows.items() if row.total}


def iou_ranges() -> List[str]:
    """Name the ranges of :func:`iou_rows`."""
    edges = [f'{edge:g}' for edge in (*IOU_EDGES, 1)]
    between = [f'{low}–{high}' for low, high in zip(edges, edges[1:])]
    return [f'< {edges[0]}', *between]


def iou_chart(rows: Mapping[str, IoUHistogram]) -> Optional[Markup]:
    """Draw the distribution of the IoU (PM-VIS, Fig. 2).

    Args:
        rows (Mapping[str, IoUHistogram]): Of :func:`iou_rows`.

    Returns:
        Markup, optional: One bar per set; None without real masks.
    """
    bars = []
    for name, row in rows.items():
        pieces = [Piece(row.missing / row.total, NO_MASK_COLOR, NO_MASK)]
        for count, color, title in zip(row.counts, IOU_COLORS, iou_ranges()):
            pieces.append(Piece(count / row.total, color, f'IoU {title}'))
        note = f'{100 * row.counts[-1] / row.total:.1f} % from 0.9 on'
        bars.append(Bar(name, pieces, note))
    return bar_chart(bars, 'Share of the real masks by IoU, for every set')


def choice_rows(
    final: PseudoMaskSet,
    sources: Sequence[str],
    qualities: Mapping[str, MaskQuality],
) -> List[Dict[str, Any]]:
    """Tell which sources the selector chose, and how good that was.

    Args:
        final (PseudoMaskSet): The masks that were chosen.
        sources (Sequence[str]): Names of the sets it could choose from.
        qualities (Mapping[str, MaskQuality]): With real masks: of these
            and of 'final'; else empty.

    Returns:
        list[dict]: The most chosen first: ``name``, ``masks``, ``share``,
        ``score`` (mean, NaN if unknown) and ``quality``, a
        ``ChoiceQuality`` or None without real masks.
    """
    scores: Dict[str, List[float]] = {}
    for track in final:
        for name, score in zip(track.sources, track.scores):
            if name is not None and score is not None:
                scores.setdefault(name, []).append(score)
    judged = {}
    if 'final' in qualities:
        candidates = [qualities[n] for n in sources if n in qualities]
        judged = choice_quality(final, qualities['final'], candidates)
    rows = [
        dict(
            name=name,
            masks=number,
            share=number / final.num_masks,
            score=float(np.mean(scores.get(name, [math.nan]))),
            quality=judged.get(name),
        )
        for name, number in final.source_counts().items()
    ]
    return sorted(rows, key=lambda row: -row['masks'])


def choice_chart(
    rows: Sequence[Mapping[str, Any]], colors: Mapping[str, str]
) -> Optional[Markup]:
    """Draw the shares of the sources in the final masks."""
    if not rows:
        return None
    pieces = [Piece(r['share'], colors[r['name']], r['name']) for r in rows]
    return bar_chart([Bar('final', pieces)], 'Sources of the final masks')


def agreement_table(
    sources: Mapping[str, PseudoMaskSet],
) -> Optional[Dict[str, Any]]:
    """Compare the sources with each other.

    Args:
        sources (Mapping[str, PseudoMaskSet]): By name; only the first
            ``MAX_AGREEMENT`` are compared.

    Returns:
        dict, optional: ``names`` and ``rows`` of cells with ``value`` (mean
        IoU, None on the diagonal), ``count`` and ``style``; None for fewer
        than two sources, or where no two have a mask of one thing.
    """
    names = list(sources)[:MAX_AGREEMENT]
    if len(names) < 2:
        return None
    found = source_agreement({name: sources[name] for name in names})
    others = ~np.eye(len(names), dtype=bool)
    if not (found.counts[others] > 0).any():
        return None
    rows = []
    for i, name in enumerate(names):
        cells = [
            dict(
                value=None if i == j else float(found.ious[i, j]),
                count=int(found.counts[i, j]),
                style='' if i == j else _shade(float(found.ious[i, j])),
            )
            for j in range(len(names))
        ]
        rows.append(dict(name=name, cells=cells))
    return dict(names=names, rows=rows)


def _shade(value: float) -> str:
    """Colour a cell: the darker, the more agreement."""
    if math.isnan(value):
        return ''
    red, green, blue = _AGREEMENT_RGB
    ink = '; color: #fff' if value > 0.6 else ''
    return f'background: rgba({red}, {green}, {blue}, {value:.2f}){ink}'
