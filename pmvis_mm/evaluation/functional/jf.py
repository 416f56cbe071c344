"""J&F, the measures of video object segmentation.

J is the overlap of two masks, F how well their outlines agree
(`DAVIS <https://arxiv.org/abs/1704.00675>`_, section 4). The numbers are
those of the public ``davis2017-evaluation``: same outlines, same tolerance,
same rules for empty masks, same statistics.
"""

import math
from dataclasses import dataclass, field
from typing import Dict, List, Mapping, Optional, Sequence, Tuple

import numpy as np

from ...structures import PseudoMaskSet, VideoAnnotations
from ...structures.rle import RLE, area, decode, mask_iou
from .boundary import TOLERANCE, boundary_f
from .mask_quality import real_masks

RECALL_AT = 0.5
DECAY_BINS = 4

Key = Tuple[int, int]


def frame_jf(
    guess: Optional[RLE],
    real: Optional[RLE],
    tolerance: float = TOLERANCE,
) -> Tuple[float, float]:
    """Compute J and F of one object in one frame.

    Args:
        guess (RLE, optional): Mask to judge; None is empty.
        real (RLE, optional): Real mask; None is empty.
        tolerance (float): See :func:`boundary_f`.

    Returns:
        tuple[float]: J (IoU) and F. Both 1 if both masks are empty, both 0
        if one is (even if the other fills the frame: it has no outline).

    Raises:
        ValueError: If the masks are of two sizes.
    """
    has_guess = guess is not None and area(guess) > 0
    has_real = real is not None and area(real) > 0
    if not has_guess or not has_real:
        equal = float(has_guess == has_real)
        return equal, equal
    assert guess is not None and real is not None
    if list(guess['size']) != list(real['size']):
        raise ValueError(
            f'masks of two sizes: {guess["size"]} and {real["size"]}'
        )
    overlap = float(mask_iou([guess], [real])[0, 0])
    return overlap, boundary_f(decode(guess), decode(real), tolerance)


def decay(values: Sequence[float]) -> float:
    """Compute how much is lost along a video.

    Mean of the first quarter minus mean of the last one. Quarters share the
    frame where they meet, and none is empty.

    Args:
        values (Sequence[float]): One per frame, in temporal order.

    Returns:
        float: In [-1, 1]; NaN without frames.
    """
    number = len(values)
    if not number:
        return float('nan')
    edges = np.linspace(1, number, DECAY_BINS + 1)
    # Halves go up.
    ends = [math.floor(edge + 0.5 + 1e-10) - 1 for edge in edges]
    first = np.mean(values[: ends[1] + 1])
    last = np.mean(values[ends[-2] : ends[-1] + 1])
    return float(first - last)


@dataclass
class JFQuality:
    """J and F of every object in every frame that is judged.

    Filled frame by frame with :meth:`add`; nothing but numbers is kept.

    Attributes:
        region (dict): (annotation id, frame) -> J.
        boundary (dict): (annotation id, frame) -> F.
        video_of (dict): annotation id -> video id.
        tolerance (float): See :func:`boundary_f`.
    """

    region: Dict[Key, float] = field(default_factory=dict)
    boundary: Dict[Key, float] = field(default_factory=dict)
    video_of: Dict[int, int] = field(default_factory=dict)
    tolerance: float = TOLERANCE

    def add(
        self,
        video: int,
        instance: int,
        frame: int,
        guess: Optional[RLE],
        real: Optional[RLE],
    ) -> None:
        """Judge one mask.

        Args:
            video (int): Id of the video.
            instance (int): Id of the annotation.
            frame (int): 0-based; frames may come in any order.
            guess (RLE, optional): Mask to judge; None is empty.
            real (RLE, optional): Real mask; None is empty.

        Raises:
            ValueError: If the masks are of two sizes.
        """
        key = (instance, frame)
        self.region[key], self.boundary[key] = frame_jf(
            guess, real, self.tolerance
        )
        self.video_of[instance] = video

    def update(self, other: 'JFQuality') -> None:
        """Take over what was judged elsewhere."""
        self.region.update(other.region)
        self.boundary.update(other.boundary)
        self.video_of.update(other.video_of)

    def per_object(self) -> Dict[int, Dict[str, float]]:
        """Summarise each object; see :meth:`summary`.

        Returns:
            dict: annotation id -> figures. Objects without a judged frame
            are left out.
        """
        frames: Dict[int, List[int]] = {}
        for instance, frame in sorted(self.region):
            frames.setdefault(instance, []).append(frame)
        return {
            instance: _figures(
                [self.region[instance, t] for t in mine],
                [self.boundary[instance, t] for t in mine],
            )
            for instance, mine in frames.items()
        }

    def per_video(self) -> Dict[int, Dict[str, float]]:
        """Average the objects of each video; see :meth:`summary`."""
        groups: Dict[int, List[Dict[str, float]]] = {}
        for instance, figures in self.per_object().items():
            groups.setdefault(self.video_of[instance], []).append(figures)
        return {video: _average(mine) for video, mine in groups.items()}

    def summary(self) -> Dict[str, float]:
        """Average over all objects, each counting the same.

        Returns:
            dict: ``jf_mean`` (of both means), ``j_mean``, ``j_recall``
            (share of frames with J above 0.5), ``j_decay`` (see
            :func:`decay`), and ``f_mean``, ``f_recall``, ``f_decay``; NaN
            without a judged frame.
        """
        return _average(list(self.per_object().values()))


def _figures(
    region: Sequence[float], boundary: Sequence[float]
) -> Dict[str, float]:
    figures: Dict[str, float] = dict(jf_mean=0.0)
    for name, values in (('j', region), ('f', boundary)):
        figures[f'{name}_mean'] = float(np.mean(values))
        figures[f'{name}_recall'] = float(
            np.mean(np.array(values) > RECALL_AT)
        )
        figures[f'{name}_decay'] = decay(values)
    figures['jf_mean'] = (figures['j_mean'] + figures['f_mean']) / 2
    return figures


def _average(rows: Sequence[Mapping[str, float]]) -> Dict[str, float]:
    names = _figures([0.0], [0.0])
    if not rows:
        return dict.fromkeys(names, float('nan'))
    return {name: float(np.mean([r[name] for r in rows])) for name in names}


def judged_frames(
    segmentations: Sequence[Optional[RLE]],
    skip_first: bool = True,
    skip_last: bool = True,
) -> List[int]:
    """List the frames in which an object is judged.

    Args:
        segmentations (Sequence[RLE | None]): Its real masks, one per frame
            of the video.
        skip_first (bool): Leave out the first frame where the object is
            seen, whose mask is given, and all before it. Defaults to True.
        skip_last (bool): Leave out the last frame of the video, as DAVIS
            does. Defaults to True.

    Returns:
        list[int]: 0-based, ascending. With ``skip_first``, none for an
        object that is never seen.
    """
    stop = len(segmentations) - int(skip_last)
    if not skip_first:
        return list(range(stop))
    seen = [t for t, mask in enumerate(segmentations) if mask is not None]
    return list(range(seen[0] + 1, stop)) if seen else []


def measure_jf(
    masks: PseudoMaskSet,
    truth: VideoAnnotations,
    skip_first: bool = True,
    skip_last: bool = True,
    tolerance: float = TOLERANCE,
) -> JFQuality:
    """Judge masks that were propagated from the first real ones.

    An object that is absent in a frame counts J = F = 1 if it has no mask
    there and 0 otherwise.

    Args:
        masks (PseudoMaskSet): What to judge.
        truth (VideoAnnotations): Read with ``with_masks=True``.
        skip_first (bool): See :func:`judged_frames`.
        skip_last (bool): See :func:`judged_frames`.
        tolerance (float): See :func:`boundary_f`.

    Returns:
        JFQuality: Of all objects of ``truth``.

    Raises:
        AnnotationError: If ``truth`` holds no masks.
        MaskSetError: If ``masks`` is about other videos.
    """
    masks.check_same_videos(truth, truth.file or '')
    result = JFQuality(tolerance=tolerance)
    found = {track.id: track for track in masks}
    for track in truth:
        real = real_masks(track, truth)
        guess = found.get(track.id)
        for frame in judged_frames(real, skip_first, skip_last):
            mask = None if guess is None else guess.masks[frame]
            result.add(track.video_id, track.id, frame, mask, real[frame])
    return result
