"""Moving still images, so that they look like video."""

from typing import Any, Dict, List, NamedTuple, Optional, Tuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from ...utils.errors import ConfigError
from .clip_crop import MEAN_COLOR, is_object

# Inpainting works on images of about this size.
_INPAINT_SIDE = 160
_KEYS = ('shift', 'rotate', 'scale', 'shear')


class _Pose(NamedTuple):
    """Shift, shares of the sides; rotation, shear, radians; log of size."""

    shift: np.ndarray
    rotate: float
    scale: float
    shear: float

    def matrix(
        self, center: Tuple[float, float], size: Tuple[float, float]
    ) -> np.ndarray:
        """Make the 2 x 3 matrix that moves points about ``center``, xy."""
        grow = np.exp(self.scale)
        cos, sin = np.cos(self.rotate) * grow, np.sin(self.rotate) * grow
        linear = np.array([[cos, -sin], [sin, cos]]) @ np.array(
            [[1.0, np.tan(self.shear)], [0.0, 1.0]]
        )
        middle = np.array(center)
        target = middle + self.shift * np.array(size)
        return np.column_stack([linear, target - linear @ middle])


@TRANSFORMS.register_module()
class RandomClipMotion(BaseTransform):
    """Move every frame of a clip, and its objects, by affine random walks.

    Makes pseudo-clips of single images, as the first stage of
    `AOT <https://arxiv.org/abs/2106.02638>`_ and earlier networks have
    them; on video it adds a shaking camera. From frame to frame the pose of
    the camera changes by at most ``camera``; the first frame has a random
    pose of the same range. With ``objects`` each object moves by itself on
    top: what it leaves behind is filled from its surroundings, and objects
    of higher numbers pass in front.

    Required Keys (lists over the T frames of a clip):

    - img (np.uint8, (H, W, 3))
    - gt_seg_map (np.uint8, (H, W))

    Modified Keys: the same.

    Args:
        camera (dict): Largest changes from frame to frame: ``shift`` (share
            of the frame's sides), ``rotate`` (degrees), ``scale`` (0.1 is
            up to 10 % larger or smaller), ``shear`` (degrees).
        objects (dict, optional): Likewise for objects; ``shift`` is a share
            of the sides of the object's box. Defaults to None: no motion of
            their own.
        prob (float): Probability to move a clip. Defaults to 1.0.

    Raises:
        ConfigError: If a key is unknown or a value out of range.
    """

    def __init__(
        self,
        camera: Dict[str, float],
        objects: Optional[Dict[str, float]] = None,
        prob: float = 1.0,
    ) -> None:
        for ranges in (camera, objects or {}):
            unknown = [key for key in ranges if key not in _KEYS]
            wrong = [k for k, v in ranges.items() if not 0 <= v < 90]
            if unknown or wrong:
                raise ConfigError(
                    f'ranges of motion {dict(ranges)!r} have unknown keys or '
                    f'values out of range: {unknown + wrong}',
                    fix=f'use {", ".join(_KEYS)} with values from 0',
                )
        self.camera = dict(camera)
        self.objects = None if objects is None else dict(objects)
        self.prob = prob

    def transform(self, results: dict) -> dict:
        """Move a clip.

        Args:
            results (dict): Lists over the frames.

        Returns:
            dict: The moved clip.
        """
        if np.random.rand() >= self.prob:
            return results
        images, labels = results['img'], results['gt_seg_map']
        if self.objects is not None:
            images, labels = self._move_objects(images, labels)
        poses = _walk(self.camera, len(images))
        moved = []
        for image, seg, pose in zip(images, labels, poses):
            height, width = seg.shape
            matrix = pose.matrix((width / 2, height / 2), (width, height))
            moved.append((_warp(image, matrix), _warp_labels(seg, matrix)))
        results['img'] = [image for image, _ in moved]
        results['gt_seg_map'] = [seg for _, seg in moved]
        return results

    def _move_objects(
        self, images: List[np.ndarray], labels: List[np.ndarray]
    ) -> Tuple[List[np.ndarray], List[np.ndarray]]:
        numbers = [n for n in np.unique(np.stack(labels)) if 0 < n < 255]
        walks = {n: _walk(self.objects or {}, len(images)) for n in numbers}
        scenes: Dict[int, np.ndarray] = {}  # still images are filled once
        moved = []
        for t, (image, seg) in enumerate(zip(images, labels)):
            if id(image) not in scenes:
                scenes[id(image)] = _fill(image, is_object(seg))
            scene = scenes[id(image)].copy()
            new = np.where(seg == 255, seg, 0).astype(np.uint8)
            for number in numbers:
                mask = (seg == number).astype(np.uint8)
                x, y, w, h = cv2.boundingRect(mask)
                if not w:
                    continue
                matrix = walks[number][t].matrix(
                    (x + w / 2, y + h / 2), (w, h)
                )
                shown = _warp_labels(mask, matrix).astype(bool)
                scene[shown] = _warp(image, matrix)[shown]
                new[shown] = number
            moved.append((scene, new))
        return [image for image, _ in moved], [seg for _, seg in moved]

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(camera={self.camera}, '
            f'objects={self.objects}, prob={self.prob})'
        )


def _walk(ranges: Dict[str, float], length: int) -> List[_Pose]:
    """Draw one pose per frame; each differs a little from the one before."""

    def path(key: str, *shape: int) -> np.ndarray:
        limit = ranges.get(key, 0.0)
        return np.cumsum(np.random.uniform(-limit, limit, (length, *shape)), 0)

    shifts, scales = path('shift', 2), path('scale')
    rotations, shears = np.radians(path('rotate')), np.radians(path('shear'))
    # A long walk must not flatten the picture.
    shears = np.clip(shears, -0.5, 0.5)
    return [
        _Pose(shifts[t], rotations[t], scales[t], shears[t])
        for t in range(length)
    ]


def _warp(image: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return warp_affine(image, matrix, cv2.INTER_LINEAR, MEAN_COLOR)


def _warp_labels(labels: np.ndarray, matrix: np.ndarray) -> np.ndarray:
    return warp_affine(labels, matrix, cv2.INTER_NEAREST, 0)


def warp_affine(
    array: np.ndarray, matrix: np.ndarray, interpolation: int, value: Any
) -> np.ndarray:
    """Move the pixels of an array; its size stays.

    Args:
        array (np.ndarray): (H, W) or (H, W, C).
        matrix (np.ndarray): float, (2, 3), from old to new places (x, y) of
            pixels; whole numbers are the middles of pixels.
        interpolation (int): A flag of OpenCV.
        value (object): What comes in from outside.

    Returns:
        np.ndarray: As ``array``.
    """
    height, width = array.shape[:2]
    return cv2.warpAffine(
        array,
        matrix,
        (width, height),
        flags=interpolation,
        borderMode=cv2.BORDER_CONSTANT,
        borderValue=value,
    )


def _fill(image: np.ndarray, hole: np.ndarray) -> np.ndarray:
    """Replace a part of an image by what surrounds it, blurred."""
    height, width = hole.shape
    # Outlines bleed into their surroundings.
    hole = cv2.dilate(hole.astype(np.uint8), np.ones((5, 5), np.uint8))
    if not hole.any() or hole.all():
        return image
    factor = min(1.0, _INPAINT_SIDE / max(height, width))
    size = (max(1, int(width * factor)), max(1, int(height * factor)))
    small = cv2.resize(image, size, interpolation=cv2.INTER_AREA)
    gone = cv2.resize(hole, size, interpolation=cv2.INTER_AREA)
    # Mixed pixels at the border go, too.
    gone = cv2.dilate(gone, np.ones((3, 3), np.uint8))
    filled = cv2.inpaint(small, gone, 3, cv2.INPAINT_TELEA)
    filled = cv2.resize(filled, (width, height))
    return np.where(hole[..., None] > 0, filled, image)
