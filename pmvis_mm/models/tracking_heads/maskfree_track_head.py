"""Mask2Former for video, trained from boxes."""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import torch
from mmdet.models.task_modules import AssignResult
from mmdet.models.tracking_heads import Mask2FormerTrackHead
from mmdet.structures import TrackSampleList
from mmengine.structures import InstanceData
from torch import Tensor

from ...registry import MODELS, TASK_UTILS
from ...structures.mask_targets import MaskTargets
from ...utils.errors import ConfigError, PMVISError
from ..dense_heads.idol_head import gt_rows, name_layer
from ..dense_heads.mask_targets import build_mask_targets
from ..losses.mask_losses import MaskLosses
from ..utils.box_bitmasks import box_limits
from ..utils.box_points import inclusive_boxes, sample_boxes, tight_boxes
from ..utils.clips import common_length
from .mask_point_losses import (
    PointSampling,
    assign_masks,
    mask_point_losses,
)
from .tube_instances import clips_have_masks, make_tubes


@MODELS.register_module()
class MaskFreeTrackHead(Mask2FormerTrackHead):
    """Head of `MaskFreeVIS <https://arxiv.org/abs/2303.15904>`_.

    Network and inference are those of ``Mask2FormerTrackHead``. Training
    reads boxes: each prediction (of the learned queries and of all decoder
    layers) has its own assignment, by class and by the overlap of the
    filled boxes of masks over the whole clip (section 3.4), and its own
    ``mask_losses``.

    With ``train_cfg.mask_assigner``, batches whose instances have masks may
    come in between (joint training with COCO). They are trained as
    Mask2Former is, with ``loss_mask`` and ``loss_dice``. All batches have
    all losses; those of the other kind are 0.

    Args:
        args: Passed to ``Mask2FormerTrackHead``.
        mask_losses (dict[str, dict], optional): Configs of losses that take
            ``(mask_logits, MaskTargets)``, by the name that appears in
            logs as ``loss_<name>``. Defaults to None, for inference only.
        box_rule (str): See ``box_bitmasks``. Defaults to 'exact'.
        downsample (str): See ``box_bitmasks``. Defaults to 'bilinear'.
        sync_avg_factor (bool): Passed to the losses: whether their
            normalisers are counted over all processes. False is what the
            public code does. Defaults to True.
        kwargs: Passed to ``Mask2FormerTrackHead``. In ``train_cfg``:

            - ``assigner``: may read ``scores``, ``labels``, ``masks``
              (filled boxes at points, (., T * num_points)) and ``bboxes``
              ((., T, 4), see ``inclusive_boxes``).
            - ``num_points``: per frame, the same for all queries and
              instances. MaskFreeVIS uses 20000.
            - ``mask_assigner`` (optional): may read ``scores``, ``labels``
              and ``masks`` (logits and masks at points).
    """

    def __init__(
        self,
        *args: Any,
        mask_losses: Optional[Mapping[str, Mapping[str, Any]]] = None,
        box_rule: str = 'exact',
        downsample: str = 'bilinear',
        sync_avg_factor: bool = True,
        **kwargs: Any,
    ) -> None:
        super().__init__(*args, **kwargs)
        self.box_rule = box_rule
        self.downsample = downsample
        self.mask_losses = MaskLosses(mask_losses, sync_avg_factor)
        mask_assigner = (self.train_cfg or {}).get('mask_assigner')
        self.mask_assigner = mask_assigner and TASK_UTILS.build(mask_assigner)

    @property
    def needs_masks(self) -> bool:
        """Whether nothing but masks trains it; boxes would be ignored."""
        return self.mask_assigner is not None and not len(self.mask_losses)

    def needs(self, what: str) -> bool:
        """Whether a loss reads something, see ``MaskLosses.needs``."""
        return self.mask_losses.needs(what)

    def loss(
        self,
        x: Tuple[Tensor, ...],
        data_samples: TrackSampleList,
        similarity: Optional[Tensor] = None,
        similarity_dilation: int = 2,
        lab: Optional[Tensor] = None,
        images: Optional[Tensor] = None,
    ) -> Dict[str, Tensor]:
        """Compute all losses of a batch of clips.

        Args:
            x (tuple[Tensor]): float, (N * T, C_l, h_l, w_l), features.
            data_samples (list[TrackDataSample]): Of the N clips of T
                frames each; T may change from batch to batch.
            similarity (Tensor, optional): float, (N, T, K, h, w), colour
                similarity of all frames. Defaults to None.
            similarity_dilation (int): Distance to its neighbours, pixels
                at mask stride. Defaults to 2.
            lab (Tensor, optional): float32, (N, T, 3, h, w), CIE-Lab of the
                raw frames at mask stride. Defaults to None.
            images (Tensor, optional): uint8, (N, T, 3, H, W), raw RGB
                frames, padded with black. Defaults to None.

        Returns:
            dict[str, Tensor]: ``loss_cls``, ``loss_<name>`` of the mask
            losses and, with a ``mask_assigner``, ``loss_mask`` and
            ``loss_dice``; those of the predictions before the last as
            ``d0.loss_cls`` and so on.

        Raises:
            ConfigError: If the clips differ in length, or if only some
                have masks, or all have and nothing can use them.
            PMVISError: If an instance of a batch with masks has none.
        """
        # The parent's forward splits frames into clips by this number.
        self.num_frames = common_length([len(s) for s in data_samples])
        all_cls_scores, all_mask_preds = self(x, data_samples)
        shape = tuple(data_samples[0][0].batch_input_shape)
        masked = self._masks_supervise(data_samples)
        clips = [
            make_tubes(
                [sample[t] for t in range(self.num_frames)],
                shape,
                masked or self.needs('masks'),
            )
            for sample in data_samples
        ]
        if masked:
            _check_all_masked(clips, data_samples)
        targets = build_mask_targets(
            # Losses of boxes count rows in all processes, even if none.
            [clip[:0] for clip in clips] if masked else clips,
            shape,
            shape[0] // all_mask_preds[-1].size(-2),
            similarity,
            similarity_dilation,
            self.needs('masks'),
            self.box_rule,
            self.downsample,
            lab,
            images,
        )
        targets = self.mask_losses.prepare(targets)
        losses: Dict[str, Tensor] = {}
        for layer, outputs in enumerate(zip(all_cls_scores, all_mask_preds)):
            values = self._loss_of_layer(
                *outputs, clips, targets, masked, shape
            )
            losses.update(name_layer(values, layer, len(all_cls_scores)))
        return losses

    def _masks_supervise(self, data_samples: TrackSampleList) -> bool:
        """Whether this batch is trained on masks and not on boxes."""
        having = clips_have_masks(
            [sample.video_data_samples for sample in data_samples]
        )
        if not having or self.needs('masks'):
            return False
        if self.mask_assigner is None:
            raise ConfigError(
                'the training data have masks, but this head learns from '
                'boxes alone',
                fix='set with_mask=False in the pipeline, or, for joint '
                'training, give a mask_assigner in train_cfg',
            )
        return True

    def _loss_of_layer(
        self,
        cls_scores: Tensor,
        mask_preds: Tensor,
        clips: Sequence[InstanceData],
        targets: MaskTargets,
        masked: bool,
        input_shape: Tuple[int, int],
    ) -> Dict[str, Tensor]:
        """Losses of one prediction, (N, Q, C) and (N, Q, T, h, w)."""
        assigned = [
            assign_masks(
                self.mask_assigner, scores, masks, clip, self.num_points
            )
            if masked
            else self.assign_boxes(scores, masks, clip, input_shape)
            for scores, masks, clip in zip(cls_scores, mask_preds, clips)
        ]
        positive = torch.stack([result.gt_inds > 0 for result in assigned])
        rows = [gt_rows(result) for result in assigned]
        logits = mask_preds[positive]
        values = dict(loss_cls=self._class_loss(cls_scores, clips, assigned))
        none = slice(0, 0)
        chosen = [row[none] for row in rows] if masked else rows
        values.update(
            self.mask_losses(
                logits[none] if masked else logits, targets.gather(chosen)
            )
        )
        if self.mask_assigner is not None:
            values.update(self._point_losses(logits, clips, rows, masked))
        return values

    @torch.no_grad()
    def assign_boxes(
        self,
        cls_score: Tensor,
        mask_pred: Tensor,
        gt: InstanceData,
        input_shape: Tuple[int, int],
    ) -> AssignResult:
        """Assign the queries of a clip to instances with boxes.

        Args:
            cls_score (Tensor): float, (Q, num_classes + 1), logits.
            mask_pred (Tensor): float, (Q, T, h, w), logits. The box of a
                frame is the tight one of the pixels above 0.
            gt (InstanceData): ``labels`` (G, ) and ``bboxes`` (G, T, 4),
                xyxy in pixels, zeros in frames without the instance.
            input_shape (tuple[int]): Height and width of the padded batch.

        Returns:
            AssignResult: Of the Q queries.
        """
        # Sums over many points do not fit in half precision.
        with torch.autocast(cls_score.device.type, enabled=False):
            points = torch.rand((self.num_points, 2), device=cls_score.device)
            size = (mask_pred.size(-2), mask_pred.size(-1))
            found = tight_boxes(mask_pred > 0)
            wanted = box_limits(gt.bboxes, self.box_rule)
            return self.assigner.assign(
                InstanceData(
                    scores=cls_score.float(),
                    masks=sample_boxes(found, points, size).flatten(1),
                    bboxes=inclusive_boxes(found, size),
                ),
                InstanceData(
                    labels=gt.labels,
                    masks=sample_boxes(wanted, points, input_shape).flatten(1),
                    bboxes=inclusive_boxes(wanted, input_shape),
                ),
                {},
            )

    def _class_loss(
        self,
        cls_scores: Tensor,
        clips: Sequence[InstanceData],
        assigned: Sequence[AssignResult],
    ) -> Tensor:
        """Cross entropy; the weighted mean over all queries."""
        labels = cls_scores.new_full(
            cls_scores.shape[:2], self.num_classes, dtype=torch.long
        )
        for of_clip, clip, result in zip(labels, clips, assigned):
            of_clip[result.gt_inds > 0] = clip.labels[gt_rows(result)]
        labels = labels.flatten()
        weight = torch.tensor(self.class_weight, device=labels.device)
        return self.loss_cls(
            cls_scores.flatten(0, 1).float(),
            labels,
            avg_factor=weight[labels].sum(),
        )

    def _point_losses(
        self,
        logits: Tensor,
        clips: Sequence[InstanceData],
        rows: Sequence[Tensor],
        masked: bool,
    ) -> Dict[str, Tensor]:
        """Losses of Mask2Former; zeros in a batch without masks."""
        masks = logits[:0]
        if masked:
            masks = torch.cat(
                [clip.masks[row] for clip, row in zip(clips, rows)]
            )
        return mask_point_losses(
            logits if masked else logits[:0],
            masks,
            self.loss_mask,
            self.loss_dice,
            PointSampling(
                self.num_points,
                self.oversample_ratio,
                self.importance_sample_ratio,
            ),
        )


def _check_all_masked(
    clips: List[InstanceData], data_samples: TrackSampleList
) -> None:
    """Refuse instances that a frame shows without a mask."""
    for clip, sample in zip(clips, data_samples):
        if not bool(clip.masks_valid.all()):
            raise PMVISError(
                'an instance has no mask, but its batch is trained on masks',
                video=sample[0].get('video_id'),
                fix="for boxes set with_mask=False in this dataset's "
                'pipeline; for masks its annotations must have them all',
            )
