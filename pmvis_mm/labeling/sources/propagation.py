"""Masks tracked from keyframes in both directions."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from ...structures import RLE, Box, BoxTrack, MaskTrack
from ...structures.frame_reader import FrameReader
from ...structures.rle import area, box_rle, encode, intersect
from ..label_video import LabelResult, LabelVideo, TracksById
from ..selection import box_fit, num_keyframes, pairwise_scm, select_keyframes
from .base import MaskSource

FUSIONS = ('nearest', 'best')


@dataclass(frozen=True)
class Seed:
    """Where a track starts.

    Attributes:
        instance (int): Position of the annotation in the video.
        frame (int): 0-based keyframe.
        mask (RLE): Mask in that frame.
        boxes (tuple): The instance's box per frame, or None.
    """

    instance: int
    frame: int
    mask: RLE
    boxes: Tuple[Optional[Box], ...]


class PropagationSource(MaskSource):
    """Tracks the best masks of an earlier source through the video.

    PM-VIS, section III-C3: keyframes are the frames with the highest SCM
    between two earlier sources; from each, masks are propagated forward to
    the last and backward to the first frame. A subclass writes
    :meth:`propagate`, which sweeps once over the frames for all instances
    and keyframes together.

    Args:
        prior (str): Earlier source whose masks start the tracks.
        reference (str, optional): Source that ``prior`` is compared with;
            without one, keyframes are where the mask fits its box best.
        keyframe_interval (int, optional): One keyframe for so many frames
            of the video (K of the paper: 10, OVIS 100); None for one
            keyframe. Defaults to 10.
        keyframe_mode (str): 'top' or 'per_segment'. Defaults to 'top'.
        fusion (str): How the tracks of several keyframes become one:
            'nearest' keyframe in time, or 'best' box fit. All tracks go to
            the selectors as candidates. Defaults to 'nearest'.
        crop_tracks (bool): Remove what lies outside the box. The paper does
            not. Defaults to False.
        require_prior (bool): Only frames where the prior has a mask get
            one, so that both have the same number (PM-VIS, Fig. 6).
            Defaults to False.
        name (str): Source name. Defaults to 'track'.
    """

    def __init__(
        self,
        prior: str,
        reference: Optional[str] = None,
        keyframe_interval: Optional[int] = 10,
        keyframe_mode: str = 'top',
        fusion: str = 'nearest',
        crop_tracks: bool = False,
        require_prior: bool = False,
        name: str = 'track',
    ) -> None:
        super().__init__(name)
        if fusion not in FUSIONS:
            raise ValueError(
                f'fusion should be one of {FUSIONS}, got {fusion!r}'
            )
        self.prior = prior
        self.reference = reference
        self.keyframe_interval = keyframe_interval
        self.keyframe_mode = keyframe_mode
        self.fusion = fusion
        self.crop_tracks = crop_tracks
        self.require_prior = require_prior

    @abstractmethod
    def propagate(
        self, frames: FrameReader, seeds: Sequence[Seed], reverse: bool
    ) -> Iterator[Tuple[int, List[Optional[np.ndarray]]]]:
        """Track all seeds in one direction.

        Args:
            frames (FrameReader): The video.
            seeds (Sequence[Seed]): S starting points.
            reverse (bool): Towards the first frame instead of the last.

        Yields:
            tuple: Frame index and S bool masks (H, W), None for seeds that
            have not started. Each frame beyond the first seed comes once.
            A keyframe keeps its own mask, whatever comes for it.
        """

    def batches(self, seeds: Sequence[Seed]) -> List[List[int]]:
        """Divide the seeds among sweeps; a subclass may want several.

        Args:
            seeds (Sequence[Seed]): All seeds of a video.

        Returns:
            list[list[int]]: Positions of the seeds that share a sweep in
            each direction; none are empty.
        """
        return [list(range(len(seeds)))] if seeds else []

    def label(self, video: LabelVideo) -> LabelResult:
        """See the base class."""
        prior = video.prior(self.prior)
        seeds = [
            seed
            for instance, track in enumerate(video.tracks)
            for seed in self._seeds(video, instance, track, prior)
        ]
        paths = self._sweep(video, seeds)
        per_instance: Dict[int, List[int]] = {}
        for number, seed in enumerate(seeds):
            per_instance.setdefault(seed.instance, []).append(number)
        result = LabelResult(video.info, [])
        for instance, track in enumerate(video.tracks):
            mine = per_instance.get(instance, [])
            allowed = self._allowed(track, prior.get(track.id))
            fused = MaskTrack.empty_like(track)
            for frame in np.flatnonzero(allowed):
                best = self._choose(seeds, paths, mine, frame, track)
                if best is not None:
                    fused.set(frame, paths[best][frame], self.name)
            result.tracks.append(fused)
            for rank, number in enumerate(mine, 1):
                path = self._as_track(track, paths[number], allowed)
                found = result.candidates.setdefault(f'{self.name}_{rank}', {})
                found[track.id] = path
        return result

    def _seeds(
        self,
        video: LabelVideo,
        instance: int,
        track: BoxTrack,
        prior: TracksById,
    ) -> List[Seed]:
        found = prior.get(track.id)
        if found is None:
            return []
        reference = None
        if self.reference is not None:
            reference = video.prior(self.reference).get(track.id)
        scores = [0.0] * video.info.length
        for frame, box in enumerate(track.boxes):
            mask = found.masks[frame]
            if mask is None or box is None:
                continue
            if self.reference is None:
                scores[frame] = float(box_fit([mask], box)[0])
            elif reference is not None:
                pair = [mask, reference.masks[frame]]
                scores[frame] = float(pairwise_scm(pair, box)[0, 1])
        number = num_keyframes(video.info.length, self.keyframe_interval)
        boxes = tuple(track.boxes)
        return [
            Seed(instance, frame, found.masks[frame], boxes)  # type: ignore
            for frame in select_keyframes(scores, number, self.keyframe_mode)
        ]

    def _sweep(
        self, video: LabelVideo, seeds: Sequence[Seed]
    ) -> List[List[Optional[RLE]]]:
        """Track every seed both ways; the keyframe keeps its own mask."""
        length = video.info.length
        paths: List[List[Optional[RLE]]] = [[None] * length for _ in seeds]
        for batch in self.batches(seeds):
            mine = [seeds[number] for number in batch]
            for reverse in (False, True):
                for frame, masks in self.propagate(
                    video.frames, mine, reverse
                ):
                    for number, mask in zip(batch, masks):
                        if mask is not None and mask.any():
                            paths[number][frame] = encode(mask)
        for path, seed in zip(paths, seeds):
            path[seed.frame] = seed.mask
            if self.crop_tracks:
                _crop_path(path, seed.boxes)
        return paths

    def _allowed(
        self, track: BoxTrack, prior: Optional[MaskTrack]
    ) -> np.ndarray:
        allowed = np.array([box is not None for box in track.boxes], bool)
        if self.require_prior:
            has = [] if prior is None else [m is not None for m in prior.masks]
            allowed &= np.array(has or [False] * len(allowed), bool)
        return allowed

    def _choose(
        self,
        seeds: Sequence[Seed],
        paths: Sequence[Sequence[Optional[RLE]]],
        numbers: Sequence[int],
        frame: int,
        track: BoxTrack,
    ) -> Optional[int]:
        present = [n for n in numbers if paths[n][frame] is not None]
        if not present:
            return None
        if self.fusion == 'nearest':
            return min(present, key=lambda n: abs(seeds[n].frame - frame))
        masks = [paths[n][frame] for n in present]
        return present[int(box_fit(masks, track.boxes[frame]).argmax())]  # type: ignore

    def _as_track(
        self,
        track: BoxTrack,
        path: Sequence[Optional[RLE]],
        allowed: np.ndarray,
    ) -> MaskTrack:
        result = MaskTrack.empty_like(track)
        for frame in np.flatnonzero(allowed):
            result.set(frame, path[frame], self.name)
        return result


def _crop_path(
    path: List[Optional[RLE]], boxes: Sequence[Optional[Box]]
) -> None:
    for frame, (mask, box) in enumerate(zip(path, boxes)):
        if mask is not None and box is not None:
            mask = intersect([mask, box_rle(box, *mask['size'])])
            path[frame] = mask if area(mask) else None
