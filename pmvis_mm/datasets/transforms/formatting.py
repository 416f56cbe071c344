"""Packing clips into the inputs of a model."""

from typing import Any, Dict, List, Optional, Tuple, Union

import cv2
import numpy as np
import torch
from mmcv.transforms import to_tensor
from mmdet.datasets.transforms import PackTrackInputs
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from ...registry import TRANSFORMS
from ...utils.errors import ConfigError
from .filtering import align_masks_valid
from .tight_masks import TightMasks

_META_KEYS = (
    'img_id',
    'img_path',
    'ori_shape',
    'img_shape',
    'scale_factor',
    'flip',
    'flip_direction',
    'frame_id',
    'is_video_data',
    'video_id',
    'video_length',
    'ori_video_length',
)
# Raw annotations; with them a mask would travel beside the packed boxes.
_RAW_KEYS = ('instances', 'images')


@TRANSFORMS.register_module()
class PackVISInputs(PackTrackInputs):
    """Pack a clip; frames may differ in size, raw annotation stays out.

    Other than ``PackTrackInputs``:

    - Frames of different size (from independent crops) are padded with
      zeros, bottom and right, to a common size before they are stacked;
      ``img_shape`` of each frame stays that of its content. Note that after
      normalisation the padding is no longer zero.
    - ``instances`` is never copied into ``metainfo``.
    - Masks that are None in every frame, as after
      ``FilterTrackInstances(keep_masks=False)``, are left out.
    - ``gt_masks_valid`` becomes ``gt_instances.masks_valid`` (bool tensor,
      (N, )).

    Required Keys (lists over the T frames of a clip):

    - img_id
    - img (optional, (H_t, W_t, 3))
    - gt_bboxes, gt_bboxes_labels, gt_instances_ids, gt_masks,
      gt_masks_valid, gt_ignore_flags (optional)
    - key_frame_flags (optional)

    Added Keys:

    - inputs (Tensor): (T, 3, H, W), H and W the largest of the clip.
    - data_samples (TrackDataSample): One ``DetDataSample`` per frame.

    Args:
        meta_keys (str | tuple[str], optional): Further keys to be copied
            into the ``metainfo`` of each frame. Defaults to None.

    Raises:
        ConfigError: If raw annotations are asked for.
    """

    mapping_table = dict(
        PackTrackInputs.mapping_table, gt_masks_valid='masks_valid'
    )

    def __init__(
        self, meta_keys: Optional[Union[str, Tuple[str, ...]]] = None
    ) -> None:
        extra = (meta_keys,) if isinstance(meta_keys, str) else meta_keys
        raw = [key for key in extra or () if key in _RAW_KEYS]
        if raw:
            raise ConfigError(
                f'meta_keys asks for raw annotations: {raw}',
                fix='remove them; what a model may see is in gt_instances',
            )
        super().__init__(
            meta_keys=tuple(extra or ()), default_meta_keys=_META_KEYS
        )

    def transform(self, results: dict) -> dict:
        """Pack a clip.

        Args:
            results (dict): Lists over its frames.

        Returns:
            dict: ``inputs`` and ``data_samples``.
        """
        results = dict(results)
        for key in ('gt_masks', 'gt_masks_valid'):
            if all(value is None for value in results.get(key, ())):
                results.pop(key, None)
        images = results.pop('img', None)
        if 'gt_masks_valid' in results:
            results['gt_masks_valid'] = _aligned_valid(results)
        packed: Dict[str, Any] = dict(inputs={})
        if images is not None:
            packed['inputs'] = _to_planes(images)
        frames = [
            self._pack_frame(results, t) for t in range(len(results['img_id']))
        ]
        clip = TrackDataSample()
        # mmdet's setter prints the first frame, tensors and all, into a text
        # that nobody reads: an empty one names the field, then they enter.
        clip.video_data_samples = [DetDataSample()]
        clip.set_field(frames, '_video_data_samples', dtype=list)
        if 'key_frame_flags' in results:
            flags = np.asarray(results['key_frame_flags'], dtype=bool)
            clip.set_metainfo(
                dict(
                    key_frames_inds=np.flatnonzero(flags).tolist(),
                    ref_frames_inds=np.flatnonzero(~flags).tolist(),
                )
            )
        packed['data_samples'] = clip
        return packed

    def _pack_frame(self, results: dict, t: int) -> DetDataSample:
        """Pack the annotation of a frame."""
        kept, ignored = InstanceData(), InstanceData()
        for key, name in self.mapping_table.items():
            if key not in results:
                continue
            values = results[key][t]
            if 'gt_ignore_flags' not in results:
                kept[name] = _packed(values)
                continue
            flags = results['gt_ignore_flags'][t]
            kept[name] = _packed(values[np.flatnonzero(flags == 0)])
            ignored[name] = _packed(values[np.flatnonzero(flags == 1)])
        sample = DetDataSample(
            metainfo={
                key: results[key][t]
                for key in self.meta_keys
                if key in results
            }
        )
        sample.gt_instances = kept
        sample.ignored_instances = ignored
        return sample

    def __repr__(self) -> str:
        return f'{type(self).__name__}(meta_keys={self.meta_keys})'


def _to_planes(images: List[np.ndarray]) -> torch.Tensor:
    """Stack (H_t, W_t, C) images as (T, C, H, W), padded with zeros."""
    height = max(image.shape[0] for image in images)
    width = max(image.shape[1] for image in images)
    shape = (len(images), images[0].shape[2], height, width)
    same = len({image.shape for image in images}) == 1
    planes = (np.empty if same else np.zeros)(shape, images[0].dtype)
    for target, image in zip(planes, images):
        h, w = image.shape[:2]
        # A view that runs backwards, as flips make, is slow to walk over.
        mirrored = image.strides[1] < 0
        image = np.ascontiguousarray(image[:, ::-1] if mirrored else image)
        for plane, channel in zip(target, cv2.split(image)):
            plane[:h, :w] = cv2.flip(channel, 1) if mirrored else channel
    return torch.from_numpy(planes)


def _packed(values: Any) -> Union[BitmapMasks, torch.Tensor]:
    """Make tensors, and ordinary bitmaps of masks."""
    if isinstance(values, TightMasks):
        return values.plain()
    return values if isinstance(values, BitmapMasks) else to_tensor(values)


def _aligned_valid(results: dict) -> List[np.ndarray]:
    """Align the validity of every frame with its instances."""
    keys = (
        'gt_bboxes',
        'gt_instances_ids',
        'gt_masks_valid',
        'gt_masks_valid_ids',
        'video_id',
        'frame_id',
    )
    frames = [
        {key: results[key][t] for key in keys if key in results}
        for t in range(len(results['gt_masks_valid']))
    ]
    for frame in frames:
        align_masks_valid(frame)
    return [frame['gt_masks_valid'] for frame in frames]
