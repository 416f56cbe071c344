"""Masks tracked from keyframes by DeAOT."""

from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import numpy as np
import torch

from ...apis.deaot_checkpoint import load_deaot_checkpoint
from ...models.vos import (
    DeAOTPropagator,
    DeAOTState,
    FrameFeatures,
    resize_labels,
)
from ...registry import MODELS
from ...structures.frame_reader import FrameReader
from ...structures.rle import area, decode
from ...utils.errors import ConfigError, MaskSetError
from ..label_video import LabelResult, LabelVideo
from .feature_cache import FeatureCache
from .propagation import PropagationSource, Seed

REFERENCES = ('independent', 'joint')


@MODELS.register_module()
class DeAOTSource(PropagationSource):
    """Tracks keyframe masks with `DeAOT <https://arxiv.org/abs/2210.09782>`_.

    "Track-masks" of PM-VIS, section III-C3. The paper does not say whether
    the objects of a keyframe are tracked together; here they are, as in the
    public code, and compete for pixels. Where their masks overlap in the
    keyframe, the smaller one is in front. A mask of which no pixel is left
    at the network's size is not tracked.

    The part of the network that depends on the frame alone runs once per
    frame for all keyframes and both directions, as long as the features of
    a video fit into the cache. Beyond that those that were not used for
    longest are dropped and computed again when needed.

    Args:
        prior (str): See :class:`PropagationSource`.
        propagator (dict): Config of a :class:`DeAOTPropagator`.
        checkpoint (str, optional): Weights of the network: a file of the
            public code, or ours. None only for tests.
        references (str): 'independent': each keyframe has a pass of its
            own, with the objects that have a keyframe there. 'joint': one
            pass for all; later keyframes overrule what was tracked so far
            and stay in memory. Defaults to 'independent'.
        suppress_without_box (bool): Objects that have no box in a frame are
            not remembered there. The paper does not do this. Defaults to
            False.
        max_passes (int): Keyframes that are tracked side by side, each with
            a memory of its own. More than that go one batch after the
            other. Defaults to 8.
        cache_mb (int): Room for features on the network's device, MiB; 33
            for a frame of 577 x 1041 pixels with ResNet-50. Defaults to 2048.
        name (str): Source name. Defaults to 'track'.
        **kwargs: See :class:`PropagationSource`.

    Raises:
        ConfigError: If an option is out of range.
        CheckpointError: If the checkpoint is missing or does not fit.
    """

    def __init__(
        self,
        prior: str,
        propagator: Dict[str, Any],
        checkpoint: Optional[str] = None,
        references: str = 'independent',
        suppress_without_box: bool = False,
        max_passes: int = 8,
        cache_mb: int = 2048,
        name: str = 'track',
        **kwargs: Any,
    ) -> None:
        super().__init__(prior, name=name, **kwargs)
        if references not in REFERENCES:
            raise ConfigError(
                f'references={references!r} is unknown',
                fix=f'use one of {REFERENCES}',
            )
        if max_passes < 1 or cache_mb < 0:
            raise ConfigError(
                f'max_passes={max_passes}, cache_mb={cache_mb}',
                fix='use at least 1 pass and 0 MiB',
            )
        self.references = references
        self.suppress_without_box = suppress_without_box
        self.max_passes = max_passes
        self.propagator: DeAOTPropagator = MODELS.build(propagator)
        if checkpoint is not None:
            load_deaot_checkpoint(self.propagator.network, checkpoint)
        self.features: FeatureCache[FrameFeatures] = FeatureCache(
            self.propagator.encode, cache_mb * 2**20
        )

    def init_weights(self) -> None:
        """Keep the weights of the checkpoint."""

    def label(self, video: LabelVideo) -> LabelResult:
        """See the base class."""
        try:
            return super().label(video)
        finally:
            self.features.clear()

    def batches(self, seeds: Sequence[Seed]) -> List[List[int]]:
        """Batch the seeds of so many keyframes; see the base class."""
        if self.references == 'joint':
            return super().batches(seeds)
        keyframes = sorted({seed.frame for seed in seeds})
        return [
            [n for n, seed in enumerate(seeds) if seed.frame in chosen]
            for first in range(0, len(keyframes), self.max_passes)
            for chosen in (keyframes[first : first + self.max_passes],)
        ]

    def propagate(
        self, frames: FrameReader, seeds: Sequence[Seed], reverse: bool
    ) -> Iterator[Tuple[int, List[Optional[np.ndarray]]]]:
        """See the base class; a keyframe gives no mask for its own seeds."""
        order = range(len(frames))[::-1] if reverse else range(len(frames))
        # Nothing follows the last frame.
        passes = [
            one
            for one in self._passes(frames, seeds)
            if order.index(one.first(reverse)) < len(order) - 1
        ]
        starts = [order.index(one.first(reverse)) for one in passes]
        for frame in order[min(starts, default=len(order)) :]:
            masks: List[Optional[np.ndarray]] = [None] * len(seeds)
            features = self.features.get(frames, frame)
            for one in passes:
                for number, mask in one.advance(frame, features):
                    masks[number] = mask
            yield frame, masks

    def _passes(
        self, frames: FrameReader, seeds: Sequence[Seed]
    ) -> List['_Pass']:
        groups: Dict[int, List[int]] = {}
        for number, seed in enumerate(seeds):
            key = 0 if self.references == 'joint' else seed.frame
            groups.setdefault(key, []).append(number)
        return [
            _Pass(
                self.propagator,
                {number: seeds[number] for number in group},
                frames.video.id,
                self.suppress_without_box,
            )
            for group in groups.values()
        ]


class _Pass:
    """Tracks seeds together in one direction.

    Args:
        propagator (DeAOTPropagator): Does the work.
        seeds (dict[int, Seed]): By number; several of one instance are one
            object.
        video (object): Id, for messages.
        suppress (bool): See ``suppress_without_box``.
    """

    def __init__(
        self,
        propagator: DeAOTPropagator,
        seeds: Dict[int, Seed],
        video: Any,
        suppress: bool,
    ) -> None:
        self.propagator = propagator
        self.seeds = seeds
        self.video = video
        self.suppress = suppress
        self.state: Optional[DeAOTState] = None
        # Label of each instance, in the order that they appear in.
        self.labels: Dict[int, int] = {}
        self.tracked: Set[int] = set()

    def first(self, reverse: bool) -> int:
        """Find the frame where this pass begins."""
        frames = [seed.frame for seed in self.seeds.values()]
        return max(frames) if reverse else min(frames)

    def advance(
        self, frame: int, features: FrameFeatures
    ) -> List[Tuple[int, np.ndarray]]:
        """Track into a frame.

        Args:
            frame (int): 0-based.
            features (FrameFeatures): Of the frame.

        Returns:
            list[tuple]: Numbers of seeds and their bool masks (H, W), of
            those that were tracked into this frame.
        """
        given = self._annotation(frame, features)
        found: List[Tuple[int, np.ndarray]] = []
        if self.state is not None:
            found = self._step(self.state, frame, features, given)
        elif given is not None:
            self.state = self.propagator.start(features, given)
        if given is not None:
            self._take_up(frame, features, given)
        return found

    def _step(
        self,
        state: DeAOTState,
        frame: int,
        features: FrameFeatures,
        given: Optional[np.ndarray],
    ) -> List[Tuple[int, np.ndarray]]:
        boxless = self._boxless(frame)
        absent = [self.labels[i] for i in boxless if i in self.labels]
        logits, self.state = self.propagator.step(
            state, features, given, absent
        )
        labels = logits.argmax(0).cpu().numpy()
        owners = {n: self.seeds[n].instance for n in sorted(self.tracked)}
        return [
            (number, labels == self.labels[instance])
            for number, instance in owners.items()
            if instance not in boxless
        ]

    def _boxless(self, frame: int) -> Set[int]:
        if not self.suppress:
            return set()
        return {
            seed.instance
            for seed in self.seeds.values()
            if seed.boxes[frame] is None
        }

    def _annotation(
        self, frame: int, features: FrameFeatures
    ) -> Optional[np.ndarray]:
        """Paint the masks of a keyframe, the smallest one last."""
        seeds = [
            seed
            for seed in self.seeds.values()
            if seed.frame == frame and area(seed.mask)
        ]
        if not seeds:
            return None
        size = tuple(features.ori_shape)
        image = np.zeros(size, np.int64)
        for seed in seeds:
            self.labels.setdefault(seed.instance, len(self.labels) + 1)
        for seed in sorted(seeds, key=lambda s: area(s.mask), reverse=True):
            if tuple(seed.mask['size']) != size:
                raise MaskSetError(
                    f'a mask of size {tuple(seed.mask["size"])} on a frame '
                    f'of size {size} (height, width)',
                    video=self.video,
                    frame=frame,
                    fix='make the masks from the same frames',
                )
            image[decode(seed.mask).astype(bool)] = self.labels[seed.instance]
        return image

    def _take_up(
        self, frame: int, features: FrameFeatures, given: np.ndarray
    ) -> None:
        """Note which seeds of a keyframe the network can see."""
        seen = resize_labels(torch.from_numpy(given), features.input_shape)
        left = set(seen.unique().tolist())
        for number, seed in self.seeds.items():
            if seed.frame == frame and self.labels.get(seed.instance) in left:
                self.tracked.add(number)
