"""What average precision needs to know of a video once its masks are gone."""

from dataclasses import dataclass
from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ...structures import BoxTrack
from ...utils.errors import AnnotationError
from .track_iou import frame_areas, likely_iou, mean_areas

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
MAX_TRACKS = (1, 10, 100)
# Mean area of a track over the frames that show it, pixels, both ends
# included; those of the public YouTube-VIS evaluation, not COCO's.
AREA_RANGES: Dict[str, Tuple[float, float]] = dict(
    all=(0.0, 1e10),
    small=(0.0, 128.0**2),
    medium=(128.0**2, 256.0**2),
    large=(256.0**2, 1e10),
)


@dataclass
class JudgedTracks:
    """Predictions of one category in one video beside the real instances.

    Attributes:
        scores (np.ndarray): float64, (D,), descending, D at most 100.
        areas (np.ndarray): float64, (D,), mean pixels per frame.
        ious (np.ndarray): float64, (D, G); values below 0.5 may be 0.
        real_areas (np.ndarray): float64, (G,), mean pixels per frame.
        crowd (np.ndarray): bool, (G,).
    """

    scores: np.ndarray
    areas: np.ndarray
    ious: np.ndarray
    real_areas: np.ndarray
    crowd: np.ndarray


@dataclass
class JudgedVideo:
    """All of a video that enters average precision; a few kilobytes.

    Attributes:
        video_id (int): Of the video.
        length (int): Number of its frames.
        tracks (dict[int, JudgedTracks]): By category id; categories with
            neither a prediction nor a real instance are left out.
    """

    video_id: int
    length: int
    tracks: Dict[int, JudgedTracks]


@dataclass
class Matches:
    """What became of the predictions of one video and category.

    Attributes:
        scores (np.ndarray): float64, (D,), descending.
        matched (np.ndarray): bool, (10, D), for each IoU threshold.
        ignored (np.ndarray): bool, (10, D), neither right nor wrong.
        num_real (int): Real instances that count.
        found (np.ndarray): int64, (10, D), index of the real instance that
            was matched, or -1.
    """

    scores: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray
    num_real: int
    found: np.ndarray


def rank(scores: Sequence[float], most: int = MAX_TRACKS[-1]) -> np.ndarray:
    """Order predictions by score, best first; ties as they came.

    Returns:
        np.ndarray: int64, indices of the ``most`` best ones.
    """
    return np.argsort(-np.asarray(scores, float), kind='stable')[:most]


def judge_video(
    video_id: int,
    length: int,
    predictions: Sequence[Mapping[str, Any]],
    real: Sequence[BoxTrack],
) -> JudgedVideo:
    """Compare the predictions of a video with the real instances.

    Args:
        video_id (int): Of the video.
        length (int): Number of its frames.
        predictions (Sequence[Mapping]): ``category_id``, ``score`` and
            ``segmentations`` (per frame a compressed RLE or None) of each.
        real (Sequence[BoxTrack]): Real instances with masks.

    Returns:
        JudgedVideo: All that is needed further on.

    Raises:
        AnnotationError: If a real instance has no ``segmentations``.
    """
    guesses: Dict[int, List[Mapping[str, Any]]] = {}
    for entry in predictions:
        guesses.setdefault(entry['category_id'], []).append(entry)
    instances: Dict[int, List[BoxTrack]] = {}
    for track in real:
        instances.setdefault(track.category_id, []).append(track)
    return JudgedVideo(
        video_id,
        length,
        {
            key: _judge(guesses.get(key, ()), instances.get(key, ()))
            for key in sorted({*guesses, *instances})
        },
    )


def real_paths(real: Sequence[BoxTrack], file: Optional[str] = None) -> list:
    """List the masks of real instances.

    Raises:
        AnnotationError: If one has none.
    """
    for track in real:
        if track.segmentations is None:
            raise AnnotationError(
                'no masks to compare with',
                file=file,
                video=track.video_id,
                instance=track.id,
                fix='name a file with "segmentations"',
            )
    return [track.segmentations for track in real]


def _judge(
    guesses: Sequence[Mapping[str, Any]], real: Sequence[BoxTrack]
) -> JudgedTracks:
    scores = np.array([guess['score'] for guess in guesses], float)
    order = rank(scores.tolist())
    first = [guesses[i]['segmentations'] for i in order]
    second = real_paths(real)
    sizes, others = frame_areas(first), frame_areas(second)
    return JudgedTracks(
        scores[order],
        mean_areas(sizes),
        likely_iou(first, second, IOU_THRESHOLDS[0], sizes, others),
        mean_areas(others),
        np.array([track.iscrowd for track in real], bool),
    )


def match(
    tracks: JudgedTracks,
    area_range: Tuple[float, float] = AREA_RANGES['all'],
) -> Matches:
    """Match greedily, best score first, as COCO does.

    Crowds and instances outside of ``area_range`` are ignored: they match
    what no other instance does, and count neither as found nor as missed.
    What is matched to nothing is ignored if its own area is outside.

    Args:
        tracks (JudgedTracks): Of a video and category.
        area_range (tuple[float]): Least and largest mean area, pixels.

    Returns:
        Matches: For each of the 10 IoU thresholds.
    """
    low, high = area_range
    real_areas, areas = tracks.real_areas, tracks.areas
    ignore = tracks.crowd | (real_areas < low) | (real_areas > high)
    limits = np.minimum(IOU_THRESHOLDS, 1 - 1e-10)[:, None]
    shape = (len(limits), len(areas))
    ignored = np.zeros(shape, bool)
    found = np.full(shape, -1)
    free = np.ones((len(limits), len(ignore)), bool)
    # Most predictions come near no instance: nothing to do for them.
    for d in np.flatnonzero((tracks.ious >= limits[0]).any(1)):
        best, rows = _best(tracks.ious[d], free, ignore, limits)
        found[rows, d] = best
        ignored[rows, d] = ignore[best]
        free[rows, best] = tracks.crowd[best]  # a crowd takes any number
    matched = found >= 0
    ignored |= ~matched & ((areas < low) | (areas > high))
    num_real = int((~ignore).sum())
    return Matches(tracks.scores, matched, ignored, num_real, found)


def _best(
    ious: np.ndarray, free: np.ndarray, ignore: np.ndarray, limits: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Find the free instance of highest IoU; the last one wins a tie.

    Returns:
        tuple: Indices of the instances, and of the thresholds that have one.
    """
    usable = free & (ious >= limits)
    counted = usable & ~ignore
    pick = np.where(counted.any(1)[:, None], counted, usable)
    value = np.where(pick, ious, -1.0)
    best = len(ious) - 1 - value[:, ::-1].argmax(1)
    rows = np.flatnonzero(usable.any(1))
    return best[rows], rows
