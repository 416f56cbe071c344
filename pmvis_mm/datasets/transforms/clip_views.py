"""Views of an image that move like a camera: clips out of single images."""

from typing import Any, Dict, List, Sequence, Tuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import RandomCrop
from mmdet.structures.bbox import BaseBoxes, HorizontalBoxes
from mmdet.structures.mask import BitmapMasks

from ...registry import TRANSFORMS
from ...utils.errors import ConfigError
from .clip_motion import warp_affine


class _WindowCrop(RandomCrop):
    """mmdet's crop, with a window that somebody else has chosen."""

    def __init__(self) -> None:
        super().__init__(crop_size=(1, 1), allow_negative_crop=True)
        self._size = (1, 1)
        self._offset = (0, 0)

    def crop(
        self, frame: dict, offset: Tuple[int, int], size: Tuple[int, int]
    ) -> dict:
        """Crop a frame to the window at (top, left) of (height, width)."""
        self._offset, self._size = offset, size
        return self.transform(frame)

    def _get_crop_size(self, image_size: Tuple[int, int]) -> Tuple[int, int]:
        return self._size

    def _rand_offset(self, margin: Tuple[int, int]) -> Tuple[int, int]:
        return self._offset


@TRANSFORMS.register_module()
class RandomClipInterpCrop(BaseTransform):
    """Cut a window of one size out of every frame that moves on a line.

    The camera pan of the pseudo clips that public VIS code makes of COCO
    images. Height and width are uniform in ``crop_size`` (pixels; both
    bounds are capped by the frame). The window has two end points, the
    second one below and right of the first or on it; each frame takes a
    random place between them, in order, in either direction.

    Instances outside of the window are dropped by mmdet's ``RandomCrop``;
    ``FilterTrackInstances`` must come later.

    Required Keys (lists over the T frames of a clip of one size):

    - img (np.uint8, (H, W, 3))
    - gt_bboxes (optional, half-open xyxy, pixels)
    - gt_bboxes_labels (optional)
    - gt_instances_ids (optional)
    - gt_ignore_flags (optional)
    - gt_masks (BitmapMasks, optional)

    Modified Keys: the same and

    - img_shape (tuple[int], (h, w))

    Args:
        crop_size (Sequence[int]): Least and largest side, pixels. Defaults
            to (384, 600).

    Raises:
        ConfigError: If the sides are no range, or frames of a clip differ
            in size.
    """

    def __init__(self, crop_size: Sequence[int] = (384, 600)) -> None:
        if len(crop_size) != 2 or not 0 < crop_size[0] <= crop_size[1]:
            raise ConfigError(
                f'crop_size={crop_size!r} is no range of sides',
                fix='use (least, largest), pixels',
            )
        self.crop_size = (int(crop_size[0]), int(crop_size[1]))
        self._crop = _WindowCrop()

    def transform(self, results: dict) -> dict:
        """Crop a clip.

        Args:
            results (dict): Lists over the frames.

        Returns:
            dict: The cropped clip.
        """
        frames = _split(results)
        frame_size = _common_size(frames)
        sizes = [_draw_side(side, self.crop_size) for side in frame_size]
        margin = [have - want for have, want in zip(frame_size, sizes)]
        offsets = _pan(margin, len(frames))
        cropped = [
            self._crop.crop(frame, offset, (sizes[0], sizes[1]))
            for frame, offset in zip(frames, offsets)
        ]
        return _join(results, cropped)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(crop_size={self.crop_size})'


@TRANSFORMS.register_module()
class RandomClipRotate(BaseTransform):
    """Turn the frames of a clip, further and further, about one point.

    One angle per frame is drawn, the angles are sorted and, with
    probability 0.5, reversed. Frames keep their size; what comes in from
    outside is black and background. Masks are turned by nearest neighbour.
    Boxes become the boxes of their turned corners, clipped: take the tight
    boxes of the masks where there are masks
    (``FilterTrackInstances(box_source='mask')``).

    Required Keys (lists over the T frames of a clip):

    - img (np.uint8, (H, W, 3))
    - gt_bboxes (optional, half-open xyxy, pixels)
    - gt_masks (BitmapMasks, optional)

    Modified Keys: the same.

    Args:
        angle_range (Sequence[float]): Least and largest angle, degrees;
            positive is counter-clockwise. Defaults to (-15, 15).
        center_range (Sequence[float]): Bounds of both coordinates of the
            point, shares of width and height. Defaults to (0.4, 0.6).

    Raises:
        ConfigError: If a range is none.
    """

    def __init__(
        self,
        angle_range: Sequence[float] = (-15.0, 15.0),
        center_range: Sequence[float] = (0.4, 0.6),
    ) -> None:
        for name, pair in (
            ('angle_range', angle_range),
            ('center_range', center_range),
        ):
            if len(pair) != 2 or not pair[0] <= pair[1]:
                raise ConfigError(
                    f'{name}={pair!r} is no range', fix='use (least, largest)'
                )
        self.angle_range = (float(angle_range[0]), float(angle_range[1]))
        self.center_range = (float(center_range[0]), float(center_range[1]))

    def transform(self, results: dict) -> dict:
        """Turn a clip.

        Args:
            results (dict): Lists over the frames.

        Returns:
            dict: The turned clip.
        """
        frames = _split(results)
        angles = np.sort(np.random.uniform(*self.angle_range, len(frames)))
        center = np.random.uniform(*self.center_range, 2)
        if np.random.rand() < 0.5:
            angles = angles[::-1]
        turned = [
            self._rotate(frame, float(angle), center)
            for frame, angle in zip(frames, angles)
        ]
        return _join(results, turned)

    def _rotate(
        self, frame: Dict[str, Any], angle: float, center: np.ndarray
    ) -> Dict[str, Any]:
        """Turn a frame about a point, given in shares of its sides."""
        height, width = frame['img'].shape[:2]
        matrix = _rotation(center * (width, height), angle)
        # Boxes count from the corner of the first pixel, OpenCV's images
        # from its middle.
        middle = np.array([[1.0, 0.0, 0.5], [0.0, 1.0, 0.5], [0.0, 0.0, 1.0]])
        pixels = (np.linalg.inv(middle) @ matrix @ middle)[:2]

        def warp(array: np.ndarray, interpolation: int) -> np.ndarray:
            return warp_affine(array, pixels, interpolation, 0)

        frame['img'] = warp(frame['img'], cv2.INTER_LINEAR)
        if frame.get('gt_masks') is not None:
            turned = [
                warp(mask, cv2.INTER_NEAREST) for mask in frame['gt_masks']
            ]
            frame['gt_masks'] = BitmapMasks(turned, height, width)
        # mmdet keeps all transforms of a frame in one matrix.
        before = frame.get('homography_matrix')
        frame['homography_matrix'] = (
            matrix if before is None else matrix @ before
        ).astype(np.float32)
        if frame.get('gt_bboxes') is not None:
            boxes = _as_boxes(frame['gt_bboxes'])
            boxes.project_(matrix)
            boxes.clip_((height, width))
            frame['gt_bboxes'] = boxes
        return frame

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(angle_range={self.angle_range}, '
            f'center_range={self.center_range})'
        )


def _split(results: dict) -> List[Dict[str, Any]]:
    """Take a clip apart: one dict per frame."""
    return [
        {key: values[t] for key, values in results.items()}
        for t in range(len(results['img']))
    ]


def _join(results: dict, frames: List[Dict[str, Any]]) -> dict:
    """Put the frames of a clip together again."""
    results.update({key: [f[key] for f in frames] for key in frames[0]})
    return results


def _common_size(frames: List[Dict[str, Any]]) -> Tuple[int, int]:
    sizes = sorted({frame['img'].shape[:2] for frame in frames})
    if len(sizes) != 1:
        raise ConfigError(
            f'frames of a clip differ in size: {sizes}',
            video=frames[0].get('video_id'),
            frame=[frame.get('frame_id') for frame in frames],
            fix='set share_random_params=True in the TransformBroadcaster '
            'that resizes them',
        )
    return sizes[0]


def _draw_side(side: int, bounds: Tuple[int, int]) -> int:
    """Draw a side of the window, within the frame's."""
    low, high = (min(side, bound) for bound in bounds)
    return int(np.random.randint(low, high + 1))


def _pan(margin: Sequence[int], number: int) -> List[Tuple[int, int]]:
    """Draw the left upper corners (top, left) of the windows."""
    start = np.array([np.random.randint(m + 1) for m in margin])
    end = np.array(
        [np.random.randint(s, m + 1) for s, m in zip(start, margin)]
    )
    places = np.sort(np.random.rand(number))[:, None]
    corners = np.rint(start + places * (end - start)).astype(int)
    if np.random.rand() < 0.5:
        corners = corners[::-1]
    return [(int(top), int(left)) for top, left in corners]


def _rotation(pivot: np.ndarray, angle: float) -> np.ndarray:
    """Make the 3 x 3 matrix that turns points about ``pivot``, xy."""
    matrix = np.eye(3)
    point = (float(pivot[0]), float(pivot[1]))
    matrix[:2] = cv2.getRotationMatrix2D(point, angle, 1.0)
    return matrix


def _as_boxes(boxes: Any) -> BaseBoxes:
    """Wrap an array of boxes; mmdet's transforms take either."""
    return boxes if isinstance(boxes, BaseBoxes) else HorizontalBoxes(boxes)
