"""Dense optical flow from OpenCV, which needs no weights."""

import cv2
import numpy as np

from .errors import ConfigError

PRESETS = dict(
    ultrafast=cv2.DISOPTICAL_FLOW_PRESET_ULTRAFAST,
    fast=cv2.DISOPTICAL_FLOW_PRESET_FAST,
    medium=cv2.DISOPTICAL_FLOW_PRESET_MEDIUM,
)


class DISFlow:
    """`DIS flow <https://arxiv.org/abs/1603.03590>`_, also of small frames.

    It pickles, unlike OpenCV's object.

    Args:
        preset (str): 'ultrafast', 'fast' or 'medium'. Defaults to 'medium'.
        finest_scale (int): Pyramid level that the flow is refined to; 0 is
            the full resolution. Defaults to 0.
        min_side (int): Frames whose shorter side is below are enlarged by a
            whole factor for the flow, pixels. Defaults to 192.

    Raises:
        ConfigError: If an option is out of range.
    """

    def __init__(
        self,
        preset: str = 'medium',
        finest_scale: int = 0,
        min_side: int = 192,
    ) -> None:
        if preset not in PRESETS:
            raise ConfigError(
                f'preset should be one of {sorted(PRESETS)}, got {preset!r}'
            )
        if finest_scale < 0 or min_side < 1:
            raise ConfigError(
                f'flow has finest_scale={finest_scale} and '
                f'min_side={min_side}',
                fix='use finest_scale >= 0 and min_side >= 1',
            )
        self.preset = preset
        self.finest_scale = finest_scale
        self.min_side = min_side

    def create(self) -> cv2.DISOpticalFlow:
        """Make OpenCV's object; it keeps its buffers between frames."""
        flow = cv2.DISOpticalFlow_create(PRESETS[self.preset])
        flow.setFinestScale(self.finest_scale)
        return flow

    def enlarge(self, gray: np.ndarray) -> np.ndarray:
        """Enlarge a frame that is too small for the flow.

        Args:
            gray (np.ndarray): uint8, (h, w).

        Returns:
            np.ndarray: uint8, a whole multiple of its size.
        """
        factor = -(-self.min_side // min(gray.shape))
        if factor > 1:
            gray = cv2.resize(
                gray,
                None,
                fx=factor,
                fy=factor,
                interpolation=cv2.INTER_CUBIC,
            )
        return gray


def resize_flow(flow: np.ndarray, height: int, width: int) -> np.ndarray:
    """Bring flow from a multiple of a frame's size down to it.

    Args:
        flow (np.ndarray): float32, (s * height, s * width, 2), in pixels of
            that size.
        height (int): Height of the result.
        width (int): Width of the result.

    Returns:
        np.ndarray: float32, (height, width, 2), in pixels of that size,
        means of blocks.
    """
    factor = flow.shape[0] / height
    if factor != 1:
        flow = cv2.resize(flow, (width, height), interpolation=cv2.INTER_AREA)
    return flow / np.float32(factor)
