"""Masks of which only the boxes are kept while a frame is augmented."""

from typing import Any, Callable, List, NamedTuple, Optional, Sequence, Tuple

import cv2
import mmcv
import numpy as np
from mmdet.structures.mask import BitmapMasks


class MaskCrop(NamedTuple):
    """What a mask holds within a box; zeros are all around.

    Attributes:
        x (int): First column of the box in the frame.
        y (int): First row.
        mask (np.ndarray): uint8, (h, w); never written to.
    """

    x: int
    y: int
    mask: np.ndarray


class TightMasks(BitmapMasks):
    """Bitmaps that are made in full only when somebody asks for ``masks``.

    Flipping, cropping, padding, choosing and resizing by nearest neighbour
    work on the boxes of the masks, which are a small part of large frames.
    The outcome is that of ``BitmapMasks``, as a test proves. Once ``masks``
    has been read, which a caller may then write to, this is an ordinary
    ``BitmapMasks``.

    Args:
        crops (list[MaskCrop | None] | list[np.ndarray] | np.ndarray): N
            masks; None is empty. Full bitmaps, as ``BitmapMasks`` takes
            them, make an ordinary one: mmdet's ``Albu`` and
            ``CachedMosaic`` call the class of the masks that they get.
        height (int): Of the frame, pixels.
        width (int): Of the frame, pixels.
    """

    def __init__(self, crops: Any, height: int, width: int) -> None:
        self._dense: Optional[np.ndarray] = None
        self.crops: Optional[List[Optional[MaskCrop]]] = None
        if len(crops) and isinstance(crops[0], np.ndarray):
            super().__init__(crops, height, width)
        else:
            self.height, self.width = height, width
            self.crops = list(crops)

    @property
    def masks(self) -> np.ndarray:
        """np.ndarray: uint8, (N, H, W)."""
        if self._dense is None:
            assert self.crops is not None
            shape = (len(self.crops), self.height, self.width)
            self._dense = np.zeros(shape, np.uint8)
            for target, crop in zip(self._dense, self.crops):
                if crop is not None:
                    h, w = crop.mask.shape
                    target[crop.y : crop.y + h, crop.x : crop.x + w] = (
                        crop.mask
                    )
            self.crops = None
        return self._dense

    @masks.setter
    def masks(self, value: np.ndarray) -> None:
        self._dense, self.crops = value, None

    def __len__(self) -> int:
        return len(self.masks if self.crops is None else self.crops)

    def __getitem__(self, index: Any) -> BitmapMasks:
        if self.crops is None:
            return super().__getitem__(index)
        chosen = np.arange(len(self.crops))[index].reshape(-1)
        crops = [self.crops[i] for i in chosen]
        return TightMasks(crops, self.height, self.width)

    def _each(
        self,
        change: Callable[[MaskCrop], Optional[MaskCrop]],
        height: int,
        width: int,
    ) -> 'TightMasks':
        assert self.crops is not None
        crops = [None if crop is None else change(crop) for crop in self.crops]
        return TightMasks(crops, height, width)

    def flip(self, flip_direction: str = 'horizontal') -> BitmapMasks:
        """See ``BitmapMasks.flip``."""
        if self.crops is None:
            return super().flip(flip_direction)
        assert flip_direction in ('horizontal', 'vertical', 'diagonal')

        def change(crop: MaskCrop) -> MaskCrop:
            x, y, mask = crop
            h, w = mask.shape
            if flip_direction != 'vertical':
                x, mask = self.width - x - w, mask[:, ::-1]
            if flip_direction != 'horizontal':
                y, mask = self.height - y - h, mask[::-1]
            return MaskCrop(x, y, mask)

        return self._each(change, self.height, self.width)

    def crop(self, bbox: np.ndarray) -> BitmapMasks:
        """See ``BitmapMasks.crop``; ``bbox`` is int, half-open xyxy."""
        if self.crops is None:
            return super().crop(bbox)
        limits = (self.width, self.height) * 2
        x1, y1, x2, y2 = (int(v) for v in np.clip(bbox, 0, limits))
        x2, y2 = max(x2, x1 + 1), max(y2, y1 + 1)

        def change(crop: MaskCrop) -> Optional[MaskCrop]:
            x, y, mask = crop
            part = mask[
                max(y1 - y, 0) : max(y2 - y, 0),
                max(x1 - x, 0) : max(x2 - x, 0),
            ]
            if not part.size:
                return None
            return MaskCrop(max(x - x1, 0), max(y - y1, 0), part)

        return self._each(change, y2 - y1, x2 - x1)

    def pad(self, out_shape: Tuple[int, int], pad_val: int = 0) -> BitmapMasks:
        """See ``BitmapMasks.pad``."""
        if self.crops is None or pad_val != 0:
            return super().pad(out_shape, pad_val)
        assert out_shape[0] >= self.height and out_shape[1] >= self.width
        return self._each(lambda crop: crop, *out_shape[:2])

    def rescale(
        self, scale: Any, interpolation: str = 'nearest'
    ) -> BitmapMasks:
        """See ``BitmapMasks.rescale``."""
        width, height = mmcv.rescale_size((self.width, self.height), scale)
        return self.resize((height, width), interpolation)

    def resize(
        self, out_shape: Tuple[int, int], interpolation: str = 'nearest'
    ) -> BitmapMasks:
        """See ``BitmapMasks.resize``."""
        if self.crops is None or interpolation != 'nearest':
            return super().resize(out_shape, interpolation)
        return self.sample(out_shape, _opencv_places)

    def sample(
        self,
        out_shape: Tuple[int, int],
        places: Callable[[int, int], np.ndarray],
    ) -> BitmapMasks:
        """Resize by taking pixels.

        Args:
            out_shape (tuple[int]): New height and width, pixels.
            places (callable): Gets an old and a new length and tells where
                each new pixel is taken from, int, ascending.

        Returns:
            BitmapMasks: Of the new size.
        """
        height, width = out_shape
        rows = places(self.height, height)
        columns = places(self.width, width)
        if self.crops is None:
            dense = self.masks[:, rows[:, None], columns[None]]
            return BitmapMasks(dense, height, width)

        def change(crop: MaskCrop) -> Optional[MaskCrop]:
            h, w = crop.mask.shape
            top, bottom = np.searchsorted(rows, (crop.y, crop.y + h))
            left, right = np.searchsorted(columns, (crop.x, crop.x + w))
            if top == bottom or left == right:
                return None
            chosen = crop.mask.take(rows[top:bottom] - crop.y, axis=0)
            mask = chosen.take(columns[left:right] - crop.x, axis=1)
            return MaskCrop(int(left), int(top), mask)

        return self._each(change, height, width)

    @classmethod
    def cat(cls, masks: Sequence[BitmapMasks]) -> BitmapMasks:
        """See ``BitmapMasks.cat``; masks may be of either class."""
        return BitmapMasks.cat(masks)

    def plain(self) -> BitmapMasks:
        """Make ordinary bitmaps."""
        return BitmapMasks(self.masks, self.height, self.width)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_masks={len(self)}, '
            f'height={self.height}, width={self.width})'
        )


def _opencv_places(old: int, new: int) -> np.ndarray:
    """Where OpenCV's nearest neighbour takes pixels from: it tells."""
    line = np.arange(old, dtype=np.float32)[None]
    places = cv2.resize(line, (new, 1), interpolation=cv2.INTER_NEAREST)
    return places[0].astype(np.int64)


def tight_boxes(masks: BitmapMasks) -> np.ndarray:
    """Boxes of masks.

    Args:
        masks (BitmapMasks): N masks, non-zero is foreground.

    Returns:
        np.ndarray: float32, (N, 4), half-open xyxy; zeros for empty masks.
    """
    crops = getattr(masks, 'crops', None)
    if crops is None:
        crops = [MaskCrop(0, 0, mask) for mask in masks.masks]
    boxes = np.zeros((len(crops), 4), np.float32)
    for box, crop in zip(boxes, crops):
        if crop is None:
            continue
        rows = np.flatnonzero(crop.mask.any(axis=1))
        if rows.size:
            columns = np.flatnonzero(crop.mask.any(axis=0))
            box[:] = columns[0], rows[0], columns[-1] + 1, rows[-1] + 1
            box += (crop.x, crop.y) * 2
    return boxes
