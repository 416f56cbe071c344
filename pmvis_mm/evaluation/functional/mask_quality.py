"""How good are pseudo masks, where real masks are at hand."""

from dataclasses import dataclass, field
from typing import Dict, List, Optional, Sequence, Tuple

import numpy as np

from ...structures import RLE, BoxTrack, PseudoMaskSet, VideoAnnotations
from ...structures.rle import decode, mask_iou
from ...utils.errors import AnnotationError
from .boundary import boundary_f

THRESHOLDS = (0.5, 0.75, 0.9)


@dataclass
class MaskQuality:
    """IoU of pseudo masks with real masks, one entry per real mask.

    Attributes:
        ious (dict): (annotation id, frame) -> IoU; 0 where the set has no
            mask.
        present (dict): (annotation id, frame) -> whether the set has a mask.
        video_of (dict): annotation id -> video id.
        boundary (dict): (annotation id, frame) -> F of the outline, 0 where
            the set has no mask; empty unless asked for.
    """

    ious: Dict[Tuple[int, int], float] = field(default_factory=dict)
    present: Dict[Tuple[int, int], bool] = field(default_factory=dict)
    video_of: Dict[int, int] = field(default_factory=dict)
    boundary: Dict[Tuple[int, int], float] = field(default_factory=dict)

    def summary(self) -> Dict[str, float]:
        """Summarise over all real masks.

        Returns:
            dict: ``miou`` (a missing mask counts 0), ``miou_present`` (over
            the masks that exist), ``coverage`` (share that exists) and the
            share of all with an IoU of at least 0.5, 0.75 and 0.9
            (``above_50`` ...); NaN without real masks. Where outlines were
            judged, ``boundary_f``, their mean F, too.
        """
        return self._summary(list(self.ious))

    def per_video(self) -> Dict[int, Dict[str, float]]:
        """Summarise each video; see :meth:`summary`."""
        keys: Dict[int, List[Tuple[int, int]]] = {}
        for key in self.ious:
            keys.setdefault(self.video_of[key[0]], []).append(key)
        return {video: self._summary(group) for video, group in keys.items()}

    def _summary(self, keys: Sequence[Tuple[int, int]]) -> Dict[str, float]:
        result = _summarise(
            np.array([self.ious[key] for key in keys]),
            np.array([self.present[key] for key in keys], dtype=bool),
        )
        if self.boundary:
            values = [self.boundary[key] for key in keys]
            result['boundary_f'] = float(np.mean(values))
        return result


def _summarise(ious: np.ndarray, present: np.ndarray) -> Dict[str, float]:
    if not len(ious):
        names = ['miou', 'miou_present', 'coverage']
        names += [f'above_{int(100 * t)}' for t in THRESHOLDS]
        return dict.fromkeys(names, float('nan'))
    result = dict(
        miou=float(ious.mean()),
        miou_present=float(ious[present].mean()) if present.any() else 0.0,
        coverage=float(present.mean()),
    )
    for threshold in THRESHOLDS:
        result[f'above_{int(100 * threshold)}'] = float(
            (ious >= threshold).mean()
        )
    return result


def real_masks(
    track: BoxTrack, truth: VideoAnnotations
) -> List[Optional[RLE]]:
    """Give the real masks of an instance.

    Args:
        track (BoxTrack): One of ``truth``.
        truth (VideoAnnotations): Read with ``with_masks=True``.

    Returns:
        list[RLE | None]: One per frame of the video.

    Raises:
        AnnotationError: If there are none.
    """
    if track.segmentations is None:
        raise AnnotationError(
            'no masks to compare with',
            file=truth.file,
            video=track.video_id,
            instance=track.id,
            fix='name a file with "segmentations"',
        )
    return track.segmentations


def measure_masks(
    masks: PseudoMaskSet, truth: VideoAnnotations, boundary: bool = False
) -> MaskQuality:
    """Compare a set with real masks.

    Args:
        masks (PseudoMaskSet): What to judge.
        truth (VideoAnnotations): Read with ``with_masks=True``.
        boundary (bool): Judge outlines, too; several times slower, see
            :func:`~pmvis_mm.evaluation.functional.boundary_f`. Defaults to
            False.

    Returns:
        MaskQuality: One IoU for every real mask that has a box, too.

    Raises:
        AnnotationError: If ``truth`` holds no masks.
        MaskSetError: If ``masks`` is about other videos.
    """
    masks.check_same_videos(truth, truth.file or '')
    result = MaskQuality()
    found = {track.id: track for track in masks}
    for track in truth:
        result.video_of[track.id] = track.video_id
        guess = found.get(track.id)
        for frame, real in enumerate(real_masks(track, truth)):
            if real is None or track.boxes[frame] is None:
                continue
            mask = None if guess is None else guess.masks[frame]
            iou = 0.0 if mask is None else mask_iou([mask], [real])[0, 0]
            result.ious[track.id, frame] = float(iou)
            result.present[track.id, frame] = mask is not None
            if boundary:
                result.boundary[track.id, frame] = _outline(mask, real)
    return result


def _outline(mask: Optional[RLE], real: RLE) -> float:
    return 0.0 if mask is None else boundary_f(decode(mask), decode(real))


def oracle(candidates: Sequence[MaskQuality]) -> MaskQuality:
    """Take the best candidate for every mask: the bound of any selector.

    Args:
        candidates (Sequence[MaskQuality]): Judged against the same masks.

    Returns:
        MaskQuality: Per mask the highest IoU, with the outline of the
        candidate that has it; present where any is.

    Raises:
        ValueError: If there is no candidate.
    """
    if not candidates:
        raise ValueError('an oracle needs at least one candidate')
    result = MaskQuality(video_of=dict(candidates[0].video_of))
    for key in candidates[0].ious:
        best = max(candidates, key=lambda c: c.ious[key])
        result.ious[key] = best.ious[key]
        result.present[key] = any(c.present[key] for c in candidates)
        if all(c.boundary for c in candidates):
            result.boundary[key] = best.boundary[key]
    return result
