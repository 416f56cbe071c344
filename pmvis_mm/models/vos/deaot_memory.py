"""What DeAOT remembers of a video, as values that never change."""

from dataclasses import dataclass
from typing import List, NamedTuple, Optional, Sequence, Tuple

import torch

from .gpm import LayerMemory, LayerView

FrameMemory = Tuple[LayerMemory, ...]
"""One LayerMemory per layer."""


class Mark(NamedTuple):
    """Which frame a part of the long-term memory is of.

    Attributes:
        step (int): Steps since the start.
        is_reference (bool): Whether its labels were given.
    """

    step: int
    is_reference: bool


@dataclass(frozen=True)
class GroupMemory:
    """Memory of groups of objects that share their history.

    Attributes:
        long (tuple[LayerMemory]): Per layer, the frames of ``marks`` one
            after the other.
        short (tuple[LayerMemory]): Per layer, the previous frame.
        marks (tuple[Mark]): Newest first.
        num_groups (int): Groups of ten objects.
    """

    long: FrameMemory
    short: FrameMemory
    marks: Tuple[Mark, ...]
    num_groups: int

    @property
    def last(self) -> int:
        """Newest step of the long-term memory."""
        return max(mark.step for mark in self.marks)

    def without(self, step: int) -> 'GroupMemory':
        """Forget what was committed for a step, unless it was given."""
        kept = [
            i
            for i, mark in enumerate(self.marks)
            if mark.is_reference or mark.step != step
        ]
        return self._keep(kept)

    def replaced(self, step: int) -> 'GroupMemory':
        """Forget a step altogether: a reference takes its place."""
        kept = [i for i, mark in enumerate(self.marks) if mark.step != step]
        return self._keep(kept)

    def advanced(
        self, memory: FrameMemory, mark: Optional[Mark], max_frames: int
    ) -> 'GroupMemory':
        """Take in the newest frame.

        Args:
            memory (tuple[LayerMemory]): Of the frame.
            mark (Mark, optional): To remember it for long.
            max_frames (int): Frames in the long-term memory; references
                are never dropped, of others the oldest go first.

        Returns:
            GroupMemory: A new one.
        """
        if mark is None:
            return self._with(self.long, memory, self.marks)
        marks = (mark, *self.marks)
        kept = _kept(marks, max_frames)
        if 0 not in kept:
            return self._with(self.long, memory, self.marks)
        if not self.marks:
            return self._with(memory, memory, marks)
        rest = self._keep([i - 1 for i in kept if i])
        long = memory
        if rest.marks:
            long = tuple(map(_joined, memory, rest.long))
        return self._with(long, memory, (mark, *rest.marks))

    def _with(
        self, long: FrameMemory, short: FrameMemory, marks: Tuple[Mark, ...]
    ) -> 'GroupMemory':
        return GroupMemory(long, short, marks, self.num_groups)

    def _keep(self, kept: List[int]) -> 'GroupMemory':
        """Keep some of the frames of the long-term memory."""
        number = len(self.marks)
        if len(kept) == number:
            return self
        long = tuple(
            LayerMemory(
                *(
                    x.unflatten(1, (number, -1))[:, kept].flatten(1, 2)
                    for x in layer
                )
            )
            for layer in self.long
        )
        marks = tuple(self.marks[i] for i in kept)
        return self._with(long, self.short, marks)


class DeAOTState(NamedTuple):
    """Where tracking stands. Going on from it leaves it as it is.

    Attributes:
        num_objects (int): Objects so far; their labels are 1, 2, ...
        step (int): Steps since the start.
        memories (tuple[GroupMemory]): In the order of the groups. Groups
            that a later reference brought have a memory of their own.
        input_shape (tuple[int]): Height and width of the network's input.
    """

    num_objects: int
    step: int
    memories: Tuple[GroupMemory, ...]
    input_shape: Tuple[int, int]

    @property
    def num_groups(self) -> int:
        """Groups of ten objects."""
        return sum(memory.num_groups for memory in self.memories)


class Observation(NamedTuple):
    """What the network saw in a frame, until its labels are settled.

    Attributes:
        step (int): Steps since the start.
        views (tuple): Per memory of the state, a LayerView per layer.
    """

    step: int
    views: Tuple[Sequence[LayerView], ...]


def select_groups(memory: FrameMemory, groups: slice) -> FrameMemory:
    """Take the part of some groups; what all share stays shared."""
    return tuple(
        LayerMemory(*(x if len(x) == 1 else x[groups] for x in layer))
        for layer in memory
    )


def _joined(first: LayerMemory, second: LayerMemory) -> LayerMemory:
    return LayerMemory(*(torch.cat(pair, 1) for pair in zip(first, second)))


def _kept(marks: Sequence[Mark], max_frames: int) -> List[int]:
    """Choose all references and the newest of the others."""
    room = max_frames - sum(mark.is_reference for mark in marks)
    kept = []
    for i, mark in enumerate(marks):
        if mark.is_reference or room > 0:
            kept.append(i)
            room -= not mark.is_reference
    return kept
