"""Contract of a mask source."""

from abc import ABCMeta, abstractmethod
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np
from mmengine.model import BaseModel

from ...structures import Box, MaskTrack
from ...structures.rle import encode
from ..label_video import LabelResult, LabelVideo


class MaskSource(BaseModel, metaclass=ABCMeta):
    """Makes masks for the boxes of a video.

    A source is a registered model: mmengine's runner builds it, moves it to
    its device and loads its weights. A subclass writes :meth:`label`.

    Args:
        name (str): Written beside every mask as its source.
    """

    def __init__(self, name: str) -> None:
        # Sources see raw frames and do their own preprocessing.
        super().__init__(data_preprocessor=dict(type='BaseDataPreprocessor'))
        self.name = name

    @abstractmethod
    def label(self, video: LabelVideo) -> LabelResult:
        """Label one video.

        Args:
            video (LabelVideo): Boxes, frames and earlier masks.

        Returns:
            LabelResult: One track per annotation, in their order.
        """

    def forward(
        self,
        inputs: Sequence[LabelVideo],
        data_samples: Any = None,
        mode: str = 'predict',
    ) -> List[LabelResult]:
        """Label a batch of videos; only mode 'predict' exists."""
        if mode != 'predict':
            raise ValueError(f'a mask source only predicts, got mode {mode!r}')
        return [self.label(video) for video in inputs]

    def test_step(
        self, data: Union[Sequence[LabelVideo], dict]
    ) -> List[LabelResult]:
        """Label a batch as it comes from the data loader."""
        return self(data, mode='predict')


class FrameMaskSource(MaskSource):
    """Makes masks frame by frame; a subclass writes :meth:`segment`."""

    @abstractmethod
    def segment(
        self, image: np.ndarray, boxes: Sequence[Box]
    ) -> List[Tuple[Optional[np.ndarray], Optional[float]]]:
        """Segment the boxes of one frame.

        Args:
            image (np.ndarray): uint8, (H, W, 3), BGR.
            boxes (Sequence[Box]): N boxes, half-open xyxy, pixels.

        Returns:
            list[tuple]: N pairs of a bool mask (H, W), or None, and a score
            in [0, 1], or None.
        """

    def label(self, video: LabelVideo) -> LabelResult:
        """Label every frame that has a box; see the base class."""
        tracks = [MaskTrack.empty_like(track) for track in video.tracks]
        for frame in range(video.info.length):
            present = [t for t in tracks if t.boxes[frame] is not None]
            if not present:
                continue
            boxes = [track.boxes[frame] for track in present]
            found = self.segment(video.frames[frame], boxes)  # type: ignore[arg-type]
            for track, (mask, score) in zip(present, found):
                rle = None if mask is None else encode(mask)
                track.set(frame, rle, self.name, score)
        return LabelResult(video.info, tracks)
