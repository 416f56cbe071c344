"""GrabCut from a box: masks without any weights."""

from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np

from ...registry import MODELS
from ...structures import Box
from .base import FrameMaskSource


@MODELS.register_module()
class GrabCutSource(FrameMaskSource):
    """`GrabCut <https://doi.org/10.1145/1186562.1015720>`_ in each box.

    The floor that learned sources must beat. Each box is cut out with a
    margin; what lies outside the box is background, what lies inside is
    probably foreground, and a small ellipse in its middle surely is: without
    it the cut often finds nothing at all in a box full of clutter.

    Args:
        iterations (int): Rounds of model fit and cut. Defaults to 3.
        core (float): Axes of the ellipse that is surely foreground, as a
            share of the box; 0 for none. Defaults to 0.3.
        margin (float): Background to see around the box, as a share of its
            width and height. Defaults to 0.3.
        max_side (int): Longer side of the cut-out that is worked on,
            pixels; larger ones are shrunk. Defaults to 256.
        seed (int): Of the clustering inside. Defaults to 0.
        name (str): Source name. Defaults to 'grabcut'.
    """

    def __init__(
        self,
        iterations: int = 3,
        core: float = 0.3,
        margin: float = 0.3,
        max_side: int = 256,
        seed: int = 0,
        name: str = 'grabcut',
    ) -> None:
        super().__init__(name)
        self.iterations = iterations
        self.core = core
        self.margin = margin
        self.max_side = max_side
        self.seed = seed

    def segment(
        self, image: np.ndarray, boxes: Sequence[Box]
    ) -> List[Tuple[Optional[np.ndarray], Optional[float]]]:
        """See the base class; scores are None."""
        return [(self._segment_box(image, box), None) for box in boxes]

    def _segment_box(
        self, image: np.ndarray, box: Box
    ) -> Optional[np.ndarray]:
        height, width = image.shape[:2]
        x0, y0, x1, y1 = _outward(box, width, height)
        dx = max(2, round(self.margin * (x1 - x0)))
        dy = max(2, round(self.margin * (y1 - y0)))
        left, top = max(x0 - dx, 0), max(y0 - dy, 0)
        right, bottom = min(x1 + dx, width), min(y1 + dy, height)
        crop = image[top:bottom, left:right]
        inner = (x0 - left, y0 - top, x1 - left, y1 - top)
        found = self._grab(crop, inner)
        if not found.any():
            return None
        mask = np.zeros((height, width), bool)
        mask[top:bottom, left:right] = found
        return mask

    def _grab(
        self, crop: np.ndarray, inner: Tuple[int, int, int, int]
    ) -> np.ndarray:
        height, width = crop.shape[:2]
        trimap = np.full((height, width), cv2.GC_BGD, np.uint8)
        x0, y0, x1, y1 = inner
        trimap[y0:y1, x0:x1] = cv2.GC_PR_FGD
        if (trimap != cv2.GC_BGD).all():
            # The box fills the frame: its rim must do as background.
            trimap[[0, -1]] = cv2.GC_BGD
            trimap[:, [0, -1]] = cv2.GC_BGD
        trimap[self._core(inner, height, width)] = cv2.GC_FGD
        scale = min(1.0, self.max_side / max(height, width))
        if scale < 1:
            size = (
                max(1, round(width * scale)),
                max(1, round(height * scale)),
            )
            crop = cv2.resize(crop, size, interpolation=cv2.INTER_AREA)
            trimap = cv2.resize(trimap, size, interpolation=cv2.INTER_NEAREST)
        if len(np.unique(trimap)) < 2:
            # Too few pixels to tell anything: the box is the best guess.
            found = np.zeros((height, width), bool)
            found[y0:y1, x0:x1] = True
            return found
        cv2.setRNGSeed(self.seed)  # the clustering draws from a global state
        cv2.grabCut(
            np.ascontiguousarray(crop),
            trimap,
            None,
            np.zeros((1, 65)),
            np.zeros((1, 65)),
            self.iterations,
            cv2.GC_INIT_WITH_MASK,
        )
        found = np.isin(trimap, (cv2.GC_FGD, cv2.GC_PR_FGD))
        if scale < 1:
            large = cv2.resize(found.astype(np.float32), (width, height)) > 0.5
            # Enlarged, the outline may stick out of the box.
            found = np.zeros_like(large)
            found[y0:y1, x0:x1] = large[y0:y1, x0:x1]
        return found

    def _core(
        self, box: Tuple[int, int, int, int], height: int, width: int
    ) -> np.ndarray:
        x0, y0, x1, y1 = box
        x = (np.arange(width) + 0.5 - (x0 + x1) / 2) / ((x1 - x0) / 2)
        y = (np.arange(height) + 0.5 - (y0 + y1) / 2) / ((y1 - y0) / 2)
        return x[None] ** 2 + y[:, None] ** 2 < self.core**2


def _outward(box: Box, width: int, height: int) -> Tuple[int, int, int, int]:
    """Round a box outward to whole pixels inside the frame."""
    x0, y0 = int(np.floor(box[0])), int(np.floor(box[1]))
    x1 = min(int(np.ceil(box[2])), width)
    y1 = min(int(np.ceil(box[3])), height)
    return max(x0, 0), max(y0, 0), x1, y1
