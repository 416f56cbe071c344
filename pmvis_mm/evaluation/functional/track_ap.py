"""Average precision and recall of video instance segmentation.

The protocol of YouTube-VIS (`arXiv:1905.04804
<https://arxiv.org/abs/1905.04804>`_, section 3.3): COCO's AP with the IoU of
whole tracks, intersections and unions summed over the frames.
"""

from dataclasses import dataclass
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

import numpy as np
from pycocotools import mask as coco_mask

from ...structures import RLE, BoxTrack, VideoAnnotations
from ...structures.rle import areas
from ...utils.errors import AnnotationError

IOU_THRESHOLDS = np.linspace(0.5, 0.95, 10)
RECALL_THRESHOLDS = np.linspace(0, 1, 101)
MAX_TRACKS = (1, 10, 100)

_MaskPath = Sequence[Optional[RLE]]


@dataclass
class TrackAP:
    """Precision and recall of a set of predicted tracks.

    Attributes:
        category_ids (tuple[int]): K categories, as in the annotation file.
        precision (np.ndarray): float64, (10, 101, K), at 10 IoU and 101
            recall thresholds with at most 100 tracks per video and category;
            NaN for a category without a real instance.
        recall (dict): Number of tracks per video and category (1, 10, 100)
            -> float64, (10, K); NaN likewise.
    """

    category_ids: Tuple[int, ...]
    precision: np.ndarray
    recall: Dict[int, np.ndarray]

    def summary(self) -> Dict[str, float]:
        """Average over categories and thresholds.

        Returns:
            dict: ``AP``, ``AP50``, ``AP75``, ``AR1`` and ``AR10`` in
            [0, 1]; NaN without any real instance.
        """
        return dict(
            AP=_mean(self.precision),
            AP50=_mean(self.precision[_threshold(0.5)]),
            AP75=_mean(self.precision[_threshold(0.75)]),
            AR1=_mean(self.recall[1]),
            AR10=_mean(self.recall[10]),
        )

    def per_category(self) -> Dict[int, float]:
        """AP of every category that has a real instance, by its id."""
        return {
            key: _mean(self.precision[..., k])
            for k, key in enumerate(self.category_ids)
            if not np.isnan(self.precision[..., k]).all()
        }


def _threshold(value: float) -> int:
    return int(np.abs(IOU_THRESHOLDS - value).argmin())


def _mean(values: np.ndarray) -> float:
    valid = values[~np.isnan(values)]
    return float(valid.mean()) if valid.size else float('nan')


def track_iou(
    first: Sequence[_MaskPath], second: Sequence[_MaskPath]
) -> np.ndarray:
    """Compute the spatio-temporal IoU of all pairs of tracks of a video.

    Args:
        first (Sequence): D tracks, each a list of T masks or None.
        second (Sequence): G tracks likewise.

    Returns:
        np.ndarray: float64, (D, G); 0 where both tracks are empty.
    """
    inter = np.zeros((len(first), len(second)))
    if not inter.size:
        return inter
    size_one, size_two = np.zeros(len(first)), np.zeros(len(second))
    for frame in range(len(first[0])):
        one = [d for d, path in enumerate(first) if path[frame] is not None]
        two = [g for g, path in enumerate(second) if path[frame] is not None]
        masks_one = [first[d][frame] for d in one]
        masks_two = [second[g][frame] for g in two]
        area_one = areas(masks_one)  # type: ignore[arg-type]
        size_one[one] += area_one
        size_two[two] += areas(masks_two)  # type: ignore[arg-type]
        if one and two:
            # For a crowd COCO divides by the area of the first mask alone,
            # which gives the intersections of all pairs in one call.
            crowd = np.ones(len(two), np.uint8)
            share = np.asarray(coco_mask.iou(masks_one, masks_two, crowd))
            inter[np.ix_(one, two)] += np.rint(share * area_one[:, None])
    union = size_one[:, None] + size_two[None] - inter
    return np.divide(inter, union, out=np.zeros_like(inter), where=union > 0)


@dataclass
class _Matches:
    """What became of the predictions of one video and category."""

    scores: np.ndarray  # (D,), descending
    matched: np.ndarray  # bool, (10, D)
    ignored: np.ndarray  # bool, (10, D)
    num_real: int


def evaluate_tracks(
    predictions: Iterable[Mapping[str, Any]],
    truth: VideoAnnotations,
    category_ids: Optional[Sequence[int]] = None,
) -> TrackAP:
    """Judge predicted tracks.

    The numbers equal those of the public YouTube-VIS evaluation. Crowds are
    neither missed nor false.

    Args:
        predictions (Iterable[Mapping]): Entries of a results.json:
            ``video_id``, ``category_id``, ``score`` and ``segmentations``
            (per frame a compressed RLE or None).
        truth (VideoAnnotations): Read with ``with_masks=True``.
        category_ids (Sequence[int], optional): Categories that count; all
            of the file by default.

    Returns:
        TrackAP: Precision and recall.

    Raises:
        AnnotationError: If ``truth`` has an instance without
            ``segmentations``.
    """
    if category_ids is None:
        category_ids = [category['id'] for category in truth.categories]
    real = _group_truth(truth)
    guesses: Dict[Tuple[int, int], List[Mapping[str, Any]]] = {}
    for entry in predictions:
        key = (entry['video_id'], entry['category_id'])
        guesses.setdefault(key, []).append(entry)
    shape = (len(IOU_THRESHOLDS), len(category_ids))
    result = TrackAP(
        tuple(category_ids),
        np.full((shape[0], len(RECALL_THRESHOLDS), shape[1]), np.nan),
        {number: np.full(shape, np.nan) for number in MAX_TRACKS},
    )
    for k, category in enumerate(category_ids):
        matches = [
            _match(
                guesses.get((video, category), ()),
                real.get((video, category), ()),
            )
            for video in sorted(truth.videos)
        ]
        if not sum(m.num_real for m in matches):
            continue
        for number in MAX_TRACKS:
            precision, recall = _accumulate(matches, number)
            result.recall[number][:, k] = recall
        result.precision[..., k] = precision
    return result


def _group_truth(
    truth: VideoAnnotations,
) -> Dict[Tuple[int, int], List[BoxTrack]]:
    groups: Dict[Tuple[int, int], List[BoxTrack]] = {}
    for track in truth:
        if track.segmentations is None:
            raise AnnotationError(
                'no masks to compare with',
                file=truth.file,
                video=track.video_id,
                instance=track.id,
                fix='name a file with "segmentations"',
            )
        key = (track.video_id, track.category_id)
        groups.setdefault(key, []).append(track)
    return groups


def _match(
    guesses: Sequence[Mapping[str, Any]], real: Sequence[BoxTrack]
) -> _Matches:
    """Match greedily, best score first, as COCO does."""
    scores = np.array([guess['score'] for guess in guesses], float)
    order = np.argsort(-scores, kind='stable')[: MAX_TRACKS[-1]]
    real = sorted(real, key=lambda track: track.iscrowd)
    crowd = np.array([track.iscrowd for track in real], bool)
    ious = track_iou(
        [guesses[i]['segmentations'] for i in order],
        [track.segmentations for track in real],  # type: ignore[misc]
    )
    shape = (len(IOU_THRESHOLDS), len(order))
    matched, ignored = np.zeros(shape, bool), np.zeros(shape, bool)
    for t, threshold in enumerate(IOU_THRESHOLDS):
        free = np.ones(len(real), bool)
        for d in range(len(order)):
            g = _best(ious[d], free, crowd, min(threshold, 1 - 1e-10))
            if g is not None:
                matched[t, d], ignored[t, d] = True, crowd[g]
                free[g] = crowd[g]  # a crowd takes any number
    return _Matches(scores[order], matched, ignored, int((~crowd).sum()))


def _best(
    ious: np.ndarray, free: np.ndarray, crowd: np.ndarray, threshold: float
) -> Optional[int]:
    """Find the free instance of highest IoU; the last one wins a tie."""
    for group in (~crowd, crowd):
        usable = np.flatnonzero(free & group & (ious >= threshold))
        if usable.size:
            return int(usable[::-1][ious[usable][::-1].argmax()])
    return None


def _accumulate(
    matches: Sequence[_Matches], max_tracks: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Compute interpolated precision (10, 101) and final recall (10,)."""
    scores = np.concatenate([m.scores[:max_tracks] for m in matches])
    order = np.argsort(-scores, kind='stable')
    matched = np.concatenate([m.matched[:, :max_tracks] for m in matches], 1)
    ignored = np.concatenate([m.ignored[:, :max_tracks] for m in matches], 1)
    matched, ignored = matched[:, order], ignored[:, order]
    right = np.cumsum(matched & ~ignored, axis=1).astype(float)
    wrong = np.cumsum(~matched & ~ignored, axis=1).astype(float)
    recall = right / sum(m.num_real for m in matches)
    precision = right / (right + wrong + np.spacing(1))
    # Precision at a recall is the best one at that recall or beyond.
    precision = np.maximum.accumulate(precision[:, ::-1], axis=1)[:, ::-1]
    sampled = np.zeros((len(recall), len(RECALL_THRESHOLDS)))
    for t, row in enumerate(recall):
        at = np.searchsorted(row, RECALL_THRESHOLDS, side='left')
        reached = at < len(row)
        sampled[t, reached] = precision[t, at[reached]]
    final = recall[:, -1] if recall.shape[1] else np.zeros(len(recall))
    return sampled, final
