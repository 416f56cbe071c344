"""Masks tracked from keyframes by DeAOT."""

import os
from collections import Counter
from typing import Any, Dict, Iterator, List, Optional, Sequence, Set, Tuple

import numpy as np
import torch

from ...apis.deaot_checkpoint import load_deaot_checkpoint
from ...models.vos import (
    DeAOTPropagator,
    DeAOTState,
    FrameFeatures,
    label_map,
    resize_labels,
)
from ...registry import MODELS
from ...structures.frame_reader import FrameReader
from ...structures.rle import area, decode
from ...utils.errors import ConfigError, MaskSetError
from ..label_video import LabelResult, LabelVideo
from .feature_cache import FeatureCache
from .feature_spill import FeatureSpill
from .propagation import PropagationSource, Seed, check_frame_size
from .track_fusion import SoftMask, Tracked

REFERENCES = ('independent', 'joint', 'per_instance')
# Of the numbers of a byte, 0 is background and 255 unknown.
_MOST_OBJECTS = 254


@MODELS.register_module()
class DeAOTSource(PropagationSource):
    """Tracks keyframe masks with `DeAOT <https://arxiv.org/abs/2210.09782>`_.

    "Track-masks" of PM-VIS, section III-C3. The paper does not say whether
    the objects of a keyframe are tracked together; here they are, as in the
    public code, and compete for pixels. Where their masks overlap in the
    keyframe, the smaller one is in front. A mask of which no pixel is left
    at the network's size is not tracked.

    The part of the network that depends on the frame alone runs once per
    frame and video, for all keyframes and both directions: the passes of a
    sweep advance side by side, and features are kept in memory while a later
    sweep needs them. What does not fit there goes to a temporary file, as it
    is (or in half precision); what does not fit there either is computed
    again. Neither memory nor the file grows with the video beyond that.

    Args:
        prior (str): See :class:`PropagationSource`.
        propagator (dict): Config of a :class:`DeAOTPropagator`.
        checkpoint (str, optional): Weights of the network: a file of the
            public code, or ours. None only for tests.
        references (str): 'independent': each keyframe has a pass of its
            own, with the objects that have a keyframe there.
            'per_instance': so has each object of a keyframe, against
            everything else as background; slower. 'joint': one pass for
            all; later keyframes overrule what was tracked so far and stay
            in memory. Only so many as the long-term memory has room for
            (``max_frames`` of the propagator) share a pass. Defaults to
            'independent'.
        suppress_without_box (bool): Objects that have no box in a frame are
            not remembered there. The paper does not do this. Defaults to
            False.
        max_passes (int): Passes that advance side by side, each with a
            memory of its own. More than that go one batch after the other.
            Defaults to 8.
        cache_mb (int): Room for features on the network's device, MiB; 33
            for a frame of 577 x 1041 pixels with ResNet-50. Defaults to 2048.
        spill_mb (int): Room for further features in a temporary file, MiB;
            0 for none. Reading takes a few percent of the time of the
            network on a CPU. Defaults to 16384.
        spill_half (bool): Half precision in that file: twice as many frames
            fit, but masks may differ in a few pixels from those without a
            spill. Defaults to False.
        spill_dir (str, optional): Folder of that file, not one in memory.
            Defaults to the system's folder for temporary files.
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
        spill_mb: int = 16384,
        spill_half: bool = False,
        spill_dir: Optional[str] = None,
        name: str = 'track',
        **kwargs: Any,
    ) -> None:
        super().__init__(prior, name=name, **kwargs)
        if references not in REFERENCES:
            raise ConfigError(
                f'references={references!r} is unknown',
                fix=f'use one of {REFERENCES}',
            )
        if max_passes < 1 or cache_mb < 0 or spill_mb < 0:
            raise ConfigError(
                f'max_passes={max_passes}, cache_mb={cache_mb}, '
                f'spill_mb={spill_mb}',
                fix='use at least 1 pass and 0 MiB',
            )
        if spill_dir is not None and not os.path.isdir(spill_dir):
            raise ConfigError(
                f'spill_dir={spill_dir!r} is no folder',
                fix='make it, or leave it out',
            )
        self.references = references
        self.suppress_without_box = suppress_without_box
        self.max_passes = max_passes
        self.propagator: DeAOTPropagator = MODELS.build(propagator)
        if checkpoint is not None:
            load_deaot_checkpoint(self.propagator.network, checkpoint)
        self.features: FeatureCache[FrameFeatures] = FeatureCache(
            self.propagator.encode,
            cache_mb * 2**20,
            FeatureSpill(spill_mb * 2**20, spill_half, spill_dir),
        )

    @property
    def exclusive(self) -> bool:  # type: ignore[override]
        """Whether objects compete for pixels."""
        return self.references != 'per_instance'

    def init_weights(self) -> None:
        """Keep the weights of the checkpoint."""

    def label(self, video: LabelVideo) -> LabelResult:
        """See the base class."""
        try:
            return super().label(video)
        finally:
            self.features.clear()

    def batches(self, seeds: Sequence[Seed]) -> List[List[int]]:
        """Batch the seeds of so many passes; see the base class."""
        room = self.max_passes
        keys = [self._key(seed) for seed in seeds]
        if self.references == 'joint':
            room = self.propagator.max_frames
            keys = [(seed.frame, 0) for seed in seeds]
        order = sorted(set(keys))
        return [
            [n for n, key in enumerate(keys) if key in chosen]
            for first in range(0, len(order), room)
            for chosen in (set(order[first : first + room]),)
        ]

    def prepare(
        self,
        frames: FrameReader,
        sweeps: Sequence[Tuple[Sequence[Seed], bool]],
    ) -> None:
        """Count how often the features of each frame will be needed."""
        uses: Counter = Counter()
        for seeds, reverse in sweeps:
            uses.update(self._visited(frames, seeds, reverse))
        self.features.expect(frames, uses)

    def propagate(
        self, frames: FrameReader, seeds: Sequence[Seed], reverse: bool
    ) -> Iterator[Tuple[int, List[Optional[Tracked]]]]:
        """See the base class; a keyframe gives no mask for its own seeds."""
        visited = self._visited(frames, seeds, reverse)
        passes = self._passes(frames, seeds)
        if visited:  # nothing follows the last frame
            passes = [p for p in passes if p.first(reverse) != visited[-1]]
        for frame in visited:
            masks: List[Optional[Tracked]] = [None] * len(seeds)
            features = self.features.get(frames, frame)
            check_frame_size(frames, frame, features.ori_shape)
            for one in passes:
                for number, mask in one.advance(frame, features):
                    masks[number] = mask
            yield frame, masks

    def _visited(
        self, frames: FrameReader, seeds: Sequence[Seed], reverse: bool
    ) -> Sequence[int]:
        """List the frames of a sweep, from the first keyframe on."""
        order = range(len(frames))[::-1] if reverse else range(len(frames))
        start = min((order.index(s.frame) for s in seeds), default=len(order))
        return order[start:] if start < len(order) - 1 else ()

    def _key(self, seed: Seed) -> Tuple[int, int]:
        """Tell the seeds of one pass from those of another."""
        if self.references == 'joint':
            return 0, 0
        per_instance = self.references == 'per_instance'
        return seed.frame, seed.instance if per_instance else 0

    def _passes(
        self, frames: FrameReader, seeds: Sequence[Seed]
    ) -> List['_Pass']:
        groups: Dict[Tuple[int, int], Dict[int, Seed]] = {}
        for number, seed in enumerate(seeds):
            groups.setdefault(self._key(seed), {})[number] = seed
        return [
            _Pass(
                self.propagator,
                group,
                frames.video.id,
                self.suppress_without_box,
                self.is_soft,
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
        is_soft (bool): Whether probabilities are wanted.
    """

    def __init__(
        self,
        propagator: DeAOTPropagator,
        seeds: Dict[int, Seed],
        video: Any,
        suppress: bool,
        is_soft: bool,
    ) -> None:
        self.propagator = propagator
        self.seeds = seeds
        self.video = video
        self.suppress = suppress
        self.is_soft = is_soft
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
    ) -> List[Tuple[int, Tracked]]:
        """Track into a frame.

        Args:
            frame (int): 0-based.
            features (FrameFeatures): Of the frame.

        Returns:
            list[tuple]: Numbers of seeds and their masks, of those that
            were tracked into this frame.
        """
        given = self._annotation(frame, features)
        found: List[Tuple[int, Tracked]] = []
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
    ) -> List[Tuple[int, Tracked]]:
        boxless = self._boxless(frame)
        absent = [self.labels[i] for i in boxless if i in self.labels]
        logits, seen = self.propagator.predict(state, features)
        labels = label_map(logits, state.num_objects)
        self.state = self.propagator.settle(
            state, features, seen, labels, given, absent
        )
        owners = {
            number: self.labels[self.seeds[number].instance]
            for number in sorted(self.tracked)
            if self.seeds[number].instance not in boxless
        }
        image = labels.cpu().numpy()
        masks = {label: image == label for label in set(owners.values())}
        if not self.is_soft:
            return [(n, masks[label]) for n, label in owners.items()]
        probs = logits.softmax(0)
        return [
            (n, SoftMask(masks[label], probs[label].float().cpu().numpy()))
            for n, label in owners.items()
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
        if len(self.labels) > _MOST_OBJECTS:
            raise MaskSetError(
                f'{len(self.labels)} objects are tracked together, '
                f'{_MOST_OBJECTS} is the most',
                video=self.video,
                frame=frame,
                fix="use references='per_instance', or divide the objects "
                'among several annotation files',
            )
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
