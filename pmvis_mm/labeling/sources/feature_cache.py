"""Features of frames, kept as long as there is room."""

from collections import OrderedDict
from typing import Any, Callable, Generic, TypeVar

T = TypeVar('T')


class FeatureCache(Generic[T]):
    """Computes features of frames, and keeps those used last.

    Features that had to go are computed again when they are asked for.

    Args:
        compute (Callable[[Any], T]): Makes the features of an image; they
            tell their size as ``nbytes``.
        max_bytes (int): Budget. The newest features are held even if they
            alone exceed it.

    Attributes:
        num_computed (int): Calls of ``compute`` so far.
    """

    def __init__(self, compute: Callable[[Any], T], max_bytes: int) -> None:
        self.compute = compute
        self.max_bytes = max_bytes
        self.num_computed = 0
        self._owner: Any = None
        self._kept: OrderedDict[int, T] = OrderedDict()

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
        if index in self._kept:
            self._kept.move_to_end(index)
            return self._kept[index]
        self.num_computed += 1
        features = self.compute(frames[index])
        self._kept[index] = features
        while len(self._kept) > 1 and self._size() > self.max_bytes:
            self._kept.popitem(last=False)
        return features

    def clear(self) -> None:
        """Drop everything."""
        self._owner = None
        self._kept.clear()

    def _size(self) -> int:
        return sum(f.nbytes for f in self._kept.values())  # type: ignore
