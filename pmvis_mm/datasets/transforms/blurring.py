"""Blurring frames."""

from typing import Sequence

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmcv.transforms.utils import cache_randomness

from ...registry import TRANSFORMS
from ...utils.errors import ConfigError


@TRANSFORMS.register_module()
class RandomGaussianBlur(BaseTransform):
    """Blur a frame; within ``TransformBroadcaster`` all of a clip alike.

    Required Keys:

    - img (np.uint8 or np.float32, (H, W, 3))

    Modified Keys: the same.

    Args:
        prob (float): Probability to blur. Defaults to 0.3.
        sigma (Sequence[float]): Smallest and largest standard deviation,
            pixels. Defaults to (0.1, 2.0).

    Raises:
        ConfigError: If a value is out of range.
    """

    def __init__(
        self, prob: float = 0.3, sigma: Sequence[float] = (0.1, 2.0)
    ) -> None:
        if not 0 <= prob <= 1:
            raise ConfigError(
                f'prob={prob} is no probability', fix='use 0 ... 1'
            )
        if len(sigma) != 2 or not 0 < sigma[0] <= sigma[1]:
            raise ConfigError(
                f'sigma={sigma!r} is no range',
                fix='use two positive numbers, the smaller one first',
            )
        self.prob = prob
        self.sigma = (float(sigma[0]), float(sigma[1]))

    @cache_randomness
    def _draw(self) -> float:
        """Draw the standard deviation; 0 for none."""
        sigma = np.random.uniform(*self.sigma)
        return sigma if np.random.rand() < self.prob else 0.0

    def transform(self, results: dict) -> dict:
        """Blur a frame.

        Args:
            results (dict): Of one frame.

        Returns:
            dict: The same with another ``img``.
        """
        sigma = self._draw()
        if sigma:
            results['img'] = cv2.GaussianBlur(results['img'], (0, 0), sigma)
        return results

    def __repr__(self) -> str:
        return f'{type(self).__name__}(prob={self.prob}, sigma={self.sigma})'
