"""What is wrong with predicted tracks, and what mending it would bring.

Each false positive of AP50 gets one kind, the first of these that fits, and
each real instance that nothing was matched to is missed. "IoU" is that of
whole tracks, as in AP; "covers" means an IoU of at least 0.5. Crowds are
left out, and so are predictions that AP does not count.

1. ``duplicate``: it covers an instance of its class, which a better
   prediction has taken.
2. ``classification``: it covers an instance of another class.
3. ``identity_switch``: its masks are right but belong to several instances.
   In each of its frames it is compared with the instance of its class of
   highest IoU in this frame; summed over its frames that is an IoU of at
   least 0.5, and at least two instances reach 0.5 as that instance in a
   tenth of its frames each.
4. ``localization_time``: in the frames that it shares with an instance of
   its class the IoU is at least 0.5; it begins, ends or pauses at wrong
   frames.
5. ``localization_space``: its IoU with an instance of its class is at least
   0.1; its masks are wrong.
6. ``background``: all others.

The gain of a kind is how much AP50 would rise if only this kind were mended.
Duplicates and background go away. The others become a hit, at their score,
of the instance that made them of this kind (of an identity switch: the one
of most frames), under its class, unless that instance is found already; then
they go away. Missed instances are found, ahead of all other predictions.
This is in the spirit of TIDE (`arXiv:2008.08115
<https://arxiv.org/abs/2008.08115>`_), but not its definition: that knows
neither tracks nor time.
"""

from dataclasses import dataclass
from typing import (
    Any,
    Dict,
    Iterable,
    List,
    Mapping,
    NamedTuple,
    Optional,
    Sequence,
    Tuple,
)

import numpy as np

from ...structures import BoxTrack, VideoAnnotations
from .track_ap import group_by_video, interpolate
from .track_iou import frame_areas, iter_intersections
from .track_matching import JudgedTracks, match, rank, real_paths

KINDS = (
    'duplicate',
    'classification',
    'identity_switch',
    'localization_time',
    'localization_space',
    'background',
)
MISSED = 'missed'

COVERS, NEAR, SHARE = 0.5, 0.1, 0.1


class ErrorRows(NamedTuple):
    """Predictions of one category in one video, best score first.

    Attributes:
        scores (np.ndarray): float64, (D,), descending.
        matched (np.ndarray): bool, (D,), at an IoU of 0.5.
        ignored (np.ndarray): bool, (D,), neither right nor wrong.
        kinds (np.ndarray): int64, (D,), index into ``KINDS``; -1: no error.
        targets (np.ndarray): int64, (D,), instance of the video that a
            mended prediction would find; -1: none.
    """

    scores: np.ndarray
    matched: np.ndarray
    ignored: np.ndarray
    kinds: np.ndarray
    targets: np.ndarray


@dataclass
class VideoErrors:
    """What is wrong in one video; a few kilobytes.

    Attributes:
        video_id (int): Of the video.
        rows (dict[int, ErrorRows]): By category id.
        real_categories (np.ndarray): int64, (G,), of the real instances.
        found (np.ndarray): bool, (G,), whether one was matched.
        counted (np.ndarray): bool, (G,), whether it is no crowd.
    """

    video_id: int
    rows: Dict[int, ErrorRows]
    real_categories: np.ndarray
    found: np.ndarray
    counted: np.ndarray


@dataclass
class TrackErrors:
    """Errors of a set of predicted tracks.

    Attributes:
        ap50 (float): AP50 of the predictions as they are.
        counts (dict[str, int]): Errors of each kind, ``missed`` included.
        gains (dict[str, float]): By how much AP50 would rise, in [-1, 1];
            NaN without any real instance.
    """

    ap50: float
    counts: Dict[str, int]
    gains: Dict[str, float]

    def flat(self) -> Dict[str, float]:
        """Name all numbers ``error_<kind>`` and ``error_<kind>_count``."""
        values: Dict[str, float] = {}
        for kind, gain in self.gains.items():
            values[f'error_{kind}'] = gain
            values[f'error_{kind}_count'] = self.counts[kind]
        return values


def find_track_errors(
    predictions: Iterable[Mapping[str, Any]],
    truth: VideoAnnotations,
    category_ids: Optional[Sequence[int]] = None,
) -> TrackErrors:
    """Find out what is wrong with predicted tracks.

    Arguments and errors as in :func:`evaluate_tracks`.

    Returns:
        TrackErrors: Errors by kind, see the module.
    """
    if category_ids is None:
        category_ids = [category['id'] for category in truth.categories]
    guesses = group_by_video(predictions, truth)
    videos = [
        find_video_errors(key, entries, truth.tracks[key])
        for key, entries in guesses.items()
    ]
    return summarize_errors(videos, category_ids)


def find_video_errors(
    video_id: int,
    predictions: Sequence[Mapping[str, Any]],
    real: Sequence[BoxTrack],
) -> VideoErrors:
    """Find out what is wrong in one video.

    Args:
        video_id (int): Of the video.
        predictions (Sequence[Mapping]): As in :func:`judge_video`.
        real (Sequence[BoxTrack]): Real instances with masks.

    Returns:
        VideoErrors: All that is needed further on.
    """
    members: Dict[int, List[int]] = {}
    for i, entry in enumerate(predictions):
        members.setdefault(entry['category_id'], []).append(i)
    chosen: List[int] = []
    slices: Dict[int, slice] = {}
    for category, own in sorted(members.items()):
        best = rank([predictions[i]['score'] for i in own])
        slices[category] = slice(len(chosen), len(chosen) + len(best))
        chosen.extend(own[i] for i in best)
    entries = [predictions[i] for i in chosen]
    view = _Overlaps(entries, real)
    found = np.zeros(len(real), bool)
    rows = {
        key: _judge(view, part, key, np.array(scores), found)
        for key, part, scores in (
            (key, part, [e['score'] for e in entries[part]])
            for key, part in slices.items()
        )
    }
    return VideoErrors(
        video_id, rows, view.real_categories, found, ~view.crowd
    )


class _Overlaps:
    """How D predictions of a video lie on its G real instances.

    Attributes:
        iou (np.ndarray): float64, (D, G), of whole tracks.
        shared_iou (np.ndarray): float64, (D, G), over the frames in which
            both have a mask.
        best_iou (np.ndarray): float64, (D,), with the best instance of its
            class in each of its frames.
        wins (np.ndarray): int64, (D, G), frames in which an instance is the
            best one and reaches an IoU of 0.5.
        frames (np.ndarray): int64, (D,), number of its frames.
    """

    def __init__(
        self, entries: Sequence[Mapping[str, Any]], real: Sequence[BoxTrack]
    ) -> None:
        self.real_categories = np.array([t.category_id for t in real], int)
        self.crowd = np.array([track.iscrowd for track in real], bool)
        categories = np.array([e['category_id'] for e in entries], int)
        self.same = categories[:, None] == self.real_categories
        self.same &= ~self.crowd
        first = [entry['segmentations'] for entry in entries]
        self._measure(first, real_paths(real))

    def _measure(self, first: list, second: list) -> None:
        sizes, others = frame_areas(first), frame_areas(second)
        inter, shared = np.zeros((2, *self.same.shape))
        self.wins = np.zeros(self.same.shape, int)
        self.frames = (sizes > 0).sum(1)
        best_inter = np.zeros(len(first))
        best_union = sizes.sum(1).astype(float)
        for part, common in iter_intersections(first, second, sizes):
            own = sizes[:, part].T[:, :, None]
            union = own + others[:, part].T[:, None] - common
            both = (own > 0) & (others[:, part].T[:, None] > 0)
            inter += common.sum(0)
            shared += np.where(both, union, 0).sum(0)
            value = np.where(self.same, _divide(common, union), 0)
            best = value.argmax(2)[:, :, None]
            top = np.take_along_axis(value, best, 2)
            overlaps = np.take_along_axis(common, best, 2)
            grown = np.take_along_axis(union, best, 2) - own
            best_inter += np.where(top > 0, overlaps, 0).sum((0, 2))
            best_union += np.where(top > 0, grown, 0).sum((0, 2))
            frames, rows = np.nonzero(top[:, :, 0] >= COVERS)
            np.add.at(self.wins, (rows, best[frames, rows, 0]), 1)
        whole = sizes.sum(1)[:, None] + others.sum(1) - inter
        self.iou = _divide(inter, whole)
        self.shared_iou = _divide(inter, shared)
        self.best_iou = _divide(best_inter, best_union)

    def kind(self, d: int) -> Tuple[str, int]:
        """Tell the kind of a false positive and the instance it is about."""
        same = self.same[d]
        near = np.where(same, self.iou[d], 0)
        other = np.where(same | self.crowd, 0, self.iou[d])
        if (near >= COVERS).any():
            return 'duplicate', -1
        if (other >= COVERS).any():
            return 'classification', int(other.argmax())
        often = self.wins[d] >= max(SHARE * self.frames[d], 1)
        if self.best_iou[d] >= COVERS and often.sum() > 1:
            return 'identity_switch', int(self.wins[d].argmax())
        in_place = np.where(self.shared_iou[d] >= COVERS, near, 0)
        if in_place.any():
            return 'localization_time', int(in_place.argmax())
        if (near >= NEAR).any():
            return 'localization_space', int(near.argmax())
        return 'background', -1


def _divide(inter: np.ndarray, union: np.ndarray) -> np.ndarray:
    zeros = np.zeros(np.shape(inter))
    return np.divide(inter, union, out=zeros, where=union > 0)


def _judge(
    view: _Overlaps,
    part: slice,
    category: int,
    scores: np.ndarray,
    found: np.ndarray,
) -> ErrorRows:
    """Judge the predictions of a category; enters what they find."""
    own = np.flatnonzero(view.real_categories == category)
    empty = np.zeros(len(scores)), np.zeros(len(own))
    matches = match(
        JudgedTracks(
            scores.astype(float),
            empty[0],
            view.iou[part][:, own],
            empty[1],
            view.crowd[own],
        )
    )
    matched, ignored = matches.matched[0], matches.ignored[0]
    hits = matches.found[0][matched & ~ignored]
    found[own[hits]] = True
    kinds, targets = np.full((2, len(scores)), -1)
    for d in np.flatnonzero(~matched & ~ignored):
        name, targets[d] = view.kind(part.start + int(d))
        kinds[d] = KINDS.index(name)
    return ErrorRows(matches.scores, matched, ignored, kinds, targets)


# ------------------------------------------------------------------ summary
def summarize_errors(
    videos: Iterable[VideoErrors], category_ids: Sequence[int]
) -> TrackErrors:
    """Count errors and compute what mending each kind would bring.

    Args:
        videos (Iterable[VideoErrors]): All videos, in any order.
        category_ids (Sequence[int]): Categories that count.

    Returns:
        TrackErrors: Errors by kind.
    """
    ordered = sorted(videos, key=lambda video: video.video_id)
    wanted = set(category_ids)
    counts = dict.fromkeys((*KINDS, MISSED), 0)
    num_real: Dict[int, int] = dict.fromkeys(category_ids, 0)
    for video in ordered:
        for category, rows in video.rows.items():
            if category in wanted:
                for kind in rows.kinds[rows.kinds >= 0]:
                    counts[KINDS[kind]] += 1
        for g in np.flatnonzero(video.counted):
            category = int(video.real_categories[g])
            if category in wanted:
                num_real[category] += 1
                counts[MISSED] += int(not video.found[g])
    ap50 = _ap50(ordered, num_real, None)
    gains = {kind: _ap50(ordered, num_real, kind) - ap50 for kind in counts}
    return TrackErrors(ap50, counts, gains)


_Table = Tuple[np.ndarray, np.ndarray, np.ndarray]


def _ap50(
    videos: Sequence[VideoErrors],
    num_real: Mapping[int, int],
    mended: Optional[str],
) -> float:
    """AP50 with one kind of errors mended."""
    tables: Dict[int, List[_Table]] = {key: [] for key in num_real}
    for video in videos:
        for category, table in _tables(video, mended):
            if category in tables:
                tables[category].append(table)
    values = []
    for category, parts in tables.items():
        if not num_real[category]:
            continue
        empty = (np.zeros(0), np.zeros(0, bool), np.zeros(0, bool))
        scores, matched, ignored = (
            np.concatenate(column) for column in zip(*parts, empty)
        )
        order = np.argsort(-scores, kind='stable')
        precision, _ = interpolate(
            matched[None, order], ignored[None, order], num_real[category]
        )
        values.append(precision.mean())
    return float(np.mean(values)) if values else float('nan')


def _tables(
    video: VideoErrors, mended: Optional[str]
) -> Iterable[Tuple[int, _Table]]:
    """Scores, matched and ignored of a video, by category."""
    kind = KINDS.index(mended) if mended in KINDS else None
    wrong: List[Tuple[float, int]] = []
    for category, rows in video.rows.items():
        bad = rows.kinds == kind if kind is not None else rows.kinds < -1
        wrong.extend(zip(rows.scores[bad], rows.targets[bad]))
        yield (
            category,
            (rows.scores[~bad], rows.matched[~bad], rows.ignored[~bad]),
        )
    found = video.found.copy()
    if mended == MISSED:
        missing = np.flatnonzero(video.counted & ~video.found)
        wrong = [(np.inf, int(g)) for g in missing]
    for score, g in sorted(wrong, key=lambda item: -item[0]):
        if g >= 0 and not found[g]:
            found[g] = True
            table = (np.array([score]), np.ones(1, bool), np.zeros(1, bool))
            yield int(video.real_categories[g]), table
