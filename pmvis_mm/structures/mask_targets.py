"""What the mask losses of one training step may read."""

from dataclasses import dataclass, replace
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import torch
from torch import Tensor

from ..utils.errors import PMVISError
from .temporal_matches import RowPairs

# Fields with one row per clip.
_PER_CLIP = ('similarity', 'lab', 'images')


@dataclass
class MaskTargets:
    """Targets of all mask losses, one row per ground-truth instance.

    Built once per step, then shared: every decoder layer calls
    :meth:`gather` with its own assignment. As all fields are gathered
    together, no loss can read another row than its neighbours do.

    Colour similarity belongs to the frames of a clip, not to an instance.
    Rows refer to it through ``clip_index``; it is never copied per row.

    Attributes:
        box_masks (Tensor): float, (num_rows, T, h, w), in [0, 1]. Filled
            boxes at mask stride; all zero in frames without the instance.
        clip_index (Tensor, optional): int64, (num_rows, ). Clip of each
            row. Defaults to clip 0 for all.
        similarity (Tensor, optional): float, (num_clips, T, K, h, w), in
            [0, 1]. Similarity of each pixel to its K neighbours, see
            ``pmvis_mm.models.utils.pairwise_similarity``. Defaults to None.
        similarity_dilation (int): Distance to those neighbours, in pixels
            at mask stride. Defaults to 2.
        masks (Tensor, optional): float, (num_rows, T, h, w), in [0, 1].
            Pseudo or real masks at mask stride. None under box supervision.
        masks_valid (Tensor, optional): bool, (num_rows, T). Where False,
            there is no mask and a mask loss skips this row and frame;
            box losses do not. Defaults to all True if there are ``masks``.
        lab (Tensor, optional): float32, (num_clips, T, 3, h, w), CIE-Lab of
            the raw frames at mask stride. Defaults to None.
        images (Tensor, optional): uint8, (num_clips, T, 3, H, W), raw RGB
            frames, padded with black. Defaults to None.
        pairs (RowPairs, optional): Pixels of different frames that match,
            one row per row; ``TKLoss.prepare`` finds them. Defaults to
            None.

    Raises:
        PMVISError: If the shapes do not fit together.
    """

    box_masks: Tensor
    clip_index: Optional[Tensor] = None
    similarity: Optional[Tensor] = None
    similarity_dilation: int = 2
    masks: Optional[Tensor] = None
    masks_valid: Optional[Tensor] = None
    lab: Optional[Tensor] = None
    images: Optional[Tensor] = None
    pairs: Optional[RowPairs] = None

    def __post_init__(self) -> None:
        if self.box_masks.dim() != 4:
            raise PMVISError(
                'box_masks must be (num_rows, T, h, w), got shape '
                f'{tuple(self.box_masks.shape)}',
                fix='add the frame axis, also for single frames (T = 1)',
            )
        if self.clip_index is None:
            self.clip_index = self.box_masks.new_zeros(
                len(self), dtype=torch.long
            )
        if self.masks is not None and self.masks_valid is None:
            self.masks_valid = self.masks.new_ones(
                self.masks.shape[:2], dtype=torch.bool
            )
        if self.masks is None and self.masks_valid is not None:
            raise PMVISError(
                'masks_valid is given without masks',
                fix='pass both or neither',
            )
        self._check_shapes()

    def _check_shapes(self) -> None:
        """Refuse fields that do not belong to the same rows and frames."""
        rows, frames, height, width = self.box_masks.shape
        expected: Dict[str, Tuple[int, ...]] = dict(
            clip_index=(rows,),
            masks=(rows, frames, height, width),
            masks_valid=(rows, frames),
        )
        for name in _PER_CLIP:
            value = getattr(self, name)
            if value is not None:
                # What box masks do not tell is free.
                free = tuple(value.shape)
                middle = free[2:3] if name == 'similarity' else (3,)
                size = free[3:5] if name == 'images' else (height, width)
                expected[name] = (*free[:1], frames, *middle, *size)
        if self.pairs is not None and len(self.pairs) != rows:
            raise PMVISError(
                f'pairs of {len(self.pairs)} rows for {rows} box masks',
                fix='take rows with gather, which takes all fields together',
            )
        for name, shape in expected.items():
            value = getattr(self, name)
            if value is not None and tuple(value.shape) != shape:
                raise PMVISError(
                    f'{name} has shape {tuple(value.shape)} but box_masks of '
                    f'shape {tuple(self.box_masks.shape)} ask for '
                    f'{shape}',
                    fix='build all targets at the same mask stride, for the '
                    'same instances and frames',
                )

    def __len__(self) -> int:
        return self.box_masks.size(0)

    def gather(
        self, gt_index: Union[Tensor, Sequence[Tensor]]
    ) -> 'MaskTargets':
        """Take the rows that are matched to predictions.

        Args:
            gt_index (Tensor | list[Tensor]): int64, (num_pos, ), indices
                of rows, repeats allowed; or bool, (num_rows, ), rows to
                keep; or one of either per clip, counting from that clip's
                first row, as assigners return them. The last form needs
                rows that are sorted by clip, as :meth:`cat` makes them.

        Returns:
            MaskTargets: One row per index, in their order, clip by clip.
            What belongs to clips is shared, not copied.

        Raises:
            PMVISError: If an index is outside of its clip (or negative, as
                the background index of assigners is), or if rows are not
                sorted where they must be.
        """
        assert self.clip_index is not None
        if isinstance(gt_index, Tensor):
            index = _to_indices(gt_index, len(self), 'the targets')
        else:
            index = self._flatten(gt_index)
        index = index.to(self.box_masks.device)
        return replace(
            self,
            box_masks=self.box_masks[index],
            clip_index=self.clip_index[index],
            masks=_take(self.masks, index),
            masks_valid=_take(self.masks_valid, index),
            pairs=None if self.pairs is None else self.pairs.take(index),
        )

    def _flatten(self, per_clip: Sequence[Tensor]) -> Tensor:
        """Turn indices within clips into indices of rows."""
        assert self.clip_index is not None
        counts = torch.bincount(self.clip_index, minlength=len(per_clip))
        if counts.numel() > len(per_clip):
            raise PMVISError(
                f'{len(per_clip)} index tensors for {counts.numel()} clips',
                fix='pass one per clip, empty where nothing is matched',
            )
        if bool((self.clip_index.diff() < 0).any()):
            raise PMVISError(
                'rows are not sorted by clip, indices per clip are ambiguous',
                fix='gather per clip from the result of MaskTargets.cat',
            )
        start = 0
        flat: List[Tensor] = []
        for clip, count in enumerate(counts.tolist()):
            index = _to_indices(per_clip[clip], count, f'clip {clip}')
            flat.append(index.to(self.box_masks.device) + start)
            start += count
        return torch.cat(flat) if flat else self.clip_index[:0]

    @classmethod
    def cat(cls, clips: Sequence['MaskTargets']) -> 'MaskTargets':
        """Join the targets of the clips of a batch.

        Args:
            clips (list[MaskTargets]): One element per clip, without rows
                for a clip without instances. Clips without ``masks`` among
                others with masks get invalid ones.

        Returns:
            MaskTargets: Rows clip by clip, ``clip_index`` set.

        Raises:
            PMVISError: If the list is empty, if the clips differ in size,
                frames or in having a similarity, colours or images, or if
                pairs were already found in them.
        """
        _check_clips(clips)
        first = clips[0]
        sizes = torch.tensor([len(c) for c in clips])
        per_clip: Dict[str, Any] = {
            name: torch.cat([getattr(c, name) for c in clips])
            for name in _PER_CLIP
            if getattr(first, name) is not None
        }
        masks = valid = None
        if any(c.masks is not None for c in clips):
            filled = [
                c if c.masks is not None else _unmasked(c) for c in clips
            ]
            masks = torch.cat([_not_none(c.masks) for c in filled])
            valid = torch.cat([_not_none(c.masks_valid) for c in filled])
        return cls(
            torch.cat([c.box_masks for c in clips]),
            torch.arange(len(clips))
            .repeat_interleave(sizes)
            .to(first.box_masks.device),
            similarity_dilation=first.similarity_dilation,
            masks=masks,
            masks_valid=valid,
            **per_clip,
        )


def _to_indices(index: Tensor, num_rows: int, where: str) -> Tensor:
    """Check indices; the one transfer from the GPU is worth it.

    A wrong index would silently supervise with another instance.
    """
    if index.dtype == torch.bool:
        if tuple(index.shape) != (num_rows,):
            raise PMVISError(
                f'{tuple(index.shape)} flags for the {num_rows} rows of '
                f'{where}',
                fix='pass one flag per row',
            )
        return index.nonzero().flatten()
    if index.numel():
        low, high = torch.stack([index.min(), index.max()]).tolist()
        if low < 0 or high >= num_rows:
            raise PMVISError(
                f'gt index {low if low < 0 else high} is outside of the '
                f'{num_rows} rows of {where}',
                fix='build targets and assignment from the same, already '
                'filtered instances, and gather positives only',
            )
    return index.long()


def _check_clips(clips: Sequence[MaskTargets]) -> None:
    """Refuse clips that cannot be joined."""
    if not clips:
        raise PMVISError(
            'no clips to join', fix='pass one MaskTargets per clip'
        )
    first = clips[0]
    for position, clip in enumerate(clips):
        values = [getattr(clip, name) for name in _PER_CLIP]
        for value in values:
            if value is not None and value.size(0) != 1:
                raise PMVISError(
                    f'element {position} holds {value.size(0)} clips',
                    fix='pass one MaskTargets per clip',
                )
        if clip.pairs is not None:
            raise PMVISError(
                f'clip {position} has pairs across frames already',
                fix='join the clips first, then let the losses prepare',
            )
        same = (
            clip.box_masks.shape[1:] == first.box_masks.shape[1:]
            and [value is None for value in values]
            == [getattr(first, name) is None for name in _PER_CLIP]
            and clip.similarity_dilation == first.similarity_dilation
        )
        if not same:
            raise PMVISError(
                f'clip {position} differs from clip 0 in its frames, mask '
                'size, colour similarity, colours or images',
                fix='pad all clips of the batch to one size and build their '
                'targets with the same options',
            )


def _unmasked(clip: MaskTargets) -> MaskTargets:
    """Add masks that are all invalid."""
    return replace(
        clip,
        masks=torch.zeros_like(clip.box_masks),
        masks_valid=clip.box_masks.new_zeros(
            clip.box_masks.shape[:2], dtype=torch.bool
        ),
    )


def _take(value: Optional[Tensor], index: Tensor) -> Optional[Tensor]:
    """Index a field that may be missing."""
    return None if value is None else value[index]


def _not_none(value: Optional[Tensor]) -> Tensor:
    """Tell the type checker what was checked before."""
    assert value is not None
    return value
