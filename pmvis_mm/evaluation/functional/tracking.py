"""Tracking numbers (HOTA, MOTA, IDF1, ...) from the package TrackEval.

Nothing of the measures is ours: `TrackEval
<https://github.com/JonathonLuiten/TrackEval>`_ computes them; here tracks
become what it reads, video by video, with the IoU of masks as similarity.
"""

import contextlib
import io
from dataclasses import dataclass
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
)

import numpy as np

from ...structures import BoxTrack, PseudoMaskSet, VideoAnnotations
from ...utils.errors import ConfigError
from .track_ap import group_by_video
from .track_sequence import drop_doubles, sequence_data

FAMILIES = ('HOTA', 'CLEAR', 'Identity', 'JAndF')
# The one category that is left when classes do not count.
ANY_CLASS = -1

# TrackEval's results of a sequence by category and family.
VideoTracking = Dict[int, Dict[str, Dict[str, Any]]]


@dataclass(frozen=True)
class TrackingOptions:
    """How tracks are judged.

    Attributes:
        score_thr (float): Predictions of a lower score are left out: these
            measures do not look at scores, and VIS models keep many
            doubtful tracks. Defaults to 0.3.
        class_agnostic (bool): Whether all categories are one. Predictions
            with the very same masks, one track with several classes, are
            one then. Defaults to False: categories are judged one by one
            and averaged.
        families (tuple[str]): Names of TrackEval's measures: of 'HOTA',
            'CLEAR', 'Identity', 'JAndF'. The last one assigns tracks by
            J, takes all frames and does not mind false tracks; it is slow.
            Defaults to the first three.

    Raises:
        ConfigError: If a family is unknown, or none is given.
    """

    score_thr: float = 0.3
    class_agnostic: bool = False
    families: Tuple[str, ...] = FAMILIES[:3]

    def __post_init__(self) -> None:
        object.__setattr__(self, 'families', tuple(self.families))
        unknown = [name for name in self.families if name not in FAMILIES]
        if unknown or not self.families:
            raise ConfigError(
                f'families={list(self.families)!r}',
                fix=f'choose from {list(FAMILIES)}',
            )


@dataclass
class TrackingQuality:
    """TrackEval's figures, by TrackEval's names.

    Shares are in [0, 1] (MOTA may be negative), not percent; those of HOTA
    are means over its 19 thresholds. Counts (``IDSW``, ``MT``, ``Frag``,
    ``CLR_FP``, ...) are int and summed.

    Attributes:
        overall (dict[str, float]): Averaged over ``categories``; empty
            without any real or predicted instance.
        categories (dict[int, dict]): Over all videos, by category id
            (:data:`ANY_CLASS` if classes do not count); only categories with
            a real or predicted instance.
        videos (dict[int, dict]): Averaged over the categories of a video, by
            its id; only videos with any such instance.
    """

    overall: Dict[str, float]
    categories: Dict[int, Dict[str, float]]
    videos: Dict[int, Dict[str, float]]


def load_measures(families: Sequence[str]) -> Dict[str, Any]:
    """Create TrackEval's measures.

    Args:
        families (Sequence[str]): Their names.

    Returns:
        dict: By name.

    Raises:
        ConfigError: If TrackEval is not installed.
    """
    try:
        # It prints what optional parts of it cannot be imported.
        with contextlib.redirect_stdout(io.StringIO()):
            from trackeval import metrics
    except ImportError as reason:
        raise ConfigError(
            f'tracking numbers need the package trackeval ({reason})',
            fix='pip install trackeval',
        ) from None
    quiet = dict(PRINT_CONFIG=False)
    return {name: getattr(metrics, name)(quiet) for name in families}


def judge_tracking(
    entries: Iterable[Mapping[str, Any]],
    tracks: Sequence[BoxTrack],
    options: Optional[TrackingOptions] = None,
) -> VideoTracking:
    """Judge the tracks of one video.

    Args:
        entries (Iterable[Mapping]): Predictions: ``category_id``, ``score``
            and ``segmentations`` (per frame a compressed RLE or None).
        tracks (Sequence[BoxTrack]): Real instances with masks. As in MOTS,
            predictions that are matched with no instance and lie to more
            than half in a crowd do not count.
        options (TrackingOptions, optional): See there.

    Returns:
        VideoTracking: For :func:`combine_tracking`; small, without masks.

    Raises:
        ConfigError: If TrackEval is not installed.
    """
    options = options or TrackingOptions()
    measures = load_measures(options.families)
    guesses: Dict[int, List[Any]] = {}
    usable = [e for e in entries if e['score'] >= options.score_thr]
    if options.class_agnostic:
        usable = drop_doubles(usable)
    for entry in usable:
        key = ANY_CLASS if options.class_agnostic else entry['category_id']
        guesses.setdefault(key, []).append(entry['segmentations'])
    real: Dict[int, List[BoxTrack]] = {}
    for track in tracks:
        key = ANY_CLASS if options.class_agnostic else track.category_id
        real.setdefault(key, []).append(track)
    result: VideoTracking = {}
    for key in sorted({*guesses, *real}):
        data = sequence_data(
            guesses.get(key, ()), real.get(key, ()), 'JAndF' in measures
        )
        if data['num_gt_dets'] or data['num_tracker_dets']:
            result[key] = {
                name: measure.eval_sequence(data)
                for name, measure in measures.items()
                if name != 'JAndF' or data['num_gt_dets']
            }
    return result


def combine_tracking(
    videos: Mapping[int, VideoTracking],
    families: Sequence[str] = FAMILIES[:3],
) -> TrackingQuality:
    """Join what was found in single videos.

    Args:
        videos (Mapping): Video id -> result of :func:`judge_tracking`.
        families (Sequence[str]): Those that were judged.

    Returns:
        TrackingQuality: Over sequences as TrackEval combines them, then
        averaged over the categories that have a real or predicted instance.

    Raises:
        ConfigError: If TrackEval is not installed.
    """
    measures = load_measures(families)
    categories: VideoTracking = {}
    for key in sorted({key for found in videos.values() for key in found}):
        categories[key] = {}
        for name, measure in measures.items():
            parts = {
                str(video): found[key][name]
                for video, found in sorted(videos.items())
                if name in found.get(key, {})
            }
            if parts:
                categories[key][name] = measure.combine_sequences(parts)
    return TrackingQuality(
        _average(categories, measures),
        {k: _average({k: v}, measures) for k, v in categories.items()},
        {
            video: _average(found, measures)
            for video, found in sorted(videos.items())
            if found
        },
    )


def _average(
    categories: VideoTracking, measures: Mapping[str, Any]
) -> Dict[str, float]:
    """Average over categories, none of which is empty."""
    figures: Dict[str, float] = {}
    for name, measure in measures.items():
        parts = {k: v[name] for k, v in categories.items() if name in v}
        if not parts:
            continue
        result = measure.combine_classes_class_averaged(parts)
        for key in measure.summary_fields:
            if key in measure.integer_fields:
                figures[key] = int(result[key])
            elif not key.endswith('(0)'):  # at one threshold
                figures[key] = float(np.mean(result[key]))
    return figures


def evaluate_tracking(
    predictions: Iterable[Mapping[str, Any]],
    truth: VideoAnnotations,
    category_ids: Optional[Collection[int]] = None,
    options: Optional[TrackingOptions] = None,
) -> TrackingQuality:
    """Judge predicted tracks of many videos.

    Args:
        predictions (Iterable[Mapping]): Entries of a results.json:
            ``video_id``, ``category_id``, ``score`` and ``segmentations``
            (per frame a compressed RLE or None); see also
            :func:`set_entries`.
        truth (VideoAnnotations): Read with ``with_masks=True``.
        category_ids (Collection[int], optional): Categories that count; all
            of the file by default.
        options (TrackingOptions, optional): See there.

    Returns:
        TrackingQuality: Over all videos of ``truth``.

    Raises:
        AnnotationError: If ``truth`` has an instance without masks.
        ConfigError: If TrackEval is not installed.
        ResultsError: If a prediction does not fit ``truth``.
    """
    options = options or TrackingOptions()
    if category_ids is None:
        category_ids = [category['id'] for category in truth.categories]
    wanted = set(category_ids)
    videos = {}
    for key, entries in group_by_video(predictions, truth).items():
        videos[key] = judge_tracking(
            [e for e in entries if e['category_id'] in wanted],
            [t for t in truth.tracks[key] if t.category_id in wanted],
            options,
        )
    return combine_tracking(videos, options.families)


def set_entries(masks: PseudoMaskSet) -> Iterator[Dict[str, Any]]:
    """Turn pseudo masks into predictions.

    Args:
        masks (PseudoMaskSet): One mask or none per instance and frame.

    Yields:
        dict: As of a results.json, with score 1.
    """
    for track in masks:
        yield dict(
            video_id=track.video_id,
            category_id=track.category_id,
            score=1.0,
            segmentations=track.masks,
        )
