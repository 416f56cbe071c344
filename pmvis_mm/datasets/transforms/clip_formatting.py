"""Packing clips into the inputs of a mask propagator."""

from typing import Optional

import numpy as np
import torch
from mmcv.transforms import BaseTransform
from mmengine.structures import BaseDataElement, PixelData

from ...registry import TRANSFORMS
from ...utils.errors import ConfigError
from .clip_crop import check_one_size


@TRANSFORMS.register_module()
class PackVOSInputs(BaseTransform):
    """Pack a clip; objects that the reference does not show are background.

    A propagator cannot know of an object before it was shown. Objects of
    the first frame are numbered from 1 without gaps.

    Required Keys (lists over the T frames of a clip of one size):

    - img (np.uint8, or np.float32, which is rounded and clipped, (H, W, 3))
    - gt_seg_map (np.uint8, (H, W))
    - video_id
    - frame_id

    Added Keys:

    - inputs (Tensor): uint8, (T, 3, H, W), BGR.
    - data_samples (BaseDataElement): ``gt_label_maps``, a ``PixelData``
      with ``data``, uint8, (T, H, W): 0 background, 1 ... ``num_objects``,
      255 not to be judged. Metainfo: ``num_objects`` (int), ``video_id``,
      ``frame_ids`` (list[int]), ``img_shape`` ((h, w)).

    Args:
        max_objects (int): Most objects that the model takes. Defaults to
            10.

    Raises:
        ConfigError: If frames differ in size, or there are more objects.
    """

    def __init__(self, max_objects: int = 10) -> None:
        self.max_objects = max_objects

    def transform(self, results: dict) -> Optional[dict]:
        """Pack a clip.

        Args:
            results (dict): Lists over the frames.

        Returns:
            dict, optional: ``inputs`` and ``data_samples``; None if the
            first frame shows no object.
        """
        check_one_size(results)
        labels = np.stack(results['gt_seg_map'])
        numbers = [int(n) for n in np.unique(labels[0]) if 0 < n < 255]
        if not numbers:
            return None
        if len(numbers) > self.max_objects:
            raise ConfigError(
                f'{len(numbers)} objects, more than {self.max_objects}',
                video=results['video_id'][0],
                frame=results['frame_id'][0],
                fix=f'set max_objects={self.max_objects} of the dataset and '
                'of MergeClips',
            )
        table = np.zeros(256, np.uint8)
        table[numbers] = np.arange(1, len(numbers) + 1)
        table[255] = 255
        sample = BaseDataElement(
            metainfo=dict(
                num_objects=len(numbers),
                video_id=results['video_id'][0],
                frame_ids=[int(t) for t in results['frame_id']],
                img_shape=labels.shape[1:],
            )
        )
        sample.gt_label_maps = PixelData(data=torch.from_numpy(table[labels]))
        return dict(inputs=_stack(results['img']), data_samples=sample)

    def __repr__(self) -> str:
        return f'{type(self).__name__}(max_objects={self.max_objects})'


def _stack(images: list) -> torch.Tensor:
    """Stack (H, W, 3) images to (T, 3, H, W), uint8."""
    clip = np.stack(images)
    if clip.dtype != np.uint8:
        clip = np.clip(np.rint(clip), 0, 255).astype(np.uint8)
    return torch.from_numpy(np.ascontiguousarray(clip.transpose(0, 3, 1, 2)))
