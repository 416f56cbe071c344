"""Judging a propagator by itself: real first masks in, J&F out."""

from typing import List, Optional, Sequence, Set, Tuple

import numpy as np

from ..labeling.sources import PropagationSource, Seed
from ..labeling.sources.track_fusion import mask_of
from ..structures import RLE, Box, BoxTrack
from ..structures.frame_reader import FrameReader
from ..structures.rle import box_rle, encode, intersect
from ..utils.errors import AnnotationError
from .functional import JFQuality, judged_frames
from .functional.boundary import TOLERANCE


def judge_propagation(
    source: PropagationSource,
    frames: FrameReader,
    tracks: Sequence[BoxTrack],
    with_boxes: bool = False,
    skip_last: bool = True,
    tolerance: float = TOLERANCE,
) -> JFQuality:
    """Run semi-supervised video object segmentation on one video.

    Every object's real mask in the first frame where it is seen is given,
    and propagated to the last frame; what comes is judged frame by frame
    and dropped. An object that is never seen is not judged.

    Args:
        source (PropagationSource): Does the work.
        frames (FrameReader): The video.
        tracks (Sequence[BoxTrack]): Its objects, with masks.
        with_boxes (bool): The boxes of all frames are known, as in
            labelling: the source may use them, masks are cut with them, and
            a frame without a box gets no mask. Defaults to False: the
            source sees no box at all.
        skip_last (bool): See
            :func:`~pmvis_mm.evaluation.functional.judged_frames`. Defaults
            to True.
        tolerance (float): See
            :func:`~pmvis_mm.evaluation.functional.boundary_f`.

    Returns:
        JFQuality: Of the objects.

    Raises:
        AnnotationError: If a track has no masks.
    """
    result = JFQuality(tolerance=tolerance)
    objects = [
        _Object(frames, track, number, with_boxes, skip_last)
        for number, track in enumerate(tracks)
    ]
    objects = [one for one in objects if one.seed is not None]
    seeds = [one.seed for one in objects if one.seed is not None]
    sweeps = [
        (batch, [seeds[number] for number in batch])
        for batch in source.batches(seeds)
    ]
    source.prepare(frames, [(mine, False) for _, mine in sweeps])
    for batch, mine in sweeps:
        for frame, masks in source.propagate(frames, mine, reverse=False):
            for number, tracked in zip(batch, masks):
                mask = None if tracked is None else mask_of(tracked)
                objects[number].judge(result, frame, mask)
    for one in objects:
        for frame in sorted(one.left):
            one.judge(result, frame, None)
    return result


class _Object:
    """Where an object starts and which of its frames wait to be judged.

    Attributes:
        seed (Seed, optional): None if the object is never seen.
        left (set[int]): Frames that are not judged yet.
    """

    def __init__(
        self,
        frames: FrameReader,
        track: BoxTrack,
        number: int,
        with_boxes: bool,
        skip_last: bool,
    ) -> None:
        if track.segmentations is None:
            raise AnnotationError(
                'no mask to start from',
                video=track.video_id,
                instance=track.id,
                fix='read a file with "segmentations", with_masks=True',
            )
        self.track = track
        self.real: List[Optional[RLE]] = track.segmentations
        self.size: Tuple[int, int] = (frames.video.height, frames.video.width)
        self.with_boxes = with_boxes
        self.left: Set[int] = set(judged_frames(self.real, True, skip_last))
        boxes: Sequence[Optional[Box]] = track.boxes
        if not with_boxes:
            boxes = [None] * len(track.boxes)
        self.seed: Optional[Seed] = None
        for frame, mask in enumerate(self.real):
            if mask is not None:
                self.seed = Seed(number, frame, mask, tuple(boxes))
                break

    def judge(
        self, result: JFQuality, frame: int, mask: Optional[np.ndarray]
    ) -> None:
        """Judge a mask, bool (H, W), if its frame counts."""
        if frame not in self.left:
            return
        self.left.remove(frame)
        result.add(
            self.track.video_id,
            self.track.id,
            frame,
            self._finish(frame, mask),
            self.real[frame],
        )

    def _finish(self, frame: int, mask: Optional[np.ndarray]) -> Optional[RLE]:
        if mask is None:
            return None
        if not self.with_boxes:
            return encode(mask)
        box = self.track.boxes[frame]
        if box is None:
            return None
        return intersect([encode(mask), box_rle(box, *self.size)])
