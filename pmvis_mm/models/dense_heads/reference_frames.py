"""What losses over both frames of a clip read of the second one."""

from dataclasses import dataclass
from typing import List, Sequence

import torch
from mmdet.models.task_modules import AssignResult
from torch import Tensor

from ...structures.mask_targets import MaskTargets
from ..detectors import FrameOutputs
from .idol_head import Assignments, gt_rows


@dataclass
class ReferenceFrames:
    """Reference frames of a batch of N clips, and their instances.

    Only instances of the key frame count; R_n of them appear in the
    reference frame of clip n.

    Attributes:
        outputs (FrameOutputs): Of the N frames.
        assignments (list[list[AssignResult]]): Per layer, per clip; of the
            R_n instances, with the property ``matched_query``.
        rows (Sequence[Tensor]): int64, (R_n, ), their rows among the
            instances of the key frame.
        img_shapes (Sequence[Sequence[int]]): Height and width of the
            unpadded frames, pixels.
        targets (MaskTargets): One row per instance of the key frames;
            frame 0 is the key frame, frame 1 the reference frame.
    """

    outputs: FrameOutputs
    assignments: Assignments
    rows: Sequence[Tensor]
    img_shapes: Sequence[Sequence[int]]
    targets: MaskTargets

    def queries(self, layer: int) -> List[Tensor]:
        """Choose the best query of each instance.

        Args:
            layer (int): Decoder layer.

        Returns:
            list[Tensor]: int64, (R_n, ), per clip.
        """
        return [
            result.get_extra_property('matched_query')
            for result in self.assignments[layer]
        ]

    def partners(self, assigned: Sequence[AssignResult]) -> Tensor:
        """Find what belongs to the positive queries of the key frames.

        Args:
            assigned (Sequence[AssignResult]): Of the key frames, per clip.

        Returns:
            Tensor: int64, (num_pos, ), clip by clip: which of the sum of
            R_n instances, counted over all clips, each query was assigned
            to; -1 if the reference frame does not show it.
        """
        found: List[Tensor] = []
        start = 0
        for result, rows in zip(assigned, self.rows):
            position = rows.new_full((result.num_gts,), -1)
            end = start + len(rows)
            position[rows] = torch.arange(start, end, device=rows.device)
            found.append(position[gt_rows(result)])
            start = end
        return torch.cat(found)
