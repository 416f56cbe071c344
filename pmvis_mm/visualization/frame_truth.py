"""Annotations of single frames, to be painted beside predictions."""

from typing import Any, Dict, List, Optional, Tuple

import numpy as np
from mmengine.structures import InstanceData

from ..structures import rle


class FrameTruth:
    """Finds what a dataset of videos has of a frame.

    It asks the dataset and not its pipeline: test pipelines load no
    annotation. One video is kept at a time.

    Args:
        dataset (BaseDataset): Of videos, as :class:`VISDataset`, also
            wrapped or concatenated.
    """

    def __init__(self, dataset: Any) -> None:
        self._dataset = dataset
        self._places: Optional[Dict[str, Tuple[int, int]]] = None
        self._video: Tuple[int, List[dict]] = (-1, [])

    def find(self, img_path: str) -> InstanceData:
        """Look up a frame.

        Args:
            img_path (str): As in the samples of the dataset.

        Returns:
            InstanceData: ``bboxes`` (np.float32, (N, 4), half-open xyxy,
            pixels of the file), ``labels`` and ``instances_ids`` (np.int64,
            (N, )), and, if any instance has one, ``masks``: a list of
            compressed RLE or None. Empty for an unknown frame.
        """
        if self._places is None:
            self._places = self._list_places()
        place = self._places.get(img_path)
        if place is None:
            return _as_instances([], 0, 0)
        index, frame = place
        if self._video[0] != index:
            self._video = (index, self._images(index))
        image = self._video[1][frame]
        return _as_instances(
            image.get('instances') or [], image['height'], image['width']
        )

    def _images(self, index: int) -> List[dict]:
        return self._dataset.get_data_info(index).get('images', [])

    def _list_places(self) -> Dict[str, Tuple[int, int]]:
        return {
            image['img_path']: (index, frame)
            for index in range(len(self._dataset))
            for frame, image in enumerate(self._images(index))
        }


def _as_instances(
    instances: List[dict], height: int, width: int
) -> InstanceData:
    boxes = [instance['bbox'] for instance in instances]
    found = InstanceData(
        bboxes=np.array(boxes, np.float32).reshape(-1, 4),
        labels=np.array([i['bbox_label'] for i in instances], np.int64),
        instances_ids=np.array(
            [i['instance_id'] for i in instances], np.int64
        ),
    )
    masks = [rle.from_any(i.get('mask'), height, width) for i in instances]
    if any(mask is not None for mask in masks):
        found.masks = masks
    return found
