"""Distance and overlap of boxes frame by frame, as costs of assignment."""

from typing import Any, Optional

import torch
from mmdet.models.task_modules.assigners.match_cost import BaseMatchCost
from mmengine.structures import InstanceData
from torch import Tensor

from ....registry import TASK_UTILS
from ....utils.errors import ConfigError
from ...utils import giou_loss


@TASK_UTILS.register_module()
class TubeBoxDistanceCost(BaseMatchCost):
    """Distance between boxes, averaged over the frames of a clip.

    With :class:`TubeGIoUCost` the "frame-wise" matching in Table 9 of
    `MaskFreeVIS <https://arxiv.org/abs/2303.15904>`_ and, with one frame,
    the matching of its public box pre-training on COCO, where the distance
    is Euclidean.

    Args:
        p (float): 1 adds the differences of the four sides up, 2 is the
            Euclidean distance. Defaults to 2.
        weight (float): Weight of the cost. MaskFreeVIS uses 5.0. Defaults
            to 1.0.

    Raises:
        ConfigError: If ``p`` is neither 1 nor 2.
    """

    def __init__(self, p: float = 2, weight: float = 1.0) -> None:
        super().__init__(weight=weight)
        if p not in (1, 2):
            raise ConfigError(
                f'p={p} of TubeBoxDistanceCost is unknown',
                fix='use 1 or 2 (Euclidean)',
            )
        self.p = p

    def __call__(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        img_meta: Optional[dict] = None,
        **kwargs: Any,
    ) -> Tensor:
        """Compute the cost of all pairs.

        Args:
            pred_instances (InstanceData): ``bboxes``, float, (Q, T, 4),
                xyxy in [0, 1], zeros in frames without the instance.
            gt_instances (InstanceData): ``bboxes``, float, (G, T, 4).
            img_meta (dict, optional): Not used.
            kwargs: Not used.

        Returns:
            Tensor: float32, (Q, G).
        """
        found = pred_instances.bboxes.float()[:, None]
        wanted = gt_instances.bboxes.float()[None]
        distance = torch.linalg.vector_norm(found - wanted, self.p, dim=-1)
        return self.weight * distance.mean(-1)


@TASK_UTILS.register_module()
class TubeGIoUCost(BaseMatchCost):
    """Negative generalised IoU of boxes, averaged over frames.

    The IoU of two boxes without area is 0: neither an instance that is
    absent from a frame nor a single pixel makes the cost infinite.

    Args:
        weight (float): Weight of the cost. MaskFreeVIS uses 2.0. Defaults
            to 1.0.
        eps (float): Added to the areas that divide. Defaults to 1e-7.
    """

    def __init__(self, weight: float = 1.0, eps: float = 1e-7) -> None:
        super().__init__(weight=weight)
        self.eps = eps

    def __call__(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        img_meta: Optional[dict] = None,
        **kwargs: Any,
    ) -> Tensor:
        """Compute the cost of all pairs.

        Args:
            pred_instances (InstanceData): ``bboxes``, float, (Q, T, 4),
                xyxy in [0, 1], zeros in frames without the instance.
            gt_instances (InstanceData): ``bboxes``, float, (G, T, 4).
            img_meta (dict, optional): Not used.
            kwargs: Not used.

        Returns:
            Tensor: float32, (Q, G), in [-1, 1] times the weight.
        """
        found = pred_instances.bboxes.float()[:, None]
        wanted = gt_instances.bboxes.float()[None]
        giou = 1 - giou_loss(found, wanted, self.eps)
        return -self.weight * giou.mean(-1)
