"""Sample S: one small frame on which the mask losses have known values."""

from dataclasses import dataclass
from typing import Optional, Tuple

import torch
from torch import Tensor

from ..models.utils import box_bitmasks, color_similarity
from ..structures.mask_targets import MaskTargets


@dataclass
class SampleS:
    """A frame of 56x60 valid pixels, padded to 64x64, with three boxes.

    Attributes:
        image (Tensor): uint8, (3, 64, 64), RGB, zero-padded.
        logits (Tensor): float32, (3, 1, 16, 16), mask logits of three
            predictions at stride 4.
        boxes (Tensor): float32, (3, 4), xyxy, pixels.
        img_shape (tuple[int]): Height and width without padding.
        ori_height (int): Height of the frame before augmentation.
    """

    image: Tensor
    logits: Tensor
    boxes: Tensor
    img_shape: Tuple[int, int] = (56, 60)
    ori_height: int = 112

    def similarity(
        self, swap_rb: bool = False, ori_height: Optional[int] = None
    ) -> Tensor:
        """Compute the colour similarity, float32, (1, 1, 8, 16, 16).

        Args:
            swap_rb (bool): See ``lab_features``. Defaults to False.
            ori_height (int, optional): In place of the sample's own.
        """
        return color_similarity(
            self.image[None],
            [self.img_shape],
            [ori_height or self.ori_height],
            swap_rb=swap_rb,
        )[None]

    def targets(
        self, swap_rb: bool = False, ori_height: Optional[int] = None
    ) -> MaskTargets:
        """Build targets, one row per box; the box masks are the masks."""
        masks = box_bitmasks(self.boxes[:, None], (64, 64))
        similarity = self.similarity(swap_rb, ori_height)
        return MaskTargets(masks, similarity=similarity, masks=masks)


def sample_s() -> SampleS:
    """Build Sample S."""
    return SampleS(_image(), _logits(), _boxes())


def _image() -> Tensor:
    row = torch.arange(64)[:, None].expand(64, 64)
    col = row.t()
    image = torch.stack(
        [
            100 + 3 * (row // 8),
            90 + 2 * (col // 8),
            60 + 4 * (row // 8) + 3 * (col // 8),
        ]
    )
    image[:, 16:40, 12:44] += torch.tensor([9, -3, 4])[:, None, None]
    image[:, 56:] = 0
    image[:, :, 60:] = 0
    return image.to(torch.uint8)


def _logits() -> Tensor:
    row = torch.arange(16.0)[:, None]
    col = torch.arange(16.0)[None]
    phases = torch.tensor([0.0, 0.9, 1.8])[:, None, None]
    return 3 * torch.sin(0.7 * row + 0.65 * col + phases)[:, None]


def _boxes() -> Tensor:
    return torch.tensor(
        [
            [12.6, 16.2, 43.9, 39.0],
            [3.0, 30.0, 20.5, 55.0],
            [50.0, 2.0, 59.9, 20.0],
        ]
    )
