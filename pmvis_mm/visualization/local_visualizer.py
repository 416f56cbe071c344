"""Painting predictions into frames, for MMEngine's visualization hooks."""

import inspect
from typing import Any, Dict, List, Optional, Sequence

import numpy as np
from mmdet.visualization import TrackLocalVisualizer
from mmengine.structures import InstanceData

from ..registry import VISUALIZERS
from .overlay import MIN_HEIGHT, Mask, draw_instances


@VISUALIZERS.register_module()
class VISLocalVisualizer(TrackLocalVisualizer):
    """Paints instances of videos: masks, boxes, classes, ids and scores.

    Other than ``TrackLocalVisualizer``:

    - Masks may be compressed RLE, as a model with many instances gives
      them, besides tensors, arrays and ``BitmapMasks``. They are decoded
      one by one. An instance may have None instead.
    - A track has the colour that overlay videos give it, in every run.
    - Ground truth, whose ids are ``instances_ids``, can be painted.
    - Of several processes each one writes the frames that it has tested.

    Args:
        name (str): Name of the instance. Defaults to 'visualizer'.
        alpha (float): Opacity of the masks in [0, 1]. Defaults to 0.5.
        min_height (int): A lower frame is enlarged by an integer factor, so
            that text is legible, see
            :func:`~pmvis_mm.visualization.draw_instances`. Defaults to 240.
        kwargs: Passed to ``TrackLocalVisualizer``: ``image``,
            ``vis_backends``, ``save_dir``.
    """

    def __init__(
        self,
        name: str = 'visualizer',
        alpha: float = 0.5,
        min_height: int = MIN_HEIGHT,
        **kwargs: Any,
    ) -> None:
        self._meta: Dict[str, Any] = {}
        super().__init__(name, alpha=alpha, **kwargs)
        self.min_height = min_height

    @property
    def dataset_meta(self) -> Dict[str, Any]:
        """Meta information of the dataset, in every process."""
        return self._meta

    @dataset_meta.setter
    def dataset_meta(self, meta: Optional[Dict[str, Any]]) -> None:
        self._meta = dict(meta or {})

    def add_datasample(
        self,
        name: str,
        image: np.ndarray,
        *args: Any,
        out_file: Optional[str] = None,
        **kwargs: Any,
    ) -> None:
        """Paint a frame, see ``TrackLocalVisualizer.add_datasample``.

        Args:
            name (str): Of the image.
            image (np.ndarray): uint8, (H, W, 3), RGB.
            args: Passed on.
            out_file (str, optional): Where to write the painted frame, in
                any process. Defaults to None: the first process gives it to
                the visual backends.
            kwargs: Passed on.
        """
        paint = TrackLocalVisualizer.add_datasample
        if out_file is not None:
            # Below the decorator that silences all processes but one.
            paint = inspect.unwrap(paint)
        paint(self, name, image, *args, out_file=out_file, **kwargs)

    def _draw_instances(
        self, image: np.ndarray, instances: InstanceData
    ) -> np.ndarray:
        """Paint into a copy of an RGB frame."""
        ids = instances.get('instances_id', instances.get('instances_ids'))
        found = [] if ids is None else np.asarray(ids).astype(int).tolist()
        painted = draw_instances(
            np.ascontiguousarray(image[..., ::-1]),
            _masks_of(instances),
            found,
            self._labels_of(instances, found),
            _boxes_of(instances),
            alpha=self.alpha,
            min_height=self.min_height,
        )
        return np.ascontiguousarray(painted[..., ::-1])

    def _labels_of(self, instances: InstanceData, ids: List[int]) -> List[str]:
        classes = self.dataset_meta.get('classes')
        texts = [str(key) for key in ids]
        if 'labels' in instances:
            labels = np.asarray(instances.labels).tolist()
            names = [_class_name(classes, label) for label in labels]
            texts = [f'{name} {text}' for name, text in zip(names, texts)]
        if 'scores' in instances:
            scores = np.asarray(instances.scores).tolist()
            texts = [f'{text} {s:.2f}' for text, s in zip(texts, scores)]
        return texts


def _class_name(classes: Optional[Sequence[str]], label: int) -> str:
    if classes is not None and 0 <= label < len(classes):
        return classes[label]
    return f'class {label}'


def _masks_of(instances: InstanceData) -> List[Optional[Mask]]:
    masks = instances.get('masks')
    if masks is None:
        return [None] * len(instances)
    # BitmapMasks and PolygonMasks.
    masks = masks.to_ndarray() if hasattr(masks, 'to_ndarray') else masks
    return [
        m if m is None or isinstance(m, dict) else np.asarray(m) for m in masks
    ]


def _boxes_of(instances: InstanceData) -> Optional[List[tuple]]:
    boxes = instances.get('bboxes')
    if boxes is None:
        return None
    # mmdet's box structures hold a tensor.
    boxes = np.asarray(getattr(boxes, 'tensor', boxes))
    return [tuple(box) for box in boxes.reshape(-1, 4).tolist()]
