"""Masks of HQ-SAM by the authors' own package."""

import importlib
from typing import Any, List, Optional, Sequence, Tuple

import numpy as np
import torch

from ...models.sam.weights import load_sam_weights, read_sam_checkpoint
from ...registry import MODELS
from ...structures import Box
from ...utils.errors import ConfigError
from .base import FrameMaskSource

_ARCHS = ('vit_tiny', 'vit_b', 'vit_l', 'vit_h')


@MODELS.register_module()
class SegmentAnythingHQSource(FrameMaskSource):
    """The package `segment-anything-hq` in each box, for comparison.

    Same masks as :class:`HQSAMSource`, which needs neither the package nor
    its dependencies and is faster. The package is imported when a source
    is built.

    Args:
        arch (str): 'vit_tiny', 'vit_b', 'vit_l' or 'vit_h'. Defaults to
            'vit_h'.
        checkpoint (str, optional): Official .pth file of that size; None
            only for tests. Defaults to None.
        multimask_output (bool): See
            :class:`pmvis_mm.models.SAMMaskDecoder`. Defaults to False.
        hq_token_only (bool): See :class:`pmvis_mm.models.HQMaskDecoder`.
            Defaults to False.
        boxes_per_pass (int): Most boxes that are decoded together. Defaults
            to 32.
        name (str): Source name. Defaults to 'hqsam'.

    Raises:
        ConfigError: If the package cannot be imported or an option is
            unknown.
        CheckpointError: If the checkpoint is missing or does not fit.
    """

    def __init__(
        self,
        arch: str = 'vit_h',
        checkpoint: Optional[str] = None,
        multimask_output: bool = False,
        hq_token_only: bool = False,
        boxes_per_pass: int = 32,
        name: str = 'hqsam',
    ) -> None:
        super().__init__(name)
        if arch not in _ARCHS:
            raise ConfigError(
                f'arch={arch!r} is unknown', fix=f'choose from {_ARCHS}'
            )
        if boxes_per_pass < 1:
            raise ConfigError(
                f'boxes_per_pass={boxes_per_pass} is not positive',
                fix='use 32, or less if memory runs out',
            )
        package = _import_package()
        self.multimask_output = multimask_output
        self.hq_token_only = hq_token_only
        self.boxes_per_pass = boxes_per_pass
        self.model = package.sam_model_registry[arch](checkpoint=None)
        # The package itself fails on checkpoints saved from a GPU, and takes
        # ones of plain SAM with the additional parts left at random.
        if checkpoint is not None:
            weights = read_sam_checkpoint(checkpoint)
            load_sam_weights(self.model, weights, checkpoint)
        self.model.requires_grad_(False)
        # Only after loading: TinyViT caches its attention biases here. The
        # switch to train mode before makes it drop an older cache.
        self.model.train().eval()
        self.predictor = package.SamPredictor(self.model)

    def init_weights(self) -> None:
        """Keep the weights of the checkpoint."""

    @torch.no_grad()
    def segment(
        self, image: np.ndarray, boxes: Sequence[Box]
    ) -> List[Tuple[Optional[np.ndarray], Optional[float]]]:
        """See the base class; the score is the IoU that SAM expects."""
        if not len(boxes):
            return []
        height, width = image.shape[:2]
        self.predictor.set_image(np.ascontiguousarray(image[..., ::-1]))
        limits = [width, height, width, height]
        corners = self.predictor.transform.apply_boxes(
            np.clip(np.asarray(boxes, np.float64), 0, limits), (height, width)
        )
        device = next(self.model.parameters()).device
        prompts = torch.as_tensor(corners, dtype=torch.float32, device=device)
        pairs: List[Tuple[Optional[np.ndarray], Optional[float]]] = []
        for chunk in prompts.split(self.boxes_per_pass):
            masks, ious, _ = self.predictor.predict_torch(
                point_coords=None,
                point_labels=None,
                boxes=chunk,
                multimask_output=self.multimask_output,
                hq_token_only=self.hq_token_only,
            )
            scores = ious[:, 0].clamp(0, 1).tolist()
            pairs += zip(masks[:, 0].cpu().numpy(), scores)
        return pairs


def _import_package() -> Any:
    try:
        return importlib.import_module('segment_anything_hq')
    except Exception as reason:
        # Missing dependencies, or a torchvision that does not fit torch.
        raise ConfigError(
            'the package segment-anything-hq cannot be imported '
            f'({type(reason).__name__}: {reason})',
            fix='run "pip install segment-anything-hq timm torchvision", or '
            "use type='HQSAMSource', which does without",
        ) from reason
