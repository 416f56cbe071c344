"""Which tracks of the labelling report want a look."""

import math
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from scipy.stats import rankdata

from ..evaluation.functional.mask_quality import MaskQuality
from ..labeling.selection import suspicion
from ..structures import MaskTrack, PseudoMaskSet, VideoAnnotations
from ..structures.frame_reader import FrameReader
from .report_pictures import track_strip

ORDERS = ('iou', 'suspicion')
# More rows than this are no help in a browser; the worst come first.
MAX_TRACK_ROWS = 50


def mean_score(track: MaskTrack) -> float:
    """Average the scores of a track; NaN where no mask has one."""
    scores = [score for score in track.scores if score is not None]
    return float(np.mean(scores)) if scores else math.nan


def track_ious(quality: Optional[MaskQuality]) -> Dict[int, float]:
    """Average the IoU of each track, by annotation id."""
    groups: Dict[int, List[float]] = {}
    for (track, _), iou in quality.ious.items() if quality else ():
        groups.setdefault(track, []).append(iou)
    return {track: float(np.mean(ious)) for track, ious in groups.items()}


def rank_tracks(
    final: PseudoMaskSet, by: str, quality: Optional[MaskQuality]
) -> List[MaskTrack]:
    """Sort tracks, the worst first.

    Args:
        final (PseudoMaskSet): The masks that were chosen.
        by (str): 'iou' (mean IoU, the lowest first) or 'suspicion' (the
            highest first).
        quality (MaskQuality, optional): For 'iou'.

    Returns:
        list[MaskTrack]: Those that can be judged; ties by id.
    """
    ious = track_ious(quality)
    ranked = []
    for track in final:
        if by == 'iou':
            value = ious.get(track.id, math.nan)
        else:
            value = -suspicion(track)
        if not math.isnan(value):
            ranked.append((value, track.id, track))
    return [track for _, _, track in sorted(ranked, key=lambda r: r[:2])]


def suspect_rows(
    final: PseudoMaskSet, quality: Optional[MaskQuality]
) -> List[Dict[str, Any]]:
    """List the most suspicious tracks.

    Args:
        final (PseudoMaskSet): The masks that were chosen.
        quality (MaskQuality, optional): Of these, with real masks.

    Returns:
        list[dict]: At most ``MAX_TRACK_ROWS``: the facts of the track,
        ``suspicion`` and ``weakest``, the frame of the lowest score.
    """
    ious = track_ious(quality)
    rows = []
    for track in rank_tracks(final, 'suspicion', None)[:MAX_TRACK_ROWS]:
        scored = [(s, t) for t, s in enumerate(track.scores) if s is not None]
        row = _facts(track, final, ious)
        row['weakest'] = min(scored)[1] if scored else None
        rows.append(row)
    return rows


def suspicion_correlation(
    final: PseudoMaskSet, quality: Optional[MaskQuality]
) -> Optional[float]:
    """Tell how well suspicion foretells what real masks say.

    Args:
        final (PseudoMaskSet): The masks that were chosen.
        quality (MaskQuality, optional): Of these, with real masks.

    Returns:
        float, optional: Spearman's rank correlation of suspicion and
        1 - mean IoU over the tracks; 1 if their order is the same. None for
        fewer than three tracks, or where either is the same for all.
    """
    ious = track_ious(quality)
    tracks = [track for track in final if track.id in ious]
    return rank_correlation(
        [suspicion(track) for track in tracks],
        [1 - ious[track.id] for track in tracks],
    )


def rank_correlation(
    first: Sequence[Optional[float]], second: Sequence[float]
) -> Optional[float]:
    """Correlate ranks (Spearman).

    Args:
        first (Sequence[float | None]): N values; None and NaN are unknown.
        second (Sequence[float]): N values.

    Returns:
        float, optional: 1 if the order is the same. None for fewer than
        three known pairs, or where either is the same for all.
    """
    pairs = [
        (a, b)
        for a, b in zip(first, second)
        if a is not None and not math.isnan(a)
    ]
    if len(pairs) < 3:
        return None
    # Rounded: equal up to rounding is a tie.
    ranks = [rankdata(np.round(column, 9)) for column in zip(*pairs)]
    if any(np.ptp(column) == 0 for column in ranks):
        return None
    return float(np.corrcoef(*ranks)[0, 1])


def describe_tracks(
    tracks: Sequence[MaskTrack],
    final: PseudoMaskSet,
    img_prefix: Optional[str],
    truth: Optional[VideoAnnotations],
    quality: Optional[MaskQuality],
) -> List[Dict[str, Any]]:
    """Add pictures to the facts of tracks.

    Args:
        tracks (Sequence[MaskTrack]): Of the final masks.
        final (PseudoMaskSet): Those.
        img_prefix (str, optional): Folder of the frames; None for no
            pictures.
        truth (VideoAnnotations, optional): Real masks, drawn as well.
        quality (MaskQuality, optional): Of the final masks.

    Returns:
        list[dict]: Facts with ``strip``, see ``track_strip``, whose tiles
        have ``source``, ``score`` and ``iou``.

    Raises:
        FrameError: If a frame to be shown cannot be read.
    """
    real = {track.id: track for track in truth} if truth is not None else {}
    ious = track_ious(quality)
    entries = []
    for track in tracks:
        strip: List[Dict[str, Any]] = []
        if img_prefix is not None:
            video = final.videos[track.video_id]
            reader = FrameReader(video, img_prefix, cache_size=0)
            strip = track_strip(track, reader, real.get(track.id))
        for tile in strip:
            frame = tile['frame']
            tile['source'] = track.sources[frame]
            tile['score'] = track.scores[frame]
            tile['iou'] = quality and quality.ious.get((track.id, frame))
        entries.append(dict(_facts(track, final, ious), strip=strip))
    return entries


def _facts(
    track: MaskTrack, final: PseudoMaskSet, ious: Dict[int, float]
) -> Dict[str, Any]:
    names = {c['id']: c.get('name', c['id']) for c in final.categories}
    return dict(
        id=track.id,
        video=track.video_id,
        name=final.videos[track.video_id].name,
        category=names[track.category_id],
        masks=track.num_masks,
        boxes=sum(box is not None for box in track.boxes),
        score=mean_score(track),
        suspicion=suspicion(track),
        iou=ious.get(track.id),
    )
