"""Classes and boxes of IDOL."""

from typing import Any, Dict, List, Sequence, Tuple

import torch
from mmdet.models.dense_heads import DeformableDETRHead
from mmdet.models.task_modules import AssignResult
from mmdet.structures.bbox import bbox_cxcywh_to_xyxy
from mmengine.structures import InstanceData
from torch import Tensor

from ...registry import MODELS
from ..losses.utils import sync_count

# Assignments of all decoder layers, of each frame of the batch.
Assignments = List[List[AssignResult]]


@MODELS.register_module()
class IDOLHead(DeformableDETRHead):
    """Head of `IDOL <https://arxiv.org/abs/2207.10661>`_ for one frame.

    Branches are those of Deformable DETR. Every decoder layer has its own
    one-to-many assignment (``train_cfg.assigner``); losses are summed and
    divided by the number of assigned queries of the layer.

    Args:
        args: Passed to ``DeformableDETRHead``.
        sync_avg_factor (bool): Count the assigned queries over all
            processes, so that several GPUs train as one with the whole
            batch would; False divides by the process' own count, as the
            public code does. Defaults to True.
        kwargs: Passed to ``DeformableDETRHead``.
    """

    def __init__(
        self, *args: Any, sync_avg_factor: bool = True, **kwargs: Any
    ) -> None:
        super().__init__(*args, **kwargs)
        self.sync_avg_factor = sync_avg_factor

    def predict_raw(
        self, hidden_states: Tensor, references: Sequence[Tensor]
    ) -> Tuple[Tensor, Tensor]:
        """Evaluate the last layer.

        Args:
            hidden_states (Tensor): float, (num_layers, B, Q, C).
            references (Sequence[Tensor]): See ``FrameOutputs``.

        Returns:
            tuple[Tensor]: Class logits (B, Q, num_classes) and boxes
            (B, Q, 4), cxcywh in [0, 1], float32.
        """
        logits = self.cls_branches[len(hidden_states) - 1](hidden_states[-1])
        # The decoder has refined this box with the same branch already.
        return logits.float(), references[-1].float()

    def assign(
        self,
        cls_scores: Tensor,
        bbox_preds: Tensor,
        batch_gt: Sequence[InstanceData],
    ) -> Assignments:
        """Assign queries to instances, layer by layer.

        Args:
            cls_scores (Tensor): float, (num_layers, B, Q, num_classes),
                logits.
            bbox_preds (Tensor): float, (num_layers, B, Q, 4), cxcywh in
                [0, 1].
            batch_gt (Sequence[InstanceData]): Per frame ``bboxes`` (G, 4),
                cxcywh in [0, 1], and ``labels`` (G, ).

        Returns:
            list[list[AssignResult]]: Per layer, per frame.
        """
        return [
            [
                self.assigner.assign(as_prediction(logits, boxes), gt)
                for logits, boxes, gt in zip(*layer, batch_gt)
            ]
            for layer in zip(cls_scores, bbox_preds)
        ]

    def loss_by_feat(
        self,
        cls_scores: Tensor,
        bbox_preds: Tensor,
        batch_gt: Sequence[InstanceData],
        assignments: Assignments,
    ) -> Dict[str, Tensor]:
        """Compute the losses of classes and boxes.

        Args:
            cls_scores (Tensor): See :meth:`assign`.
            bbox_preds (Tensor): See :meth:`assign`.
            batch_gt (Sequence[InstanceData]): See :meth:`assign`.
            assignments (list[list[AssignResult]]): From :meth:`assign`.

        Returns:
            dict[str, Tensor]: ``loss_cls``, ``loss_bbox`` and ``loss_iou``
            of the last layer; of the others as ``d0.loss_cls`` and so on.
        """
        losses: Dict[str, Tensor] = {}
        for layer, assigned in enumerate(assignments):
            values = self._loss_of_layer(
                cls_scores[layer], bbox_preds[layer], batch_gt, assigned
            )
            losses.update(name_layer(values, layer, len(assignments)))
        return losses

    def _loss_of_layer(
        self,
        logits: Tensor,
        boxes: Tensor,
        batch_gt: Sequence[InstanceData],
        assigned: Sequence[AssignResult],
    ) -> Dict[str, Tensor]:
        labels = torch.stack([result.labels for result in assigned])
        positive = labels >= 0
        background = torch.full_like(labels, self.num_classes)
        labels = torch.where(positive, labels, background)
        count = sync_count(positive.sum(), self.sync_avg_factor)
        targets = torch.cat(
            [
                gt.bboxes[gt_rows(result)]
                for gt, result in zip(batch_gt, assigned)
            ]
        )
        found = boxes[positive].float()
        return dict(
            loss_cls=self.loss_cls(
                logits.flatten(0, 1).float(),
                labels.flatten(),
                avg_factor=count,
            ),
            loss_bbox=self.loss_bbox(found, targets, avg_factor=count),
            loss_iou=self.loss_iou(
                bbox_cxcywh_to_xyxy(found),
                bbox_cxcywh_to_xyxy(targets),
                avg_factor=count,
            ),
        )


def as_prediction(logits: Tensor, boxes: Tensor) -> InstanceData:
    """Wrap the queries of a frame as assigners take them.

    Args:
        logits (Tensor): float, (Q, num_classes).
        boxes (Tensor): float, (Q, 4), cxcywh in [0, 1].

    Returns:
        InstanceData: ``scores``, probabilities, and ``bboxes``, detached.
    """
    return InstanceData(
        scores=logits.detach().float().sigmoid(),
        bboxes=boxes.detach().float(),
    )


def gt_rows(result: AssignResult) -> Tensor:
    """Rows of the instances that the positive queries belong to.

    Args:
        result (AssignResult): Of one frame.

    Returns:
        Tensor: int64, (num_pos, ), in the order of the queries.
    """
    gt_inds = result.gt_inds
    return gt_inds[gt_inds > 0] - 1


def name_layer(
    losses: Dict[str, Tensor], layer: int, num_layers: int
) -> Dict[str, Tensor]:
    """Name losses as MMDetection does: ``d<layer>.`` but for the last.

    Args:
        losses (dict[str, Tensor]): Of one decoder layer.
        layer (int): Its number, from 0.
        num_layers (int): Number of layers.

    Returns:
        dict[str, Tensor]: Same values.
    """
    prefix = '' if layer == num_layers - 1 else f'd{layer}.'
    return {f'{prefix}{name}': value for name, value in losses.items()}
