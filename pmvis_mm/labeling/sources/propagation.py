"""Masks tracked from keyframes in both directions."""

from abc import abstractmethod
from dataclasses import dataclass
from typing import Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from ...structures import RLE, Box, BoxTrack, MaskTrack
from ...structures.frame_reader import FrameReader
from ...structures.rle import area, box_rle, decode, encode, intersect
from ...utils.errors import ConfigError, FrameError
from ..label_video import LabelResult, LabelVideo, TracksById
from ..selection import box_fit, num_keyframes, pairwise_scm, select_keyframes
from ..selection.keyframes import MODES
from .base import MaskSource
from .track_fusion import (
    MeanFusion,
    Tracked,
    best_track,
    mask_of,
    nearest_track,
)

FUSIONS = ('nearest', 'mean', 'best')
Path = List[Optional[RLE]]


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
        fusion (str): How the tracks of several keyframes become one. The
            'nearest' keyframe in time; the 'mean' of the soft masks, each
            by 1 / (1 + frames to its keyframe), see :class:`MeanFusion`; or
            the 'best' SCM with the mask of ``reference`` in the frame, where
            there is none the best box fit. In a keyframe its own mask always
            stands. All tracks go to the selectors as candidates beside the
            fused one. Defaults to 'nearest'.
        crop_tracks (bool): Remove what lies outside the box. The paper does
            not. Defaults to False.
        require_prior (bool): Only frames where the prior has a mask get
            one, so that both have the same number (PM-VIS, Fig. 6).
            Defaults to False.
        name (str): Source name. Defaults to 'track'.

    Attributes:
        exclusive (bool): Whether the objects of a track compete for pixels.

    Raises:
        ConfigError: If an option is unknown or out of range.
    """

    exclusive = False

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
        for option, value, choices in (
            ('fusion', fusion, FUSIONS),
            ('keyframe_mode', keyframe_mode, MODES),
        ):
            if value not in choices:
                raise ConfigError(
                    f'{option} should be one of {choices}, got {value!r}'
                )
        if keyframe_interval is not None and keyframe_interval < 1:
            raise ConfigError(
                f'keyframe_interval={keyframe_interval} is not positive',
                fix='use 10, say, or None for a single keyframe',
            )
        self.prior = prior
        self.reference = reference
        self.keyframe_interval = keyframe_interval
        self.keyframe_mode = keyframe_mode
        self.fusion = fusion
        self.crop_tracks = crop_tracks
        self.require_prior = require_prior

    @property
    def is_soft(self) -> bool:
        """Whether probabilities are asked for beside the masks."""
        return self.fusion == 'mean'

    @abstractmethod
    def propagate(
        self, frames: FrameReader, seeds: Sequence[Seed], reverse: bool
    ) -> Iterator[Tuple[int, List[Optional[Tracked]]]]:
        """Track all seeds in one direction.

        Args:
            frames (FrameReader): The video.
            seeds (Sequence[Seed]): S starting points.
            reverse (bool): Towards the first frame instead of the last.

        Yields:
            tuple: Frame index and S bool masks (H, W), as SoftMask if
            ``self.is_soft``; None for seeds that have not started. Each
            frame beyond the first seed comes once. A keyframe keeps its own
            mask, whatever comes for it.
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

    def prepare(
        self,
        frames: FrameReader,
        sweeps: Sequence[Tuple[Sequence[Seed], bool]],
    ) -> None:
        """Look at what is going to come; a subclass may plan for it.

        Args:
            frames (FrameReader): The video.
            sweeps (Sequence[tuple]): The arguments ``seeds`` and ``reverse``
                of all calls of :meth:`propagate` for it, in their order.
        """

    def label(self, video: LabelVideo) -> LabelResult:
        """See the base class."""
        prior = video.prior(self.prior)
        reference = {}
        if self.reference is not None:
            reference = video.prior(self.reference)
        seeds = [
            seed
            for instance, track in enumerate(video.tracks)
            for seed in self._seeds(video, instance, track, prior)
        ]
        paths, mean = self._sweep(video, seeds)
        per_instance: Dict[int, List[int]] = {}
        for number, seed in enumerate(seeds):
            per_instance.setdefault(seed.instance, []).append(number)
        result = LabelResult(video.info, [])
        for instance, track in enumerate(video.tracks):
            mine = per_instance.get(instance, [])
            allowed = self._allowed(track, prior.get(track.id))
            fused = MaskTrack.empty_like(track)
            for frame in np.flatnonzero(allowed):
                if (instance, frame) in mean:
                    mask = mean[instance, frame]
                else:
                    mask = self._choose(
                        [(seeds[n].frame, paths[n][frame]) for n in mine],
                        frame,
                        track.boxes[frame],
                        _mask_at(reference.get(track.id), frame),
                    )
                fused.set(frame, mask, self.name)
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
            Seed(instance, frame, found.masks[frame], boxes)  # type: ignore[arg-type]
            for frame in select_keyframes(scores, number, self.keyframe_mode)
        ]

    def _sweep(
        self, video: LabelVideo, seeds: Sequence[Seed]
    ) -> Tuple[List[Path], Dict[Tuple[int, int], Optional[RLE]]]:
        """Track every seed both ways; the keyframe keeps its own mask.

        Returns:
            tuple: The path of each seed, and the mean per instance and
            frame, if that is asked for.
        """
        size = video.info.height, video.info.width
        paths: List[Path] = [[None] * video.info.length for _ in seeds]
        mean = MeanFusion(size, self.exclusive)
        sweeps = [
            (batch, [seeds[number] for number in batch], reverse)
            for batch in self.batches(seeds)
            for reverse in (False, True)
        ]
        self.prepare(video.frames, [sweep[1:] for sweep in sweeps])
        for batch, mine, reverse in sweeps:
            for frame, masks in self.propagate(video.frames, mine, reverse):
                if self.is_soft:
                    _add_soft(mean, frame, mine, masks)
                for number, tracked in zip(batch, masks):
                    if tracked is not None and mask_of(tracked).any():
                        paths[number][frame] = encode(mask_of(tracked))
        for path, seed in zip(paths, seeds):
            path[seed.frame] = seed.mask
            if self.crop_tracks:
                _crop_path(path, seed.boxes)
        fused = {}
        if self.is_soft:
            fused = self._resolve(mean, seeds, video)
        return paths, fused

    def _resolve(
        self, mean: MeanFusion, seeds: Sequence[Seed], video: LabelVideo
    ) -> Dict[Tuple[int, int], Optional[RLE]]:
        """Decide on the mean of all frames but the keyframes."""
        given: Dict[int, List[Seed]] = {}
        for seed in seeds:
            given.setdefault(seed.frame, []).append(seed)
        result: Dict[Tuple[int, int], Optional[RLE]] = {}
        for frame in range(video.info.length):
            fixed = {s.instance: decode(s.mask) for s in given.get(frame, [])}
            for i, mask in mean.resolve(frame, fixed).items():
                path = [encode(mask) if mask.any() else None]
                if self.crop_tracks:
                    _crop_path(path, [video.tracks[i].boxes[frame]])
                result[i, frame] = path[0]
        return result

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
        masks: Sequence[Tuple[int, Optional[RLE]]],
        frame: int,
        box: Optional[Box],
        reference: Optional[RLE],
    ) -> Optional[RLE]:
        """Choose among masks that come with their keyframes."""
        present = [(k, mask) for k, mask in masks if mask is not None]
        distances = [abs(k - frame) for k, _ in present]
        if not present:
            return None
        if self.fusion != 'best' or box is None or 0 in distances:
            return present[nearest_track(distances)][1]
        found = [mask for _, mask in present]
        return found[best_track(found, box, reference, distances)]

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


def check_frame_size(
    frames: FrameReader, frame: int, size: Tuple[int, int]
) -> None:
    """Refuse a frame of another size than the annotation says.

    Args:
        frames (FrameReader): The video.
        frame (int): 0-based.
        size (tuple[int]): Height and width of the frame, pixels.

    Raises:
        FrameError: If they differ; names video and frame.
    """
    video = frames.video
    if tuple(size) != (video.height, video.width):
        raise FrameError(
            f'frame is {size[1]}x{size[0]} pixels but the annotation says '
            f'{video.width}x{video.height}',
            video=video.id,
            frame=frame,
            fix='give all frames of a video the size of its annotation',
        )


def _mask_at(track: Optional[MaskTrack], frame: int) -> Optional[RLE]:
    return None if track is None else track.masks[frame]


def _add_soft(
    mean: MeanFusion,
    frame: int,
    seeds: Sequence[Seed],
    masks: Sequence[Optional[Tracked]],
) -> None:
    """Take the masks of a frame into the mean, instance by instance."""
    found: Dict[int, List[Tuple[Tracked, int]]] = {}
    for seed, tracked in zip(seeds, masks):
        # Its own mask stands there.
        if tracked is not None and seed.frame != frame:
            own = found.setdefault(seed.instance, [])
            own.append((tracked, abs(seed.frame - frame)))
    for instance, tracks in found.items():
        mean.add(frame, instance, tracks)


def _crop_path(path: Path, boxes: Sequence[Optional[Box]]) -> None:
    for frame, (mask, box) in enumerate(zip(path, boxes)):
        if mask is not None and box is not None:
            mask = intersect([mask, box_rle(box, *mask['size'])])
            path[frame] = mask if area(mask) else None
