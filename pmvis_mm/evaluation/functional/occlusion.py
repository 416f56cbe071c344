"""How far instances are hidden by others."""

from typing import Any, List, Optional, Sequence

import numpy as np

from ...structures import Box, BoxTrack
from ...utils.errors import AnnotationError

# The words of OVIS, from best to worst seen.
LEVELS = ('no_occlusion', 'slight_occlusion', 'severe_occlusion')
# From this share of the box on, an instance counts as hidden severely.
SEVERE_FROM = 0.5


def overlap_shares(boxes: Sequence[Box]) -> np.ndarray:
    """Compute the share of each box that lies in any of the others.

    Args:
        boxes (Sequence[Box]): N half-open xyxy boxes, pixels.

    Returns:
        np.ndarray: float64, (N, ), in [0, 1].
    """
    if not len(boxes):
        return np.zeros(0)
    areas, inside, number = _cells(boxes)
    own = (areas * inside).sum((1, 2))
    common = (areas * (inside & (number > 1))).sum((1, 2))
    return np.divide(common, own, out=np.zeros_like(own), where=own > 0)


def _cells(boxes: Sequence[Box]) -> Any:
    """Cut the frame at all edges.

    Returns:
        tuple: Areas of the cells, (Y, X); whether they lie in each of the
        boxes, bool, (N, Y, X); in how many they lie, (Y, X).
    """
    x0, y0, x1, y1 = np.asarray(boxes, float).T[:, :, None]
    xs, ys = np.unique([x0, x1]), np.unique([y0, y1])
    columns = (x0 <= xs[:-1]) & (xs[:-1] < x1)
    rows = (y0 <= ys[:-1]) & (ys[:-1] < y1)
    inside = rows[:, :, None] & columns[:, None]
    return np.outer(np.diff(ys), np.diff(xs)), inside, inside.sum(0)


def occlusion_levels(
    tracks: Sequence[BoxTrack], file: Optional[str] = None
) -> List[List[Optional[str]]]:
    """Grade how far the instances of a video are hidden.

    What the annotation says counts. Where it says nothing, boxes tell: no
    overlap with another instance's box is ``no_occlusion``, less than half
    of the box ``slight_occlusion``, else ``severe_occlusion``. The latter
    cannot know which of two instances is in front.

    Args:
        tracks (Sequence[BoxTrack]): All of a video, read with
            ``with_masks=True``.
        file (str, optional): Where they are from, for messages.

    Returns:
        list[list[str | None]]: Per track and frame a word of
        :data:`LEVELS`; None where a track has no box.

    Raises:
        AnnotationError: If "occlusion" holds something else.
    """
    levels: List[List[Optional[str]]] = [
        _annotated(track, file) for track in tracks
    ]
    length = len(tracks[0].boxes) if tracks else 0
    for frame in range(length):
        here = [
            (number, track.boxes[frame])
            for number, track in enumerate(tracks)
            if track.boxes[frame] is not None
        ]
        if all(levels[number][frame] is not None for number, _ in here):
            continue
        shares = overlap_shares([box for _, box in here if box is not None])
        for (number, _), share in zip(here, shares):
            if levels[number][frame] is None:
                levels[number][frame] = _grade(share)
    return levels


def _grade(share: float) -> str:
    if share >= SEVERE_FROM:
        return LEVELS[2]
    return LEVELS[1] if share > 0 else LEVELS[0]


def _annotated(track: BoxTrack, file: Optional[str]) -> List[Optional[str]]:
    """Read the words of one annotation."""
    length, words = len(track.boxes), track.occlusion
    if words is None:
        return [None] * length
    where = dict(file=file, video=track.video_id, instance=track.id)
    if not isinstance(words, list) or len(words) != length:
        got = len(words) if isinstance(words, list) else repr(words)
        raise AnnotationError(
            f'"occlusion" has length {got} but the video has {length} frames',
            fix='one word or null for every frame, or remove it',
            **where,
        )
    for frame, word in enumerate(words):
        if word is not None and word not in LEVELS:
            raise AnnotationError(
                f'"occlusion" is {word!r}',
                frame=frame,
                fix=f'use one of {list(LEVELS)}, or null',
                **where,
            )
    return [
        None if box is None else word for box, word in zip(track.boxes, words)
    ]
