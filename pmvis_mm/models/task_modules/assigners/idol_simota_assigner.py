"""One-to-many assignment of IDOL."""

from typing import Any, Dict, Optional, Tuple

import torch
from mmdet.models.task_modules.assigners import AssignResult, BaseAssigner
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmengine.structures import InstanceData
from torch import Tensor

from ....registry import TASK_UTILS
from ....utils.errors import ConfigError, PMVISError
from ...utils.boxes import pairwise_iou_giou
from .dynamic_k import dynamic_k_matching


@TASK_UTILS.register_module()
class IDOLSimOTAAssigner(BaseAssigner):
    r"""Assigns several queries to each instance, as IDOL does.

    The simplified optimal transport assignment of
    `YOLOX <https://arxiv.org/abs/2107.08430>`_ on queries, as in the
    public code of `IDOL <https://arxiv.org/abs/2207.10661>`_. The cost of
    a query for an instance is

    .. math::
        C = L_{cls} - \lambda\,\mathrm{GIoU} + 100\,[\text{not inside}]
        + 10^4\,[\text{background}]

    where :math:`L_{cls}` is the focal loss of the instance's class minus
    that of the background, a query is inside if its centre lies in the box
    and in a window around the box's centre, and background if its centre
    is in no box and no window of any instance. The number of queries
    depends on the IoUs, see :func:`~.dynamic_k.dynamic_k_matching`.

    Everything is computed in float32 without gradients. The costs are
    matched on the CPU, so that equal costs are ordered alike on every
    device.

    Args:
        candidate_topk (int): Largest IoUs whose sum is the number of
            queries of an instance. Defaults to 10.
        center_radius (float): Half side of the centre window, in units of
            the image's width and height. Defaults to 2.5 / 32.
        iou_weight (float): Weight of the GIoU. Defaults to 3.0.
        focal_alpha (float): Balance of the focal loss. Defaults to 0.25.
        focal_gamma (float): Exponent of the focal loss. Defaults to 2.0.
        outside_cost (float): Cost of a centre that is not inside. Defaults
            to 100.0.
        background_cost (float): Additional cost of background queries.
            Defaults to 10000.0.
        rematch_cost (float): Makes queries dearer that are taken already.
            Defaults to 100000.0.

    Raises:
        ConfigError: If an option is out of range.
    """

    def __init__(
        self,
        candidate_topk: int = 10,
        center_radius: float = 2.5 / 32,
        iou_weight: float = 3.0,
        focal_alpha: float = 0.25,
        focal_gamma: float = 2.0,
        outside_cost: float = 100.0,
        background_cost: float = 10000.0,
        rematch_cost: float = 100000.0,
    ) -> None:
        if candidate_topk < 1:
            raise ConfigError(
                f'candidate_topk={candidate_topk} leaves nothing to assign',
                fix='use at least 1, such as 10',
            )
        # GIoU is in [-1, 1], the focal loss below -log(1e-8) = 18.4.
        spread = background_cost + outside_cost + 2 * iou_weight + 20
        if rematch_cost <= spread:
            raise ConfigError(
                f'rematch_cost={rematch_cost} is not above {spread}, the '
                'spread of the other costs',
                fix='raise rematch_cost, so that free queries are cheaper '
                'than taken ones',
            )
        self.candidate_topk = candidate_topk
        self.center_radius = center_radius
        self.iou_weight = iou_weight
        self.focal_alpha = focal_alpha
        self.focal_gamma = focal_gamma
        self.outside_cost = outside_cost
        self.background_cost = background_cost
        self.rematch_cost = rematch_cost

    @torch.no_grad()
    def assign(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        gt_instances_ignore: Optional[InstanceData] = None,
        img_meta: Optional[dict] = None,
    ) -> AssignResult:
        """Assign the queries of one frame.

        Args:
            pred_instances (InstanceData): ``scores``, float, (Q, K),
                sigmoid probabilities, and ``bboxes``, float, (Q, 4),
                cxcywh in units of the unpadded image's width and height.
            gt_instances (InstanceData): ``bboxes``, float, (G, 4), alike,
                and ``labels``, int64, (G,). ``video_id`` and ``frame_id``
                in its metainfo, if there are any, appear in errors.
            gt_instances_ignore (InstanceData, optional): Not used.
            img_meta (dict, optional): Not used.

        Returns:
            AssignResult: int64 ``gt_inds`` (Q,), 0 for background, else 1
            + instance; int64 ``labels`` (Q,), -1 for background; float32
            ``max_overlaps`` (Q,), IoU with the assigned instance, else 0.
            The extra property ``matched_query``, int64, (G,), is the
            cheapest of each instance's queries. If instances had to share
            a query, it is the first one's in ``gt_inds``.

        Raises:
            PMVISError: If the predictions or instances are not usable.
        """
        scores, labels = pred_instances.scores, gt_instances.labels
        num_queries, num_gts = len(scores), len(labels)
        gt_inds = labels.new_zeros(num_queries, dtype=torch.int64)
        if num_gts == 0:
            return _result(
                0, gt_inds, scores.new_zeros(num_queries), gt_inds - 1, gt_inds
            )
        cost, iou = self._cost_and_iou(pred_instances, gt_instances)
        matched = self._match(cost, iou, self.candidate_topk)
        gt = matched.int().argmax(1)
        chosen = matched.any(1)
        overlaps = iou.gather(1, gt[:, None]).squeeze(1) * chosen
        query = cost.masked_fill(~matched, float('inf')).argmin(0)
        gt, chosen = gt.to(labels.device), chosen.to(labels.device)
        return _result(
            num_gts,
            torch.where(chosen, gt + 1, gt_inds),
            overlaps.to(scores.device),
            torch.where(chosen, labels[gt].long(), gt_inds - 1),
            query.to(labels.device),
        )

    @torch.no_grad()
    def candidates(
        self,
        pred_instances: InstanceData,
        gt_instances: InstanceData,
        negative_topk: int = 100,
    ) -> Tuple[Tensor, Tensor]:
        """Choose the queries that contrastive learning compares.

        The assignment is done twice, with ``candidate_topk`` and with
        ``negative_topk``. As in the public code, the second starts from
        the costs that the first one left behind: a positive query of an
        instance need not be among its second choice.

        Args:
            pred_instances (InstanceData): See :meth:`assign`; of the
                reference frame.
            gt_instances (InstanceData): See :meth:`assign`; the instances
                of the key frame that the reference frame shows as well.
            negative_topk (int): Largest IoUs whose sum is the number of
                queries that are not negative. Defaults to 100.

        Returns:
            tuple[Tensor, Tensor]: bool, (Q, G): positives, and queries
            that are not negatives.

        Raises:
            PMVISError: If the predictions or instances are not usable.
        """
        num_gts = len(gt_instances.labels)
        if num_gts == 0:
            none = pred_instances.scores.new_zeros(
                (len(pred_instances.scores), 0), dtype=torch.bool
            )
            return none, none.clone()
        cost, iou = self._cost_and_iou(pred_instances, gt_instances)
        positives = self._match(cost, iou, self.candidate_topk)
        not_negatives = self._match(cost, iou, negative_topk)
        device = pred_instances.scores.device
        return positives.to(device), not_negatives.to(device)

    def _match(self, cost: Tensor, iou: Tensor, topk: int) -> Tensor:
        """Match with our options; changes the cost in place."""
        return dynamic_k_matching(cost, iou, topk, self.rematch_cost)

    def _cost_and_iou(
        self, pred: InstanceData, gt: InstanceData
    ) -> Tuple[Tensor, Tensor]:
        """Compute the cost and the IoU, float32 on the CPU, (Q, G) each."""
        _check_instances(pred, gt)
        scores, bboxes = pred.scores.float(), pred.bboxes.float()
        gt_bboxes = gt.bboxes.float()
        iou, giou = pairwise_iou_giou(
            bbox_cxcywh_to_xyxy(bboxes), bbox_cxcywh_to_xyxy(gt_bboxes)
        )
        in_box, in_window = self._where(bboxes, gt_bboxes)
        cost = self._cls_cost(scores)[:, gt.labels] - self.iou_weight * giou
        cost = cost + self.outside_cost * ~(in_box & in_window)
        background = ~(in_box | in_window).any(1)
        cost = cost + self.background_cost * background[:, None]
        cost, iou = torch.stack((cost, iou)).cpu()
        if not torch.isfinite(cost).all() or not torch.isfinite(iou).all():
            raise PMVISError(
                'the cost of the assignment is not finite, though scores '
                'and boxes are',
                fix='look for boxes without width and height among '
                'predictions and annotations',
                **_place(gt),
            )
        return cost, iou

    def _cls_cost(self, scores: Tensor) -> Tensor:
        """Focal loss of each class minus that of the background, (Q, K)."""
        alpha, gamma = self.focal_alpha, self.focal_gamma
        miss = -(scores + 1e-8).log()
        alarm = -(1 - scores + 1e-8).log()
        return (
            alpha * (1 - scores) ** gamma * miss
            - (1 - alpha) * scores**gamma * alarm
        )

    def _where(
        self, bboxes: Tensor, gt_bboxes: Tensor
    ) -> Tuple[Tensor, Tensor]:
        """Whether centres are in boxes and in centre windows, (Q, G)."""
        center = bboxes[:, None, :2]
        box = bbox_cxcywh_to_xyxy(gt_bboxes)
        in_box = (center > box[:, :2]) & (center < box[:, 2:])
        gt_center = gt_bboxes[:, :2]
        in_window = (center > gt_center - self.center_radius) & (
            center < gt_center + self.center_radius
        )
        return in_box.all(-1), in_window.all(-1)


def _result(
    num_gts: int,
    gt_inds: Tensor,
    max_overlaps: Tensor,
    labels: Tensor,
    matched_query: Tensor,
) -> AssignResult:
    """Pack an assignment; without instances nothing is matched."""
    result = AssignResult(num_gts, gt_inds, max_overlaps.float(), labels)
    result.set_extra_property('matched_query', matched_query[:num_gts])
    return result


def _check_instances(pred: InstanceData, gt: InstanceData) -> None:
    """Refuse what would make the matching hang or index out of range."""
    scores, bboxes = pred.scores, pred.bboxes
    if len(scores) == 0:
        raise PMVISError(
            'there are instances, but no query to assign to them',
            fix='use at least one query',
        )
    num_classes = scores.size(1)
    # One transfer for all tests; NaN fails the comparisons.
    sound = torch.stack(
        [
            ((scores >= 0) & (scores <= 1)).all(),
            torch.isfinite(bboxes).all(),
            torch.isfinite(gt.bboxes).all(),
            ((gt.labels >= 0) & (gt.labels < num_classes)).all(),
        ]
    ).tolist()
    problems = [
        (
            'predicted scores are NaN or not in [0, 1]',
            'pass probabilities, not logits; if they are NaN, training has '
            'diverged: lower the learning rate or clip gradients',
        ),
        (
            'predicted boxes are NaN or infinite',
            'training has diverged: lower the learning rate or clip gradients',
        ),
        (
            'ground truth boxes are NaN or infinite',
            'correct the annotations',
        ),
        (
            f'labels of the ground truth are not in [0, {num_classes})',
            'set num_classes of the head to that of the dataset',
        ),
    ]
    for good, (problem, fix) in zip(sound, problems):
        if not good:
            raise PMVISError(problem, fix=fix, **_place(gt))


def _place(gt: InstanceData) -> Dict[str, Any]:
    """Video and frame, if the instances say where they are from."""
    return dict(video=gt.get('video_id'), frame=gt.get('frame_id'))
