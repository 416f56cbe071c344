"""Linking the instances of clips that overlap."""

from typing import Any, Dict, List, Mapping, Tuple

import numpy as np
import torch
from mmengine.structures import InstanceData
from scipy.optimize import linear_sum_assignment

from ...structures.rle import areas, mask_iou
from ...utils.errors import ConfigError

# How much a common label counts beside IoU: it decides between masks that
# agree equally well, as where one query stands for several classes.
_LABEL_BONUS = 0.1


class ClipLinker:
    """Gives instances ids that hold over clips.

    Clips share frames. Instances of the new clip are matched one to one
    with those of the old one (Hungarian method) by the mean IoU of their
    masks over the shared frames in which at least one of them is visible,
    plus 0.1 for the same label; pairs of a mean IoU below ``iou_thr`` are
    no pairs. An instance without a partner gets a new id. Only the
    predictions of the shared frames are kept.

    Args:
        overlap (int): Number of frames that clips share; 0 leaves ids as
            they are.
        iou_thr (float): In [0, 1]. Defaults to 0.3.

    Raises:
        ConfigError: If the threshold is out of range.
    """

    def __init__(self, overlap: int, iou_thr: float = 0.3) -> None:
        if not 0 <= iou_thr <= 1:
            raise ConfigError(
                f'link_thr={iou_thr!r} is out of range', fix='use 0 to 1'
            )
        self.overlap = overlap
        self.iou_thr = iou_thr
        self._kept: List[InstanceData] = []
        self._next_id = 0

    @property
    def num_kept(self) -> int:
        """int: Number of frames that the next clip has to begin with."""
        return len(self._kept)

    def link(
        self, frames: List[InstanceData], start: int = 0
    ) -> List[InstanceData]:
        """Give the instances of the next clip their ids.

        Args:
            frames (list[InstanceData]): Of the clip, the first
                ``num_kept`` of them predicted before; with
                ``instances_id``, unique within a frame, ``labels`` and
                ``masks`` (RLE).
            start (int): Index of the first of them, for the messages.

        Returns:
            list[InstanceData]: The same with new ``instances_id``.

        Raises:
            ConfigError: If there are no ids.
        """
        if not self.overlap:
            return frames
        for frame, found in enumerate(frames, start):
            if 'instances_id' not in found:
                raise ConfigError(
                    'the model gives no "instances_id"',
                    frame=frame,
                    fix='give a model that links instances over time',
                )
        names = self._match(frames[: len(self._kept)])
        for found in frames:
            for own in found.instances_id.tolist():
                if own not in names:
                    names[own] = self._next_id
                    self._next_id += 1
            ids = [names[own] for own in found.instances_id.tolist()]
            found.instances_id = torch.tensor(ids, dtype=torch.long)
        self._kept = frames[-self.overlap :]
        return frames

    def _match(self, frames: List[InstanceData]) -> Dict[int, int]:
        """Find the ids that instances of the new clip had in the old one."""
        pairs = list(zip(self._kept, frames))
        old_labels = _labels_of(self._kept)
        new_labels = _labels_of(frames)
        if not old_labels or not new_labels:
            return {}
        old, new = list(old_labels), list(new_labels)
        total = np.zeros((len(old), len(new)))
        seen = np.zeros_like(total)
        for before, now in pairs:
            rows, own_rows = _rows(before, old)
            columns, own_columns = _rows(now, new)
            old_masks = [before.masks[i] for i in own_rows]
            new_masks = [now.masks[i] for i in own_columns]
            total[np.ix_(rows, columns)] += mask_iou(old_masks, new_masks)
            visible = np.zeros((len(old), len(new)), bool)
            visible[np.array(rows, int)[areas(old_masks) > 0]] = True
            visible[:, np.array(columns, int)[areas(new_masks) > 0]] = True
            seen += visible
        overlap = total / np.maximum(seen, 1)
        same = np.equal.outer(
            [old_labels[key] for key in old], [new_labels[key] for key in new]
        )
        allowed = (overlap >= self.iou_thr) & (seen > 0)
        value = np.where(allowed, overlap + _LABEL_BONUS * same, 0)
        return {
            new[column]: old[row]
            for row, column in zip(*linear_sum_assignment(-value))
            if allowed[row, column]
        }

    def state_dict(self) -> Dict[str, Any]:
        """Tell what another linker must know to go on.

        Returns:
            dict: Numbers, strings, lists and tensors.
        """
        kept = [
            (
                found.instances_id.tolist(),
                found.labels.tolist(),
                [(*mask['size'], mask['counts']) for mask in found.masks],
            )
            for found in self._kept
        ]
        return dict(next_id=self._next_id, kept=kept)

    def load_state_dict(self, state: Mapping[str, Any]) -> None:
        """Go on where another linker has stopped.

        Args:
            state (Mapping): From :meth:`state_dict`.
        """
        self._next_id = state['next_id']
        self._kept = [
            InstanceData(
                instances_id=torch.tensor(ids, dtype=torch.long),
                labels=torch.tensor(labels, dtype=torch.long),
                masks=[dict(size=[h, w], counts=c) for h, w, c in masks],
            )
            for ids, labels, masks in state['kept']
        ]


def _labels_of(frames: List[InstanceData]) -> Dict[int, int]:
    """Label of every instance where it is seen first, by id."""
    labels: Dict[int, int] = {}
    for found in frames:
        for key, label in zip(
            found.instances_id.tolist(), found.labels.tolist()
        ):
            labels.setdefault(key, label)
    return labels


def _rows(
    found: InstanceData, order: List[int]
) -> Tuple[List[int], List[int]]:
    """Places of a frame's instances in an order of ids, and in the frame."""
    ids = found.instances_id.tolist()
    return [order.index(key) for key in ids], list(range(len(ids)))
