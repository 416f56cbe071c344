"""Resizing frames, boxes and masks as the public VIS code does."""

from typing import Any, Optional, Tuple, Union

import numpy as np
from mmdet.datasets.transforms import Resize
from mmdet.structures.mask import BitmapMasks
from PIL import Image

from ...registry import TRANSFORMS
from ...utils.errors import ConfigError
from .tight_masks import TightMasks

Scale = Union[int, Tuple[Optional[int], int]]


def shortest_edge_size(
    size: Tuple[int, int], short_edge: int, long_edge: Optional[int] = None
) -> Tuple[int, int]:
    """Compute the size that makes the shorter side fit.

    detectron2's rule, with its order of operations: both sides are scaled
    so that the shorter one is ``short_edge``, then, if the longer one is
    above its cap, so that it is the cap; halves round up.

    Args:
        size (tuple[int]): Height and width, pixels.
        short_edge (int): Length of the shorter side, pixels.
        long_edge (int, optional): Cap of the longer side, pixels. Defaults
            to None: no cap.

    Returns:
        tuple[int]: Height and width, pixels, at least 1.
    """
    factor = short_edge / min(size)
    # The shorter side is short_edge exactly, not up to rounding.
    sides = [short_edge if s == min(size) else factor * s for s in size]
    if long_edge is not None and max(sides) > long_edge:
        factor = long_edge / max(sides)
        sides = [factor * side for side in sides]
    height, width = (max(1, int(side + 0.5)) for side in sides)
    return height, width


@TRANSFORMS.register_module()
class ResizeVISFrame(Resize):
    """Resize by the shorter side, with Pillow, keeping the aspect ratio.

    Pixels and sizes are those of detectron2, which the public IDOL, PM-VIS
    and MaskFreeVIS are trained with. Other than mmdet's ``Resize``:

    - Frames are resized bilinearly by Pillow, with antialiasing when they
      shrink; masks by Pillow's nearest neighbour, which samples at pixel
      centres (OpenCV's does at left upper corners).
    - The cap of the longer side may be left out.

    Works as ``resize_type`` of ``RandomChoiceResize``.

    Required Keys:

    - img (np.uint8)
    - gt_bboxes (optional)
    - gt_masks (BitmapMasks, optional)
    - gt_seg_map (np.uint8, optional)

    Modified Keys: the same and

    - img_shape (tuple[int], (h, w))

    Added Keys:

    - scale (as given)
    - scale_factor (tuple[float], (w, h)): True factors of the two axes.
    - keep_ratio (bool): True.
    - homography_matrix (np.float32, (3, 3))

    Args:
        scale (tuple | int): Cap of the longer side, or None, and length of
            the shorter side, pixels. An int is a shorter side without cap.
        clip_object_border (bool): Clip boxes to the frame. Defaults to
            True.

    Raises:
        ConfigError: If the scale is none of these.
    """

    def __init__(self, scale: Scale, clip_object_border: bool = True) -> None:
        if scale != 0:  # RandomChoiceResize builds with 0 and sets it later
            _parse_scale(scale)
        super().__init__(
            scale=scale,
            keep_ratio=True,
            clip_object_border=clip_object_border,
            backend='pillow',
        )
        self.scale = scale  # the parent makes (n, n) of n

    def transform(self, results: dict) -> dict:
        """Resize one frame and its annotations.

        Args:
            results (dict): Of one frame.

        Returns:
            dict: With the modified and added keys.

        Raises:
            ConfigError: If the frame is not uint8.
        """
        _parse_scale(self.scale)
        return super().transform(results)

    def _resize_img(self, results: dict) -> None:
        image = results['img']
        if image.dtype != np.uint8:
            raise ConfigError(
                f'Pillow resizes uint8 frames, got {image.dtype}',
                video=results.get('video_id'),
                frame=results.get('frame_id'),
                fix='set to_float32=False of LoadVISFrame',
            )
        long_edge, short_edge = _parse_scale(self.scale)
        old = image.shape[:2]
        new = shortest_edge_size(old, short_edge, long_edge)
        results['img'] = resize_pixels(image, new, Image.Resampling.BILINEAR)
        results['img_shape'] = new
        results['scale_factor'] = (new[1] / old[1], new[0] / old[0])
        results['keep_ratio'] = True

    def _resize_masks(self, results: dict) -> None:
        if results.get('gt_masks') is None:
            return
        height, width = results['img_shape']
        if isinstance(results['gt_masks'], TightMasks):
            results['gt_masks'] = results['gt_masks'].sample(
                (height, width), _pillow_places
            )
            return
        masks = results['gt_masks'].masks
        resized = np.zeros((len(masks), height, width), masks.dtype)
        for target, mask in zip(resized, masks):
            target[:] = resize_pixels(
                mask, (height, width), Image.Resampling.NEAREST
            )
        results['gt_masks'] = BitmapMasks(resized, height, width)

    def _resize_seg(self, results: dict) -> None:
        if results.get('gt_seg_map') is not None:
            results['gt_seg_map'] = resize_pixels(
                results['gt_seg_map'],
                results['img_shape'],
                Image.Resampling.NEAREST,
            )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(scale={self.scale}, '
            f'clip_object_border={self.clip_object_border})'
        )


def _parse_scale(scale: Any) -> Tuple[Optional[int], int]:
    """Read the cap of the longer side and the shorter side."""
    pair = (None, scale) if isinstance(scale, int) else scale
    if (
        not isinstance(pair, (tuple, list))
        or len(pair) != 2
        or not (pair[0] is None or _is_length(pair[0]))
        or not _is_length(pair[1])
    ):
        raise ConfigError(
            f'scale={scale!r} is no size to resize to',
            fix='use (cap of the longer side or None, shorter side), for '
            'example (1333, 480)',
        )
    return pair[0], pair[1]


def _is_length(value: Any) -> bool:
    return isinstance(value, int) and value > 0


def resize_pixels(
    image: np.ndarray, size: Tuple[int, int], resample: int
) -> np.ndarray:
    """Resize with Pillow.

    Args:
        image (np.ndarray): uint8, (H, W) or (H, W, 3), any order of
            channels.
        size (tuple[int]): New height and width, pixels.
        resample (int): One of ``Image.Resampling``.

    Returns:
        np.ndarray: uint8, of that size.
    """
    resized = Image.fromarray(image).resize((size[1], size[0]), resample)
    return np.array(resized)


def _pillow_places(old: int, new: int) -> np.ndarray:
    """Where Pillow's nearest neighbour takes pixels from: it tells."""
    line = Image.fromarray(np.arange(old, dtype=np.int32)[None])
    places = line.resize((new, 1), Image.Resampling.NEAREST)
    return np.asarray(places)[0].astype(np.int64)
