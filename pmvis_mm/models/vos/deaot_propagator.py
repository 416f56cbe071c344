"""Runs DeAOT over a video: start anywhere, go either way, as often as asked.

Nothing about a video is kept in the module: states are values.
"""

from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import MODELS
from ...utils.errors import ConfigError, PMVISError
from .deaot import FrameFeatures
from .deaot_memory import (
    DeAOTState,
    FrameMemory,
    GroupMemory,
    Mark,
    Observation,
    select_groups,
)
from .frame_input import network_size, prepare_frame, resize_labels
from .group_logits import label_map, merge_groups

Labels = Union[Tensor, np.ndarray]
IGNORED = 255
_NEVER = -1e10


@MODELS.register_module()
class DeAOTPropagator(nn.Module):
    """Tracks label maps through a video with DeAOT.

    .. code-block:: python

        features = propagator.encode(frames[3])
        state = propagator.start(features, labels)
        for image in frames[4:]:
            features = propagator.encode(image)
            logits, state = propagator.step(state, features)

    Features do not depend on the objects and may serve several passes.
    Objects are tracked in groups of ten, all groups in one batch.

    Args:
        network (dict): Config of a :class:`DeAOT`.
        long_term_gap (int, optional): Overrides that of the network: every
            so many steps a frame is remembered for long. Defaults to None.
        max_frames (int): Frames in the long-term memory. References are
            never dropped, even if there are more; of the others the oldest
            go first. The public code has no limit. Defaults to 20.
        max_long (int, optional): Longer sides of frames shrink to it,
            pixels, see :func:`network_size`. Defaults to 1040.
        max_short (int, optional): Likewise for the shorter side. Defaults
            to None.
        scale (float): Scale of the frames beyond that. Defaults to 1.0.

    Raises:
        ConfigError: If an option is out of range.
    """

    def __init__(
        self,
        network: Dict[str, Any],
        long_term_gap: Optional[int] = None,
        max_frames: int = 20,
        max_long: Optional[int] = 1040,
        max_short: Optional[int] = None,
        scale: float = 1.0,
    ) -> None:
        super().__init__()
        for name, value in (
            ('long_term_gap', long_term_gap),
            ('max_frames', max_frames),
            ('max_long', max_long),
            ('max_short', max_short),
            ('scale', scale),
        ):
            if value is not None and not value > 0:
                raise ConfigError(
                    f'{name}={value} is not positive',
                    fix='use a positive number, or leave it out',
                )
        self.network = MODELS.build(network)
        self.long_term_gap: int = long_term_gap or self.network.long_term_gap
        self.max_frames = max_frames
        self.max_long = max_long
        self.max_short = max_short
        self.scale = scale

    # --------------------------------------------------------------- frames
    @torch.no_grad()
    def encode(self, image: np.ndarray) -> FrameFeatures:
        """Do everything for a frame that is common to all passes.

        Args:
            image (np.ndarray): uint8, (H, W, 3), BGR.

        Returns:
            FrameFeatures: Of the resized frame, on the network's device.

        Raises:
            PMVISError: If it is no such image.
        """
        if image.ndim != 3 or image.shape[2] != 3 or not image.size:
            raise PMVISError(
                f'a frame of shape {image.shape} is no colour image',
                fix='give arrays (H, W, 3) in BGR order',
            )
        height, width = image.shape[:2]
        size = network_size(
            height,
            width,
            self.max_long,
            self.max_short,
            self.scale,
            self.network.align_corners,
        )
        weight = self.network.projector.weight
        inputs = prepare_frame(image, size).to(weight)
        return self.network.extract_feat(inputs, (height, width))

    # ----------------------------------------------------------- references
    def start(
        self,
        features: FrameFeatures,
        labels: Labels,
        num_objects: Optional[int] = None,
    ) -> DeAOTState:
        """Begin to track from a frame.

        Args:
            features (FrameFeatures): Of the frame.
            labels (Tensor | np.ndarray): integers, (H, W), of the frame's
                size or the network's: 0 is background, 1 ... n are objects,
                255 is unknown.
            num_objects (int, optional): n. Defaults to the largest label.

        Returns:
            DeAOTState: Where tracking begins, in either direction.

        Raises:
            PMVISError: If there is no object, or the labels are out of
                range or of another size.
        """
        empty = DeAOTState(0, -1, (), features.input_shape)
        return self.add_reference(empty, features, labels, num_objects)

    @torch.no_grad()
    def add_reference(
        self,
        state: DeAOTState,
        features: FrameFeatures,
        labels: Labels,
        num_objects: Optional[int] = None,
        step: Optional[int] = None,
    ) -> DeAOTState:
        """Take a frame with known labels into memory for good.

        Args:
            state (DeAOTState): Before.
            features (FrameFeatures): Of the frame.
            labels (Tensor | np.ndarray): See :meth:`start`; all objects in
                the frame, new ones may come.
            num_objects (int, optional): Objects from now on. Defaults to
                the largest label, or the number so far.
            step (int, optional): Which step the frame is; the current one
                to replace what was committed. Defaults to the next one.

        Returns:
            DeAOTState: Of that step.

        Raises:
            PMVISError: See :meth:`start`.
        """
        _check_shape(state, features)
        checked, count = self._check(features, labels, num_objects)
        count = max(count, state.num_objects)
        step = state.step + 1 if step is None else step
        groups = -(-count // self.network.max_objects)
        embed = self._embed(features.input_shape, checked, groups)
        _, views = self.network.gpm(features.x, id_embed=embed)
        memory = self.network.gpm.remember(views, embed)
        memories, first = [], 0
        for old in state.memories:
            own = select_groups(memory, slice(first, first + old.num_groups))
            first += old.num_groups
            old = old.replaced(step)
            memories.append(
                old.advanced(own, Mark(step, True), self.max_frames)
            )
        if first < groups:
            own = select_groups(memory, slice(first, groups))
            marks = (Mark(step, True),)
            memories.append(GroupMemory(own, own, marks, groups - first))
        return DeAOTState(count, step, tuple(memories), state.input_shape)

    # ---------------------------------------------------------------- steps
    def step(
        self,
        state: DeAOTState,
        features: FrameFeatures,
        annotation: Optional[Labels] = None,
        absent: Sequence[int] = (),
    ) -> Tuple[Tensor, DeAOTState]:
        """Track into the next frame and remember what was found.

        Args:
            state (DeAOTState): Of the frame before.
            features (FrameFeatures): Of the frame.
            annotation (Tensor | np.ndarray, optional): New labels. Where
                they are not 0 they overrule the predicted ones, and the
                frame becomes a reference. See :meth:`start`. Defaults to
                None.
            absent (Sequence[int]): Objects that are known not to be there
                and must not be remembered. Defaults to ().

        Returns:
            tuple:

            - Tensor: float, (1 + 10 G, H, W), logits of background and
              objects at the frame's size, before the annotation. Their
              softmax are the probabilities.
            - DeAOTState: Of this frame.

        Raises:
            PMVISError: If frame, state and annotation do not fit.
        """
        logits, seen = self.predict(state, features)
        labels = label_map(logits, state.num_objects)
        state = self.settle(state, features, seen, labels, annotation, absent)
        return logits, state

    def settle(
        self,
        state: DeAOTState,
        features: FrameFeatures,
        seen: Observation,
        labels: Tensor,
        annotation: Optional[Labels] = None,
        absent: Sequence[int] = (),
    ) -> DeAOTState:
        """Remember a frame that was predicted: the second half of a step.

        Args:
            state (DeAOTState): Of the frame before.
            features (FrameFeatures): Of the frame.
            seen (Observation): From :meth:`predict`.
            labels (Tensor): int64, (H, W), from :func:`label_map`.
            annotation (Tensor | np.ndarray, optional): See :meth:`step`.
            absent (Sequence[int]): See :meth:`step`.

        Returns:
            DeAOTState: Of this frame.
        """
        for label in absent:
            labels = labels.masked_fill(labels == label, 0)
        if annotation is None:
            return self.commit(state, seen, labels)
        given, count = self._check(features, annotation, None)
        labels = resize_labels(labels, (given.shape[0], given.shape[1]))
        labels = given.where(given != 0, labels)
        count = max(count, state.num_objects)
        return self.add_reference(state, features, labels, count)

    @torch.no_grad()
    def predict(
        self, state: DeAOTState, features: FrameFeatures
    ) -> Tuple[Tensor, Observation]:
        """Track into the next frame without remembering it.

        Args:
            state (DeAOTState): Of the frame before.
            features (FrameFeatures): Of the frame.

        Returns:
            tuple: Logits as in :meth:`step`, and what :meth:`commit` needs.

        Raises:
            PMVISError: If the frame is of another size than the start.
        """
        _check_shape(state, features)
        logits, seen = [], []
        for memory in state.memories:
            x, views = self.network.gpm(
                features.x, (memory.long, memory.short)
            )
            logits.append(self.network.mask_head(x, features.pyramid))
            seen.append(views)
        merged = self._merge(
            torch.cat(logits), state.num_objects, features.ori_shape
        )
        return merged, Observation(state.step + 1, tuple(seen))

    @torch.no_grad()
    def commit(
        self, state: DeAOTState, seen: Observation, labels: Labels
    ) -> DeAOTState:
        """Remember a frame with its labels.

        A second commit of the same frame replaces the first.

        Args:
            state (DeAOTState): Of the frame before, or of this one.
            seen (Observation): From :meth:`predict`.
            labels (Tensor | np.ndarray): integers, (H, W), of any size.

        Returns:
            DeAOTState: Of this frame.
        """
        if state.step not in (seen.step - 1, seen.step):
            raise PMVISError(
                f'step {seen.step} cannot follow step {state.step}',
                fix='commit each frame before the next one is predicted',
            )
        labels = self._to_tensor(labels)
        embed = self._embed(state.input_shape, labels, state.num_groups)
        memories: List[GroupMemory] = []
        first = 0
        for old, views in zip(state.memories, seen.views):
            part = embed[first : first + old.num_groups]
            first += old.num_groups
            own: FrameMemory = self.network.gpm.remember(views, part)
            old = old.without(seen.step)
            is_due = seen.step - old.last >= self.long_term_gap
            mark = Mark(seen.step, False) if is_due else None
            memories.append(old.advanced(own, mark, self.max_frames))
        return state._replace(step=seen.step, memories=tuple(memories))

    # -------------------------------------------------------------- details
    def _merge(
        self, logits: Tensor, num_objects: int, size: Tuple[int, int]
    ) -> Tensor:
        """Join groups of (G, 11, h, w) into (1 + 10 G, *size)."""
        per_group = logits.size(1) - 1
        free = len(logits) * per_group - num_objects
        if free:
            logits[-1, -free:] = _NEVER
        logits = F.interpolate(
            logits,
            size=size,
            mode='bilinear',
            align_corners=self.network.align_corners,
        )
        return merge_groups(logits)

    def _embed(
        self, size: Tuple[int, int], labels: Tensor, groups: int
    ) -> Tensor:
        return self.network.id_bank(resize_labels(labels, size), groups)

    def _to_tensor(self, labels: Labels) -> Tensor:
        if isinstance(labels, np.ndarray):
            labels = torch.from_numpy(np.ascontiguousarray(labels))
        return labels.to(self.network.projector.weight.device).long()

    def _check(
        self,
        features: FrameFeatures,
        labels: Labels,
        num_objects: Optional[int],
    ) -> Tuple[Tensor, int]:
        """Refuse labels that are no labels of this frame."""
        sizes = [tuple(features.ori_shape), tuple(features.input_shape)]
        if tuple(labels.shape) not in sizes:
            raise PMVISError(
                f'labels of shape {tuple(labels.shape)}, the frame is '
                f'{sizes[0]} (height, width)',
                fix='give one label per pixel of the frame',
            )
        checked = self._to_tensor(labels)
        found = set(checked.unique().tolist()) - {IGNORED}
        largest = max(found, default=0)
        count = largest if num_objects is None else num_objects
        if count < 1:
            raise PMVISError(
                'no object to track',
                fix='give labels 1, 2, ... to the pixels of the objects',
            )
        if min(found, default=0) < 0 or largest > count or count >= IGNORED:
            raise PMVISError(
                f'labels {min(found, default=0)} to {largest} for '
                f'{count} objects',
                fix=f'use 0 for background, 1 ... n for at most '
                f'{IGNORED - 1} objects and {IGNORED} for unknown pixels',
            )
        return checked, count


def _check_shape(state: DeAOTState, features: FrameFeatures) -> None:
    if state.input_shape != features.input_shape:
        raise PMVISError(
            f'a frame of {features.input_shape} pixels (height, width, '
            f'resized), tracking began with {state.input_shape}',
            fix='give frames of one size',
        )
