"""Cross entropy between filled boxes, as a cost of assignment."""

from typing import Any, Optional

from mmdet.models.task_modules.assigners.match_cost import BaseMatchCost
from mmengine.structures import InstanceData
from torch import Tensor

from ....registry import TASK_UTILS

# What log(0) counts as: a box mask is 0 at most points. torch's binary cross
# entropy, and with it the public code, stops there too.
_MIN_LOG = -100.0


@TASK_UTILS.register_module()
class BoxMaskCrossEntropyCost(BaseMatchCost):
    """Binary cross entropy between filled boxes, read at points.

    "ST-BoxMask" in Table 9 of `MaskFreeVIS
    <https://arxiv.org/abs/2303.15904>`_ has it beside the Dice cost. Other
    than ``CrossEntropyLossCost`` it takes probabilities, not logits.

    Args:
        weight (float): Weight of the cost. MaskFreeVIS uses 5.0. Defaults
            to 1.0.
    """

    def __init__(self, weight: float = 1.0) -> None:
        super().__init__(weight=weight)

    def __call__(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        img_meta: Optional[dict] = None,
        **kwargs: Any,
    ) -> Tensor:
        """Compute the cost of all pairs.

        Args:
            pred_instances (InstanceData): ``masks``, float, (Q, ...), in
                [0, 1], Q filled boxes at points.
            gt_instances (InstanceData): ``masks``, float, (G, ...), in
                [0, 1], at the same points.
            img_meta (dict, optional): Not used.
            kwargs: Not used.

        Returns:
            Tensor: float32, (Q, G), mean over the points, in [0, 100] times
            the weight; logarithms end at -100.
        """
        found = pred_instances.masks.flatten(1).float()
        wanted = gt_instances.masks.flatten(1).float()
        if_one = found.log().clamp(min=_MIN_LOG)
        if_zero = (1 - found).log().clamp(min=_MIN_LOG)
        total = if_one @ wanted.T + if_zero @ (1 - wanted).T
        return -self.weight * total / max(found.size(1), 1)
