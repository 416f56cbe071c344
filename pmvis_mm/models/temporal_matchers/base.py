"""What finds the same point of an object in another frame."""

from abc import ABCMeta, abstractmethod
from typing import List, Optional, Tuple

from torch import Tensor, nn

from ...structures.temporal_matches import TemporalMatches


class TemporalMatcher(nn.Module, metaclass=ABCMeta):
    """Base of the matchers of the temporal consistency loss ``TKLoss``.

    Attributes:
        needs_images (bool): Whether raw frames are needed beside their
            colour features; the data preprocessor keeps them if so.
    """

    needs_images: bool = False

    @abstractmethod
    def forward(
        self,
        lab: Tensor,
        connections: List[Tuple[int, int]],
        images: Optional[Tensor] = None,
    ) -> TemporalMatches:
        """Match pixels of connected frames.

        Args:
            lab (Tensor): float32, (N, T, 3, h, w), CIE-Lab of the raw
                frames at mask stride, see ``lab_features``.
            connections (list[tuple[int]]): Pairs of frames (a, b): pixels
                of frame b look for partners in frame a.
            images (Tensor, optional): uint8, (N, T, 3, H, W), raw RGB
                frames, padded with black; only if ``needs_images``.

        Returns:
            TemporalMatches: Of the N clips.
        """
