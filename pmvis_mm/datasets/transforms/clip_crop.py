"""Cropping clips so that something is left to track."""

from typing import Any, List, Optional, Sequence, Tuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from ...utils.errors import ConfigError

# BGR; what ImageNet's normalisation makes zero.
MEAN_COLOR = (103.53, 116.28, 123.675)


@TRANSFORMS.register_module()
class RandomClipCrop(BaseTransform):
    """Cut one window out of all frames; the reference keeps an object.

    Frames smaller than the window are padded on all sides with the mean
    colour and background. Windows are drawn until one keeps enough of an
    object of the first frame; after that a window around a random pixel of
    one is taken.

    Required Keys (lists over the T frames of a clip):

    - img (np.uint8 or np.float32, (H, W, 3))
    - gt_seg_map (np.uint8, (H, W))

    Modified Keys: the same and

    - img_shape (tuple[int], (h, w))

    Args:
        crop_size (int | tuple[int]): Side, or height and width, pixels.
            DeAOT has 465, with Swin 464.
        min_pixels (int): Enough of an object, pixels. Defaults to 100.
        max_tries (int): Windows drawn. Defaults to 10.

    Raises:
        ConfigError: If a size is not positive, or frames of a clip differ
            in size.
    """

    def __init__(
        self,
        crop_size: Any,
        min_pixels: int = 100,
        max_tries: int = 10,
    ) -> None:
        pair = (crop_size,) * 2 if isinstance(crop_size, int) else crop_size
        if len(pair) != 2 or min(pair) < 1:
            raise ConfigError(
                f'crop_size={crop_size!r} is no size',
                fix='use one side or (height, width), pixels',
            )
        self.crop_size: Tuple[int, int] = (int(pair[0]), int(pair[1]))
        self.min_pixels = min_pixels
        self.max_tries = max_tries

    def transform(self, results: dict) -> Optional[dict]:
        """Crop a clip.

        Args:
            results (dict): Lists over the frames.

        Returns:
            dict, optional: The cropped clip; None if the first frame shows
            no object at all.
        """
        check_one_size(results)
        images = [self._pad(image, MEAN_COLOR) for image in results['img']]
        labels = [self._pad(seg, 0) for seg in results['gt_seg_map']]
        if not is_object(labels[0]).any():
            return None
        top, left = self._window(labels[0])
        rows = slice(top, top + self.crop_size[0])
        columns = slice(left, left + self.crop_size[1])
        results['img'] = [np.array(image[rows, columns]) for image in images]
        results['gt_seg_map'] = [
            np.array(seg[rows, columns]) for seg in labels
        ]
        results['img_shape'] = [self.crop_size] * len(images)
        return results

    def _pad(self, array: np.ndarray, value: Any) -> np.ndarray:
        rest = [
            max(0, side - have)
            for side, have in zip(self.crop_size, array.shape)
        ]
        if not any(rest):
            return array
        (top, left), (bottom, right) = (
            [side // 2 for side in rest],
            [side - side // 2 for side in rest],
        )
        return cv2.copyMakeBorder(
            array, top, bottom, left, right, cv2.BORDER_CONSTANT, value=value
        )

    def _window(self, labels: np.ndarray) -> Tuple[int, int]:
        """Choose the left upper corner."""
        rest = [s - c for s, c in zip(labels.shape, self.crop_size)]
        for _ in range(self.max_tries):
            top, left = (np.random.randint(side + 1) for side in rest)
            window = labels[
                top : top + self.crop_size[0], left : left + self.crop_size[1]
            ]
            areas = np.bincount(window.ravel(), minlength=256)[1:255]
            if areas.max() >= self.min_pixels:
                return top, left
        pixels = np.argwhere(is_object(labels))
        pixel = pixels[np.random.randint(len(pixels))]
        return _around(pixel, self.crop_size, rest)

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(crop_size={self.crop_size}, '
            f'min_pixels={self.min_pixels}, max_tries={self.max_tries})'
        )


def _around(
    pixel: Sequence[int], size: Sequence[int], rest: Sequence[int]
) -> Tuple[int, int]:
    """Draw a window that holds a pixel: its left upper corner."""
    corner: List[int] = []
    for position, side, most in zip(pixel, size, rest):
        low = max(0, int(position) - side + 1)
        high = min(most, int(position))
        corner.append(int(np.random.randint(low, high + 1)))
    return corner[0], corner[1]


def is_object(labels: np.ndarray) -> np.ndarray:
    """Tell objects from background (0) and unjudged pixels (255).

    Args:
        labels (np.ndarray): uint8, (H, W).

    Returns:
        np.ndarray: bool, (H, W).
    """
    return (labels > 0) & (labels < 255)


def check_one_size(results: dict) -> None:
    """Check that all frames and label maps of a clip have one size.

    Args:
        results (dict): With lists ``img`` and ``gt_seg_map``.

    Raises:
        ConfigError: If they differ.
    """
    sizes = {image.shape[:2] for image in results['img']}
    sizes |= {seg.shape for seg in results['gt_seg_map']}
    if len(sizes) != 1:
        raise ConfigError(
            f'frames or label maps of a clip differ in size: {sorted(sizes)}',
            video=results['video_id'][0],
            frame=results['frame_id'],
            fix='use frames of one size, and share_random_params=True in '
            'TransformBroadcaster',
        )
