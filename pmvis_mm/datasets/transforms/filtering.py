"""Dropping instances that augmentation has pushed out of a frame."""

import numpy as np
from mmcv.transforms import BaseTransform
from mmdet.structures.bbox import BaseBoxes

from ...registry import TRANSFORMS
from ...utils.errors import ConfigError
from .tight_masks import tight_boxes

_MASK_KEYS = ('gt_masks', 'gt_masks_valid', 'gt_masks_valid_ids')
# Everything that has one entry per instance.
_INSTANCE_KEYS = (
    'gt_bboxes',
    'gt_bboxes_labels',
    'gt_ignore_flags',
    'gt_instances_ids',
    *_MASK_KEYS,
)


def align_masks_valid(results: dict) -> None:
    """Bring ``gt_masks_valid`` into the order of ``gt_instances_ids``.

    mmdet's crops drop instances from the keys they know, and they do not
    know this one.

    Args:
        results (dict): Of one frame; changed in place. Nothing happens
            without ``gt_masks_valid``.

    Raises:
        ConfigError: If a transform has dropped boxes but kept their ids.
    """
    ids = results['gt_instances_ids']
    if len(ids) != len(results['gt_bboxes']):
        raise ConfigError(
            f'{len(results["gt_bboxes"])} boxes but {len(ids)} track ids '
            'after augmentation',
            video=results.get('video_id'),
            frame=results.get('frame_id'),
            fix='a transform of the pipeline drops boxes without their ids '
            '(FilterAnnotations does); use FilterTrackInstances instead',
        )
    if results.get('gt_masks_valid') is None:
        return
    valid = dict(
        zip(
            results['gt_masks_valid_ids'].tolist(),
            results['gt_masks_valid'].tolist(),
        )
    )
    results['gt_masks_valid'] = np.array(
        [valid[i] for i in ids.tolist()], dtype=bool
    )
    results['gt_masks_valid_ids'] = ids.copy()


@TRANSFORMS.register_module()
class FilterTrackInstances(BaseTransform):
    """Drop instances that are not visible after augmentation.

    Boxes, labels, track ids, masks and validity stay aligned (mmdet's
    ``FilterAnnotations`` forgets the ids). Frames may end up empty. A mask
    of which no pixel is left becomes invalid; with annotated boxes the
    instance itself stays.

    Required Keys:

    - gt_bboxes
    - gt_bboxes_labels
    - gt_instances_ids
    - gt_ignore_flags (optional)
    - gt_masks (optional)
    - gt_masks_valid (optional)

    Modified Keys: the same.

    Args:
        box_source (str): 'annotation' keeps the boxes, clipped by the crop.
            'mask' replaces them by the tight boxes of the masks and drops
            instances without valid mask, as the public IDOL and PM-VIS do.
            Defaults to 'annotation'.
        keep_masks (bool): Whether masks stay once they are used. False, for
            box supervision by the boxes of masks, takes them away from all
            that comes later, the model included. Defaults to True.
        min_box_size (float): Boxes with a shorter side below are dropped,
            pixels after augmentation. Defaults to 1.0.
    """

    def __init__(
        self,
        box_source: str = 'annotation',
        min_box_size: float = 1.0,
        keep_masks: bool = True,
    ) -> None:
        if box_source not in ('annotation', 'mask'):
            raise ConfigError(
                f'box_source={box_source!r} is unknown',
                fix="choose from ('annotation', 'mask')",
            )
        self.box_source = box_source
        self.min_box_size = min_box_size
        self.keep_masks = keep_masks

    def transform(self, results: dict) -> dict:
        """Filter one frame.

        Args:
            results (dict): Of one frame.

        Returns:
            dict: With the instances that are visible.

        Raises:
            ConfigError: If masks are needed and not loaded, or an earlier
                transform has spoilt the alignment.
        """
        align_masks_valid(results)
        if isinstance(results['gt_bboxes'], BaseBoxes):
            results['gt_bboxes'] = results['gt_bboxes'].numpy()
        keep = np.ones(len(results['gt_bboxes']), bool)
        if results.get('gt_masks') is not None:
            mask_boxes = tight_boxes(results['gt_masks'])
            visible = mask_boxes[:, 2] > 0
            if results.get('gt_masks_valid') is not None:
                visible &= results['gt_masks_valid']
                results['gt_masks_valid'] = visible
        if self.box_source == 'mask':
            self._check_masks(results)
            keep &= visible
            results['gt_bboxes'] = mask_boxes
        boxes = results['gt_bboxes']
        sides = boxes[:, 2:] - boxes[:, :2]
        keep &= (sides >= self.min_box_size).all(axis=1)
        for key in _INSTANCE_KEYS:
            if results.get(key) is not None:
                results[key] = results[key][keep]
        if not self.keep_masks:
            # None, as mmdet marks what is not there. Without the key,
            # TransformBroadcaster would go on with the masks from before.
            results.update({key: None for key in _MASK_KEYS if key in results})
        return results

    def _check_masks(self, results: dict) -> None:
        if results.get('gt_masks') is None:
            raise ConfigError(
                "box_source='mask' but no masks are loaded",
                fix='load them (with_mask=True) or set box_source='
                "'annotation'",
            )

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(box_source={self.box_source!r}, '
            f'min_box_size={self.min_box_size}, '
            f'keep_masks={self.keep_masks})'
        )
