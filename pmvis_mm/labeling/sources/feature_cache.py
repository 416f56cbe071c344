"""Features of frames, kept as long as they are needed."""

from collections import OrderedDict
from typing import Any, Callable, Dict, Generic, Mapping, Optional, TypeVar

T = TypeVar('T')


class FeatureCache(Generic[T]):
    """Computes features of frames, and keeps those that are needed again.

    Those used last stay in memory. What there is no room for goes to the
    spill; what there is no room for there either is computed again.

    Args:
        compute (Callable[[Any], T]): Makes the features of an image; they
            tell their size as ``nbytes``.
        max_bytes (int): Budget of the memory. The newest features are held
            even if they alone exceed it.
        spill (FeatureSpill, optional): Has ``put(index, features)``,
            ``get(index)`` and ``clear()``. Defaults to None.

    Attributes:
        num_computed (int): Calls of ``compute`` so far.
    """

    def __init__(
        self,
        compute: Callable[[Any], T],
        max_bytes: int,
        spill: Any = None,
    ) -> None:
        self.compute = compute
        self.max_bytes = max_bytes
        self.spill = spill
        self.num_computed = 0
        self._owner: Any = None
        self._kept: OrderedDict[int, T] = OrderedDict()
        self._left: Optional[Dict[int, int]] = None

    def expect(self, frames: Any, uses: Mapping[int, int]) -> None:
        """Announce how often each frame of a video will be asked for.

        After the last time nothing of a frame is kept. Without a plan all
        is kept as long as there is room.

        Args:
            frames (Any): The video.
            uses (Mapping[int, int]): Number of calls of :meth:`get` by
                index.
        """
        self.clear()
        self._owner = frames
        self._left = dict(uses)

    def get(self, frames: Any, index: int) -> T:
        """Give the features of a frame.

        Args:
            frames (Any): Frames of one video by index. Another video drops
                what is kept.
            index (int): 0-based.

        Returns:
            T: Shared; not to be changed.
        """
        if self._owner is not frames:
            self.clear()
            self._owner = frames
        if self._left is not None:
            self._left[index] = self._left.get(index, 0) - 1
        features = self._find(index)
        if features is None:
            self.num_computed += 1
            features = self.compute(frames[index])
        if self._is_needed(index):
            self._kept[index] = features
            self._shrink()
        return features

    def clear(self) -> None:
        """Drop everything."""
        self._owner = self._left = None
        self._kept.clear()
        if self.spill is not None:
            self.spill.clear()

    def _find(self, index: int) -> Optional[T]:
        if index in self._kept:
            return self._kept.pop(index)
        return None if self.spill is None else self.spill.get(index)

    def _is_needed(self, index: int) -> bool:
        return self._left is None or self._left.get(index, 0) > 0

    def _shrink(self) -> None:
        size = sum(f.nbytes for f in self._kept.values())  # type: ignore[attr-defined]
        while len(self._kept) > 1 and size > self.max_bytes:
            index, features = self._kept.popitem(last=False)
            size -= features.nbytes  # type: ignore[attr-defined]
            if self.spill is not None:
                self.spill.put(index, features)
