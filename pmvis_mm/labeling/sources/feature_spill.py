"""Features of frames in a temporary file."""

import tempfile
import warnings
from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import torch
from torch import Tensor

from ...models.vos import FrameFeatures

_LARGEST_HALF = 65504.0


class _Place(NamedTuple):
    start: int
    sizes: List[Tuple[torch.Size, torch.dtype]]
    features: FrameFeatures  # with an empty tensor, for type and device


class FeatureSpill:
    """Holds features that there is no room for in memory.

    The file has no name and goes with the process, even if that is killed.

    Args:
        max_bytes (int): Largest size of the file; what does not fit is not
            kept.
        half (bool): Store half precision, at half the size; numbers come
            back rounded to 11 bits, so that tracks depend a little on what
            had to be spilled. Defaults to False.
        folder (str, optional): Where to make the file. Defaults to the
            system's folder for temporary files.

    Attributes:
        num_bytes (int): Size of the file.
    """

    def __init__(
        self,
        max_bytes: int,
        half: bool = False,
        folder: Optional[str] = None,
    ) -> None:
        self.max_bytes = max_bytes
        self.half = half
        self.folder = folder
        self.num_bytes = 0
        self._file: Any = None
        self._places: Dict[int, _Place] = {}

    def put(self, index: int, features: FrameFeatures) -> bool:
        """Store the features of a frame, unless they are there.

        Args:
            index (int): Of the frame.
            features (FrameFeatures): Floating-point tensors on any device.

        Returns:
            bool: Whether they are there now. A disk that is full is as if
            there was no more room, with a warning.
        """
        if index in self._places:
            return True
        tensors = [self._packed(t) for t in _tensors(features)]
        size = sum(t.numel() * t.element_size() for t in tensors)
        if self.num_bytes + size > self.max_bytes:
            return False
        try:
            self._write(tensors)
        except OSError as reason:
            warnings.warn(
                f'features of frames cannot be spilled ({reason}) and are '
                f'computed again; free some disk space, choose another '
                f'spill_dir or a smaller spill_mb',
                stacklevel=2,
            )
            self.max_bytes = self.num_bytes
            return False
        self._places[index] = _Place(
            self.num_bytes,
            [(t.shape, t.dtype) for t in tensors],
            features._replace(x=features.x.new_empty(0), pyramid=()),
        )
        self.num_bytes += size
        return True

    def get(self, index: int) -> Optional[FrameFeatures]:
        """Read the features of a frame.

        Args:
            index (int): Of the frame.

        Returns:
            FrameFeatures, optional: Of the type and on the device that they
            had; None if they are not there.
        """
        place = self._places.get(index)
        if place is None:
            return None
        self._file.seek(place.start)
        tensors = [
            self._read(shape, dtype).to(place.features.x)
            for shape, dtype in place.sizes
        ]
        return place.features._replace(
            x=tensors[0], pyramid=tuple(tensors[1:])
        )

    def clear(self) -> None:
        """Drop everything, and the file."""
        self._places.clear()
        self.num_bytes = 0
        if self._file is not None:
            self._file.close()
            self._file = None

    def _packed(self, tensor: Tensor) -> Tensor:
        if self.half and tensor.element_size() > 2:
            tensor = tensor.clamp(-_LARGEST_HALF, _LARGEST_HALF).half()
        return tensor.detach().cpu().contiguous()

    def _write(self, tensors: List[Tensor]) -> None:
        if self._file is None:
            self._file = tempfile.TemporaryFile(dir=self.folder)
        self._file.seek(self.num_bytes)
        for tensor in tensors:
            self._file.write(tensor.view(-1).view(torch.uint8).numpy())
        self._file.flush()

    def _read(self, shape: torch.Size, dtype: torch.dtype) -> Tensor:
        tensor = torch.empty(shape, dtype=dtype)
        content = tensor.view(-1).view(torch.uint8).numpy()
        if self._file.readinto(content) != content.nbytes:
            raise OSError('the temporary file of features was cut short')
        return tensor


def _tensors(features: FrameFeatures) -> Tuple[Tensor, ...]:
    return (features.x, *features.pyramid)
