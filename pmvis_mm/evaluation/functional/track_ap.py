"""Average precision and recall of video instance segmentation.

The protocol of YouTube-VIS (`arXiv:1905.04804
<https://arxiv.org/abs/1905.04804>`_, section 3.3): COCO's AP with the IoU of
whole tracks, intersections and unions summed over the frames.
"""

from concurrent.futures import ProcessPoolExecutor
from dataclasses import dataclass, field
from multiprocessing import get_context
from numbers import Integral
from typing import (
    Any,
    Collection,
    Dict,
    Iterable,
    Iterator,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import numpy as np

from ...structures import VideoAnnotations
from ...utils.errors import ConfigError
from .results_check import check_entry
from .track_matching import (
    AREA_RANGES,
    IOU_THRESHOLDS,
    MAX_TRACKS,
    JudgedVideo,
    Matches,
    judge_video,
    match,
    real_paths,
)

RECALL_THRESHOLDS = np.linspace(0, 1, 101)
SHORT_VIDEO = 36

# A number of frames: longer videos are long; or the ids of the long ones.
LongVideos = Union[int, Collection[int]]


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
        parts (dict[str, TrackAP]): The same for a part of the instances
            ('small', 'medium', 'large') or videos ('short', 'long').
    """

    category_ids: Tuple[int, ...]
    precision: np.ndarray
    recall: Dict[int, np.ndarray]
    parts: Dict[str, 'TrackAP'] = field(default_factory=dict)

    def summary(self) -> Dict[str, float]:
        """Average over categories and thresholds.

        Returns:
            dict: ``AP``, ``AP50``, ``AP75``, ``AR1`` and ``AR10``; ``AP_``
            and ``AR_`` (100 tracks) of every part; with parts by length
            also ``AP_short_long``, the mean of both APs. All in [0, 1],
            not rounded; NaN without any real instance.
        """
        found = dict(
            AP=_mean(self.precision),
            AP50=_mean(self.precision[_threshold(0.5)]),
            AP75=_mean(self.precision[_threshold(0.75)]),
            AR1=_mean(self.recall[1]),
            AR10=_mean(self.recall[10]),
        )
        for name, part in self.parts.items():
            found[f'AP_{name}'] = _mean(part.precision)
            found[f'AR_{name}'] = _mean(part.recall[MAX_TRACKS[-1]])
        if 'short' in self.parts and 'long' in self.parts:
            found['AP_short_long'] = (found['AP_short'] + found['AP_long']) / 2
        return found

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


def evaluate_tracks(
    predictions: Iterable[Mapping[str, Any]],
    truth: VideoAnnotations,
    category_ids: Optional[Sequence[int]] = None,
    sizes: bool = False,
    long_videos: Optional[LongVideos] = None,
    num_workers: int = 0,
) -> TrackAP:
    """Judge predicted tracks.

    The numbers equal those of the public YouTube-VIS evaluation, with two
    exceptions: it takes an instance of id 0 for "not matched", and the sizes
    of real instances from ``areas`` of the file, here they are counted.
    Crowds are neither missed nor false.

    Args:
        predictions (Iterable[Mapping]): Entries of a results.json:
            ``video_id``, ``category_id``, ``score`` and ``segmentations``
            (per frame a compressed RLE or None). Counts of masks are
            trusted; :func:`check_results` checks a file.
        truth (VideoAnnotations): Read with ``with_masks=True``.
        category_ids (Sequence[int], optional): Categories that count; all
            of the file by default.
        sizes (bool): Also by size of the object, see
            :func:`summarize_videos`. Defaults to False.
        long_videos (int | Collection[int], optional): Also by length of
            the video, see :func:`summarize_videos`. Defaults to None.
        num_workers (int): Processes that compare masks; 0: this one.
            Defaults to 0.

    Returns:
        TrackAP: Precision and recall.

    Raises:
        AnnotationError: If ``truth`` has an instance without
            ``segmentations``, or a prediction does not fit it: unknown
            video or category, score that is no number, another number of
            frames or another mask size.
    """
    judged = list(judge_videos(predictions, truth, num_workers))
    if category_ids is None:
        category_ids = [category['id'] for category in truth.categories]
    return summarize_videos(judged, category_ids, sizes, long_videos)


def judge_videos(
    predictions: Iterable[Mapping[str, Any]],
    truth: VideoAnnotations,
    num_workers: int = 0,
) -> Iterator[JudgedVideo]:
    """Compare all predictions with the truth, video by video.

    Arguments and errors as in :func:`evaluate_tracks`.

    Yields:
        JudgedVideo: For every video, by ascending id.
    """
    guesses = group_by_video(predictions, truth)
    tasks = (
        (key, truth.videos[key].length, entries, truth.tracks[key])
        for key, entries in guesses.items()
    )
    if num_workers <= 0:
        for task in tasks:
            yield judge_video(*task)
        return
    with ProcessPoolExecutor(num_workers, get_context('spawn')) as pool:
        yield from pool.map(_judge_task, tasks)


def group_by_video(
    predictions: Iterable[Mapping[str, Any]], truth: VideoAnnotations
) -> Dict[int, List[Mapping[str, Any]]]:
    """Check predictions and sort them by video.

    Arguments and errors as in :func:`evaluate_tracks`.

    Returns:
        dict: Video id, ascending -> its predictions; of all videos.
    """
    real_paths(list(truth), truth.file)  # all of them have masks
    guesses: Dict[int, List[Mapping[str, Any]]] = {
        key: [] for key in sorted(truth.videos)
    }
    categories = {category['id'] for category in truth.categories}
    for number, entry in enumerate(predictions):
        check_entry(entry, number, truth, categories)
        guesses[entry['video_id']].append(entry)
    return guesses


def _judge_task(task: tuple) -> JudgedVideo:
    return judge_video(*task)


def summarize_videos(
    videos: Iterable[JudgedVideo],
    category_ids: Sequence[int],
    sizes: bool = False,
    long_videos: Optional[LongVideos] = None,
) -> TrackAP:
    """Compute precision and recall from videos that are judged already.

    Args:
        videos (Iterable[JudgedVideo]): All videos, in any order.
        category_ids (Sequence[int]): Categories that count.
        sizes (bool): Also compute the parts 'small', 'medium' and 'large':
            the mean area of a track over the frames that show it is up to
            128 x 128 pixels, up to 256 x 256, or more. Real instances of
            another size are ignored, and so are predictions of another size
            that match nothing. Defaults to False.
        long_videos (int | Collection[int], optional): Also compute the
            parts 'short' and 'long': a number of frames that a short video
            has at most, or the ids of the long videos. YouTube-VIS 2022
            defines neither by a length: its long videos are those that it
            adds to the ones of 2021. Defaults to None.

    Returns:
        TrackAP: Precision and recall.
    """
    ordered = sorted(videos, key=lambda video: video.video_id)
    names = list(AREA_RANGES)[1:] if sizes else []
    result = _TableOfAP(category_ids)
    parts = {name: _TableOfAP(category_ids) for name in names}
    if long_videos is not None:
        parts.update(
            short=_TableOfAP(category_ids), long=_TableOfAP(category_ids)
        )
    for k, category in enumerate(category_ids):
        present = [v for v in ordered if category in v.tracks]
        matches = [match(v.tracks[category]) for v in present]
        result.fill(k, matches)
        for name in names:
            within = AREA_RANGES[name]
            parts[name].fill(
                k, [match(v.tracks[category], within) for v in present]
            )
        if long_videos is not None:
            is_long = [_is_long(video, long_videos) for video in present]
            for name, wanted in (('short', False), ('long', True)):
                parts[name].fill(
                    k, [m for m, x in zip(matches, is_long) if x == wanted]
                )
    return result.finish({name: t.finish() for name, t in parts.items()})


def check_long_videos(long_videos: Any) -> None:
    """Refuse what does not tell which videos are long.

    Args:
        long_videos (object): See :func:`evaluate_tracks`.

    Raises:
        ConfigError: If it is neither None, a number nor numbers.
    """
    fine = long_videos is None or isinstance(long_videos, Integral)
    if isinstance(long_videos, Collection) and not fine:
        fine = all(isinstance(key, Integral) for key in long_videos)
    if not fine:
        raise ConfigError(
            f'long_videos={long_videos!r} is no number and no list of ids',
            fix='give the most frames of a short video, or the ids of the '
            'long ones',
        )


def _is_long(video: JudgedVideo, long_videos: LongVideos) -> bool:
    if isinstance(long_videos, (int, np.integer)):
        return video.length > long_videos
    return video.video_id in long_videos


class _TableOfAP:
    """Precision and recall, filled category by category."""

    def __init__(self, category_ids: Sequence[int]) -> None:
        shape = (len(IOU_THRESHOLDS), len(category_ids))
        self.category_ids = tuple(category_ids)
        self.precision = np.full(
            (shape[0], len(RECALL_THRESHOLDS), shape[1]), np.nan
        )
        self.recall = {number: np.full(shape, np.nan) for number in MAX_TRACKS}

    def fill(self, column: int, matches: Sequence[Matches]) -> None:
        """Enter a category, from the matches of every video."""
        if not sum(m.num_real for m in matches):
            return
        for number in MAX_TRACKS:
            precision, recall = accumulate(matches, number)
            self.recall[number][:, column] = recall
        self.precision[..., column] = precision

    def finish(self, parts: Optional[Dict[str, TrackAP]] = None) -> TrackAP:
        """Return what was filled in."""
        return TrackAP(
            self.category_ids, self.precision, self.recall, parts or {}
        )


def accumulate(
    matches: Sequence[Matches], max_tracks: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Compute precision and recall of a category.

    Args:
        matches (Sequence[Matches]): Of every video, by ascending id.
        max_tracks (int): Predictions of a video that count.

    Returns:
        tuple: Interpolated precision, float64, (10, 101), and final recall,
        float64, (10,).
    """
    scores = np.concatenate([m.scores[:max_tracks] for m in matches])
    order = np.argsort(-scores, kind='stable')
    matched = np.concatenate([m.matched[:, :max_tracks] for m in matches], 1)
    ignored = np.concatenate([m.ignored[:, :max_tracks] for m in matches], 1)
    num_real = sum(m.num_real for m in matches)
    return interpolate(matched[:, order], ignored[:, order], num_real)


def interpolate(
    matched: np.ndarray, ignored: np.ndarray, num_real: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Compute precision at fixed recalls.

    Args:
        matched (np.ndarray): bool, (R, D), predictions by descending score.
        ignored (np.ndarray): bool, (R, D), neither right nor wrong.
        num_real (int): Real instances, at least one.

    Returns:
        tuple: Interpolated precision, float64, (R, 101), and final recall,
        float64, (R,).
    """
    right = np.cumsum(matched & ~ignored, axis=1).astype(float)
    wrong = np.cumsum(~matched & ~ignored, axis=1).astype(float)
    recall = right / num_real
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
