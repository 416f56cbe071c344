"""MaskFreeVIS: Mask2Former for video, trained from boxes."""

from typing import Any, Dict, Optional

from mmdet.models.vis import Mask2FormerVideo
from mmdet.structures import TrackSampleList
from torch import Tensor

from ...registry import MODELS
from .checks import check_loss_inputs


@MODELS.register_module()
class MaskFreeVIS(Mask2FormerVideo):
    """`MaskFreeVIS <https://arxiv.org/abs/2303.15904>`_ on Mask2Former.

    Other than in ``Mask2FormerVideo``, what the data preprocessor makes of
    raw frames reaches the losses. Testing is the same: a whole video at
    once.

    Args:
        backbone (dict): Config of the backbone.
        track_head (dict): Config of a ``MaskFreeTrackHead``.
        data_preprocessor (dict, optional): Config of a
            ``VISDataPreprocessor``. Defaults to None.
        init_cfg (dict, optional): Initialization config. Defaults to None.

    Raises:
        ConfigError: If a loss needs colours that the data preprocessor does
            not compute.
    """

    def __init__(
        self,
        backbone: dict,
        track_head: dict,
        data_preprocessor: Optional[dict] = None,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(backbone, track_head, data_preprocessor, init_cfg)
        check_loss_inputs(self.track_head.needs, self.data_preprocessor)

    def loss(
        self,
        inputs: Tensor,
        data_samples: TrackSampleList,
        similarity: Optional[Tensor] = None,
        lab: Optional[Tensor] = None,
        images: Optional[Tensor] = None,
        **kwargs: Any,
    ) -> Dict[str, Tensor]:
        """Compute all losses of a batch of clips.

        Args:
            inputs (Tensor): float, (N, T, 3, H, W), normalised and padded.
            data_samples (list[TrackDataSample]): Of the N clips.
            similarity (Tensor, optional): float, (N, T, K, h, w), colour
                similarity of all frames. Defaults to None.
            lab (Tensor, optional): float32, (N, T, 3, h, w), CIE-Lab of the
                raw frames at mask stride. Defaults to None.
            images (Tensor, optional): uint8, (N, T, 3, H, W), raw RGB
                frames, padded with black. Defaults to None.
            kwargs: What else the data preprocessor gives; not used.

        Returns:
            dict[str, Tensor]: See ``MaskFreeTrackHead.loss``.
        """
        colors = getattr(self.data_preprocessor, 'similarity', None) or {}
        return self.track_head.loss(
            self.backbone(inputs.flatten(0, 1)),
            data_samples,
            similarity,
            colors.get('dilation', 2),
            lab,
            images,
        )
