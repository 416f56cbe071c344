"""Loading frames and annotations."""

from typing import Any, Dict, Optional

import cv2
import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.datasets.transforms import LoadTrackAnnotations

from ...registry import TRANSFORMS
from ...structures.frame_reader import read_frame
from ...structures.rle_crop import decode_tight_any
from ...utils.errors import AnnotationError
from .tight_masks import MaskCrop, TightMasks


@TRANSFORMS.register_module()
class LoadVISFrame(BaseTransform):
    """Load a frame and compare its size with the annotation.

    ``img_path`` may also be a frame of a video file, 'clip.mp4#17'. Other
    than ``LoadImageFromFile`` with its OpenCV default, a truncated
    file is an error and not a grey area. Frames are decoded as
    :class:`FrameReader` decodes them.

    Required Keys:

    - img_path
    - height (optional)
    - width (optional)
    - video_id (optional)
    - frame_id (optional)

    Added Keys:

    - img (np.uint8, BGR)
    - img_shape (tuple[int], (h, w))
    - ori_shape (tuple[int], (h, w))

    Args:
        to_float32 (bool): Convert to float32, values unchanged. Defaults to
            False.
        check_size (bool): Compare with ``height`` and ``width``. Defaults to
            True.
        backend_args (dict, optional): Arguments of mmengine's file backend.
            Defaults to None.
    """

    def __init__(
        self,
        to_float32: bool = False,
        check_size: bool = True,
        backend_args: Optional[Dict[str, Any]] = None,
    ) -> None:
        self.to_float32 = to_float32
        self.check_size = check_size
        self.backend_args = backend_args

    def transform(self, results: dict) -> dict:
        """Load the frame.

        Args:
            results (dict): Of one frame.

        Returns:
            dict: With the added keys.

        Raises:
            FrameError: If the frame is missing, truncated or of another
                size; names file, video, frame and the fix.
        """
        size = None
        if self.check_size and 'height' in results and 'width' in results:
            size = (results['height'], results['width'])
        image = read_frame(
            results['img_path'],
            size,
            results.get('video_id'),
            results.get('frame_id'),
            self.backend_args,
        )
        if self.to_float32:
            image = image.astype(np.float32)
        results['img'] = image
        results['img_shape'] = results['ori_shape'] = image.shape[:2]
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(to_float32={self.to_float32}, '
            f'check_size={self.check_size}, '
            f'backend_args={self.backend_args})'
        )


@TRANSFORMS.register_module()
class LoadPseudoMasks(LoadTrackAnnotations):
    """Load boxes, labels, track ids and masks, where there are masks.

    Other than ``LoadTrackAnnotations``, an instance without mask is fine: it
    gets a mask of zeros and ``gt_masks_valid`` says so. Masks may be of any
    form that COCO files know. Works frame by frame, within
    ``TransformBroadcaster``.

    Required Keys:

    - height
    - width
    - instances

      - bbox
      - bbox_label
      - instance_id
      - ignore_flag
      - mask (optional: compressed or uncompressed RLE of size (height,
        width), or a list of polygons)

    Modified Keys:

    - instances: A copy. The two views of a one-frame video start from one
      list and must not see each other's changes.

    Added Keys:

    - gt_bboxes (np.float32, (N, 4), half-open xyxy, pixels)
    - gt_bboxes_labels (np.int64, (N, ))
    - gt_ignore_flags (np.bool_, (N, ))
    - gt_instances_ids (np.int64, (N, ))
    - gt_masks (TightMasks, which are BitmapMasks, (N, height, width)), if
      ``with_mask``
    - gt_masks_valid (np.bool_, (N, )), if ``with_mask``
    - gt_masks_valid_ids (np.int64, (N, )), if ``with_mask``: the track ids
      that ``gt_masks_valid`` belongs to, so that a crop may drop instances

    Args:
        with_mask (bool): Whether to load masks; False for box supervision.
            Defaults to True.
    """

    def __init__(self, with_mask: bool = True) -> None:
        super().__init__(with_bbox=True, with_label=True, with_mask=with_mask)

    def transform(self, results: dict) -> dict:
        """Load the annotation of one frame.

        Args:
            results (dict): Of one frame.

        Returns:
            dict: With the added keys.

        Raises:
            AnnotationError: If a mask is malformed.
        """
        results['instances'] = [_copy(i) for i in results['instances']]
        return super().transform(results)

    def _load_instances_ids(self, results: dict) -> None:
        # int64: ids of own data may be hashes.
        results['gt_instances_ids'] = np.array(
            [instance['instance_id'] for instance in results['instances']],
            dtype=np.int64,
        )

    def _load_masks(self, results: dict) -> None:
        height, width = results['height'], results['width']
        instances = results['instances']
        crops = [_read_crop(instance, results) for instance in instances]
        valid = [crop is not None for crop in crops]
        results['gt_masks'] = TightMasks(crops, height, width)
        results['gt_masks_valid'] = np.array(valid, dtype=bool)
        results['gt_masks_valid_ids'] = np.array(
            [instance['instance_id'] for instance in instances],
            dtype=np.int64,
        )

    def __repr__(self) -> str:
        return f'{type(self).__name__}(with_mask={self.with_mask})'


def _copy(instance: dict) -> dict:
    """Copy an instance with its box and mask; faster than deepcopy."""
    copied = dict(instance, bbox=list(instance['bbox']))
    mask = instance.get('mask')
    if isinstance(mask, dict):
        copied['mask'] = dict(mask)
    elif isinstance(mask, list):
        copied['mask'] = [list(p) if isinstance(p, list) else p for p in mask]
    return copied


def _read_crop(instance: dict, results: dict) -> Optional[MaskCrop]:
    """Read a mask of any form; polygons are filled here."""
    try:
        found = decode_tight_any(
            instance.get('mask'), results['height'], results['width']
        )
    except (ValueError, TypeError) as reason:
        raise AnnotationError(
            f'bad segmentation: {reason}',
            video=results.get('video_id'),
            frame=results.get('frame_id'),
            instance=instance['instance_id'],
            fix='export the masks again at the size of the frames',
        ) from None
    if found is None:
        return None
    x, y, crop = found
    # Runs go down the columns; later steps want rows.
    columns = np.ascontiguousarray(crop.T).view(np.uint8)
    return MaskCrop(x, y, cv2.transpose(columns))
