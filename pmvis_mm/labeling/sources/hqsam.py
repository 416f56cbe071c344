"""Masks of HQ-SAM, prompted by the boxes of every frame."""

from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np

from ...models.sam import HQSAMSegmenter
from ...registry import MODELS
from ...structures import Box, MaskTrack
from ...structures.rle import encode
from ...utils.errors import ConfigError
from ..label_video import LabelResult, LabelVideo
from .base import FrameMaskSource


@MODELS.register_module()
class HQSAMSource(FrameMaskSource):
    """`HQ-SAM <https://arxiv.org/abs/2306.01567>`_ in each box.

    "HQ-SAM-masks" of PM-VIS, section III-C1. The score of a mask is the IoU
    that the model expects, clipped to [0, 1]. Frames without boxes are not
    read.

    Args:
        arch (str | dict): 'vit_tiny', 'vit_b', 'vit_l', 'vit_h', or the
            config of an image encoder. Defaults to 'vit_h'.
        checkpoint (str, optional): Official .pth file of that size; None
            only for tests. Defaults to None.
        hq (bool): Whether to use HQ-SAM; False for plain SAM, the baseline,
            from a checkpoint of either. Defaults to True.
        multimask_output (bool): See
            :class:`pmvis_mm.models.SAMMaskDecoder`. Defaults to False.
        hq_token_only (bool): See :class:`pmvis_mm.models.HQMaskDecoder`.
            Defaults to False.
        encoder_dtype (str): 'float32', or 'bfloat16' or 'float16' to run
            the image encoder under autocast. Defaults to 'float32'.
        frames_per_batch (int): Frames that are encoded together. Defaults
            to 4.
        boxes_per_pass (int): Most boxes that are decoded together. Defaults
            to 32.
        device (str, optional): Where the model starts. The runner moves it
            to its own device, so that this is for uses without one.
        name (str): Source name. Defaults to 'hqsam'.

    Raises:
        ConfigError: If an option is unknown or contradicts another.
        CheckpointError: If the checkpoint is missing or does not fit.
    """

    def __init__(
        self,
        arch: Union[str, Dict[str, Any]] = 'vit_h',
        checkpoint: Optional[str] = None,
        hq: bool = True,
        multimask_output: bool = False,
        hq_token_only: bool = False,
        encoder_dtype: str = 'float32',
        frames_per_batch: int = 4,
        boxes_per_pass: int = 32,
        device: Optional[str] = None,
        name: str = 'hqsam',
    ) -> None:
        super().__init__(name)
        if frames_per_batch < 1:
            raise ConfigError(
                f'frames_per_batch={frames_per_batch} is not positive',
                fix='use 4, or less if memory runs out',
            )
        decoder = dict(
            type='HQMaskDecoder' if hq else 'SAMMaskDecoder',
            multimask_output=multimask_output,
        )
        if hq:
            decoder['hq_token_only'] = hq_token_only
        elif hq_token_only:
            raise ConfigError(
                'hq_token_only=True, but hq=False: SAM has no such token',
                fix='drop one of them',
            )
        self.frames_per_batch = frames_per_batch
        self.segmenter = HQSAMSegmenter(
            arch,
            mask_decoder=decoder,
            checkpoint=checkpoint,
            encoder_dtype=encoder_dtype,
            boxes_per_pass=boxes_per_pass,
        )
        if device is not None:
            self.to(device)

    def init_weights(self) -> None:
        """Keep the weights of the checkpoint."""

    def segment(
        self, image: np.ndarray, boxes: Sequence[Box]
    ) -> List[Tuple[Optional[np.ndarray], Optional[float]]]:
        """See the base class."""
        if not len(boxes):
            return []
        (frame,) = self.segmenter.encode([image])
        masks, scores = self.segmenter.segment(frame, boxes)
        return list(zip(masks, scores.tolist()))

    def label(self, video: LabelVideo) -> LabelResult:
        """Label every frame that has a box, some frames at a time."""
        tracks = [MaskTrack.empty_like(track) for track in video.tracks]
        shown = [
            t
            for t in range(video.info.length)
            if any(track.boxes[t] is not None for track in tracks)
        ]
        for start in range(0, len(shown), self.frames_per_batch):
            batch = shown[start : start + self.frames_per_batch]
            encoded = self.segmenter.encode([video.frames[t] for t in batch])
            for t, frame in zip(batch, encoded):
                present = [x for x in tracks if x.boxes[t] is not None]
                boxes = [track.boxes[t] for track in present]
                found = self.segmenter.segment(frame, boxes)
                for track, mask, score in zip(present, *found):
                    track.set(t, encode(mask), self.name, score)
        return LabelResult(video.info, tracks)
