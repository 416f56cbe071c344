"""The labelling report: one html file that says how good the masks are."""

import math
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

import jinja2
import numpy as np

from ..evaluation.functional.mask_quality import (
    MaskQuality,
    measure_masks,
    oracle,
)
from ..structures import PseudoMaskSet, VideoAnnotations
from ..utils.errors import ConfigError
from ..utils.fileio import atomic_write
from .report_pictures import iou_curves, score_histogram, source_colors
from .report_sources import (
    agreement_table,
    annotation_counts,
    choice_chart,
    choice_rows,
    count_chart,
    iou_chart,
    iou_ranges,
    iou_rows,
)
from .report_tracks import (
    MAX_TRACK_ROWS,
    ORDERS,
    describe_tracks,
    rank_tracks,
    suspect_rows,
    suspicion_correlation,
)

# More rows than this are no help in a browser; the worst come first.
MAX_VIDEO_ROWS = 50
_TEMPLATES = Path(__file__).parent / 'templates'


def write_report(
    path: Union[str, Path],
    final: PseudoMaskSet,
    sources: Mapping[str, PseudoMaskSet],
    annotations: VideoAnnotations,
    img_prefix: Optional[str],
    truth: Optional[VideoAnnotations] = None,
    stage_times: Sequence[Mapping[str, Any]] = (),
    metrics: Optional[Mapping[str, float]] = None,
    filter_stats: Optional[Mapping[str, Any]] = None,
    num_worst: int = 20,
    title: str = 'Labelling report',
    sort_by: Optional[str] = None,
) -> None:
    """Write the report: one html file without links to anything outside.

    Args:
        path (str | Path): Target, written atomically.
        final (PseudoMaskSet): The masks that were chosen.
        sources (Mapping[str, PseudoMaskSet]): The candidates, by name as in
            ``sources`` of the final masks.
        annotations (VideoAnnotations): The annotated boxes.
        img_prefix (str, optional): Folder of the frames; None leaves the
            pictures of tracks out.
        truth (VideoAnnotations, optional): Real masks of the same videos
            and annotation ids. Defaults to None.
        stage_times (Sequence[Mapping]): One row per stage, e.g.
            ``dict(stage='shqm', videos=10, seconds=1.5)``; the keys name
            the columns. Defaults to ().
        metrics (Mapping[str, float], optional): AP and the like of a model.
            Defaults to None.
        filter_stats (Mapping, optional): What filters removed; may be
            nested. Defaults to None.
        num_worst (int): Number of tracks to show pictures of, see
            ``sort_by``. Defaults to 20.
        title (str): Heading. Defaults to 'Labelling report'.
        sort_by (str, optional): Which tracks are shown first: 'iou', those
            of the lowest mean IoU with ``truth``, or 'suspicion', those of
            the highest :func:`suspicion`, which needs no real masks. None
            takes 'iou' where there is ``truth``.

    Raises:
        ConfigError: If ``sort_by`` is unknown, or 'iou' without ``truth``.
        MaskSetError: If the sets do not fit the annotations.
        AnnotationError: If ``truth`` has no masks.
        FrameError: If a frame to be shown cannot be read.
        OutputError: If the report cannot be written.
    """
    sort_by = _check_order(sort_by, truth is not None)
    final.validate(annotations)
    for name, masks in sources.items():
        final.check_same_videos(masks, name)
    qualities: Dict[str, MaskQuality] = {}
    if truth is not None:
        final.check_same_videos(truth, 'the real masks')
        qualities = _measure(final, sources, truth)
    stats = filter_stats or {}
    colors = source_colors([*sources, *final.source_counts()])
    html = _template().render(
        title=title,
        cards=_cards(final, annotations, qualities),
        source_rows=_source_rows(final, sources, annotations, qualities),
        set_names=list(qualities),
        **_source_sections(final, sources, annotations, qualities, stats),
        histogram=score_histogram(final, colors),
        curves=iou_curves(qualities, colors),
        video_rows=_video_rows(final, qualities)[:MAX_VIDEO_ROWS],
        num_videos=len(final.videos),
        sort_by=sort_by,
        suspects=suspect_rows(final, qualities.get('final')),
        max_track_rows=MAX_TRACK_ROWS,
        correlation=suspicion_correlation(final, qualities.get('final')),
        worst=describe_tracks(
            rank_tracks(final, sort_by, qualities.get('final'))[:num_worst],
            final,
            img_prefix,
            truth,
            qualities.get('final'),
        ),
        stage_columns=_columns(stage_times),
        stage_times=stage_times,
        metrics=metrics or {},
        filter_stats=flatten(stats),
    )
    with atomic_write(path) as file:
        file.write(html)


def _check_order(sort_by: Optional[str], has_truth: bool) -> str:
    if sort_by is None:
        return 'iou' if has_truth else 'suspicion'
    if sort_by not in ORDERS:
        raise ConfigError(
            f'sort_by={sort_by!r} is unknown', fix=f'choose from {ORDERS}'
        )
    if sort_by == 'iou' and not has_truth:
        raise ConfigError(
            "sort_by='iou' needs real masks",
            fix="give them as truth, or set sort_by='suspicion'",
        )
    return sort_by


def _source_sections(
    final: PseudoMaskSet,
    sources: Mapping[str, PseudoMaskSet],
    annotations: VideoAnnotations,
    qualities: Mapping[str, MaskQuality],
    filter_stats: Mapping[str, Any],
) -> Dict[str, Any]:
    """Work out the tables and charts about the sources."""
    counts = annotation_counts(final, sources, annotations, filter_stats)
    ious = iou_rows(qualities)
    choices = choice_rows(final, list(sources), qualities)
    colors = source_colors([*sources, *final.source_counts()])
    return dict(
        count_rows=counts,
        count_chart=count_chart(counts),
        iou_rows=ious,
        iou_ranges=iou_ranges(),
        iou_chart=iou_chart(ious),
        choice_rows=choices,
        choice_chart=choice_chart(choices, colors),
        agreement=agreement_table(sources),
    )


def _template() -> jinja2.Template:
    environment = jinja2.Environment(
        loader=jinja2.FileSystemLoader(_TEMPLATES),
        autoescape=True,
        trim_blocks=True,
        lstrip_blocks=True,
        undefined=jinja2.StrictUndefined,
    )
    environment.filters.update(number=format_number, percent=format_percent)
    return environment.get_template('report.html.j2')


# -------------------------------------------------------------- formatting
def format_number(value: Any) -> str:
    """Write a number for people; a dash for None and NaN."""
    if value is None or (isinstance(value, float) and math.isnan(value)):
        return '–'
    if isinstance(value, (bool, str)):
        return str(value)
    if isinstance(value, (int, np.integer)):
        return f'{value:,}'
    if isinstance(value, (float, np.floating)):
        number = float(value)
        return f'{number:,.1f}' if abs(number) >= 100 else f'{number:.3f}'
    return str(value)


def format_percent(value: Optional[float]) -> str:
    """Write a share as percent; a dash for None and NaN."""
    if value is None or math.isnan(value):
        return '–'
    return f'{100 * value:.1f} %'


def flatten(values: Mapping[str, Any], prefix: str = '') -> Dict[str, Any]:
    """Turn nested mappings into one, keys joined by ' / '."""
    result: Dict[str, Any] = {}
    for key, value in values.items():
        name = f'{prefix}{key}'
        if isinstance(value, Mapping):
            result.update(flatten(value, f'{name} / '))
        else:
            result[name] = value
    return result


def _columns(rows: Sequence[Mapping[str, Any]]) -> List[str]:
    return list(dict.fromkeys(key for row in rows for key in row))


# ----------------------------------------------------------------- numbers
def _measure(
    final: PseudoMaskSet,
    sources: Mapping[str, PseudoMaskSet],
    truth: VideoAnnotations,
) -> Dict[str, MaskQuality]:
    """Judge the sources, then the final set and the best possible one."""
    qualities = {
        name: measure_masks(masks, truth) for name, masks in sources.items()
    }
    bound = oracle(list(qualities.values())) if qualities else None
    qualities['final'] = measure_masks(final, truth)
    if bound is not None:
        qualities['oracle'] = bound
    return qualities


def _ratio(part: int, whole: int) -> float:
    return part / whole if whole else math.nan


def _cards(
    final: PseudoMaskSet,
    annotations: VideoAnnotations,
    qualities: Mapping[str, MaskQuality],
) -> List[Dict[str, str]]:
    scores = [s for track in final for s in track.scores if s is not None]
    covered = _ratio(final.num_masks, annotations.num_boxes)
    mean = float(np.mean(scores)) if scores else math.nan
    cards = [
        ('videos', format_number(len(final.videos))),
        ('tracks', format_number(sum(1 for _ in annotations))),
        ('boxes', format_number(annotations.num_boxes)),
        ('masks', format_number(final.num_masks)),
        ('boxes covered', format_percent(covered)),
        ('mean score', format_number(mean)),
    ]
    if 'final' in qualities:
        miou = qualities['final'].summary()['miou']
        cards.append(('mean IoU', format_percent(miou)))
    return [dict(name=name, value=value) for name, value in cards]


def _source_rows(
    final: PseudoMaskSet,
    sources: Mapping[str, PseudoMaskSet],
    annotations: VideoAnnotations,
    qualities: Mapping[str, MaskQuality],
) -> List[Dict[str, Any]]:
    """Count masks per set, and how many the selector took from each."""
    chosen = final.source_counts()
    names = list(dict.fromkeys([*sources, *chosen]))
    rows: List[Dict[str, Any]] = []
    for name in [*names, 'final', 'oracle']:
        masks = final if name == 'final' else sources.get(name)
        if name == 'oracle' and name not in qualities:
            continue
        count = None if masks is None else masks.num_masks
        taken = final.num_masks if name == 'final' else chosen.get(name, 0)
        row: Dict[str, Any] = dict(
            name=name,
            masks=count,
            covered=None
            if count is None
            else _ratio(count, annotations.num_boxes),
            chosen=None if name == 'oracle' else taken,
            share=None if name == 'oracle' else _ratio(taken, final.num_masks),
        )
        if name in qualities:
            row.update(quality=qualities[name].summary())
        rows.append(row)
    return rows


def _video_rows(
    final: PseudoMaskSet, qualities: Mapping[str, MaskQuality]
) -> List[Dict[str, Any]]:
    """Summarise every video, the worst first, those without tracks last."""
    ious = {name: quality.per_video() for name, quality in qualities.items()}
    rows = []
    for key, video in final.videos.items():
        tracks = final.tracks[key]
        boxes = sum(b is not None for track in tracks for b in track.boxes)
        masks = sum(track.num_masks for track in tracks)
        scores = [s for track in tracks for s in track.scores if s is not None]
        rows.append(
            dict(
                id=key,
                name=video.name,
                frames=video.length,
                tracks=len(tracks),
                masks=masks,
                covered=_ratio(masks, boxes),
                score=float(np.mean(scores)) if scores else math.nan,
                ious={
                    name: values.get(key, {}).get('miou', math.nan)
                    for name, values in ious.items()
                },
            )
        )
    by = 'ious' if qualities else 'score'

    def badness(row: Dict[str, Any]) -> float:
        value = row['ious']['final'] if by == 'ious' else row['score']
        return math.inf if math.isnan(value) else value

    return sorted(rows, key=badness)
