"""Label maps of a batch of clips, checked."""

from typing import Any, List, NamedTuple, Optional, Sequence

import torch
from mmengine.structures import BaseDataElement
from torch import Tensor

from ...utils.errors import FrameError, PMVISError

IGNORED = 255
_STRIDE = 16


class ClipLabels(NamedTuple):
    """What is known of the objects of B clips.

    Attributes:
        maps (Tensor): int64, (B, T, H, W): 0 background, 1 ... 10 objects
            of the first frame, 255 ignored.
        valid (Tensor): bool, (B, 11), background and the objects that a
            clip may have.
    """

    maps: Tensor
    valid: Tensor


def clip_labels(
    inputs: Tensor, samples: Optional[Sequence[BaseDataElement]], network: Any
) -> ClipLabels:
    """Gather the label maps of clips; objects that come later are dropped.

    An object that is not in the first frame cannot be tracked from there:
    its pixels are background.

    Args:
        inputs (Tensor): float, (B, T, 3, H, W).
        samples (Sequence[BaseDataElement], optional): B of them, see
            :class:`DeAOTSegmentor`.
        network (DeAOT): Knows how many objects and which sizes there are.

    Returns:
        ClipLabels: On the device of ``inputs``.

    Raises:
        FrameError: If a clip has fewer than two frames or sides that the
            network cannot take.
        PMVISError: If labels are missing, of another size or out of range.
    """
    _check_size(inputs, network.align_corners)
    if samples is None or len(samples) != len(inputs):
        raise PMVISError(
            f'{0 if samples is None else len(samples)} data samples for '
            f'{len(inputs)} clips',
            fix='give one sample with gt_label_maps for each clip',
        )
    wanted = (inputs.size(1), *inputs.shape[-2:])
    maps = torch.stack([_map_of(sample, wanted) for sample in samples])
    maps = maps.to(inputs.device).long()
    numbers = _numbers(maps, samples, network.max_objects)
    places = torch.arange(network.max_objects + 1, device=maps.device)
    valid = places <= torch.tensor(numbers, device=maps.device)[:, None]
    return ClipLabels(_from_first(maps, places), valid)


def _from_first(maps: Tensor, places: Tensor) -> Tensor:
    """Turn what is not in the first frame into background."""
    first = maps[:, 0].flatten(1)
    there = torch.stack([torch.isin(places, own) for own in first])
    there[:, 0] = True
    known = maps != IGNORED
    index = maps.masked_fill(~known, 0).flatten(1)
    keeps = there.gather(1, index).view_as(maps)
    return maps.masked_fill(~keeps, 0)


def _map_of(sample: BaseDataElement, wanted: Sequence[int]) -> Tensor:
    field = sample.get('gt_label_maps')
    if field is None:
        raise PMVISError(
            'a clip has no gt_label_maps',
            video=sample.get('video_id'),
            fix='let the pipeline load and pack label maps',
        )
    data: Tensor = field.data
    if tuple(data.shape) != tuple(wanted):
        raise PMVISError(
            f'label maps of shape {tuple(data.shape)} for frames of '
            f'{tuple(wanted)} (frames, height, width)',
            video=sample.get('video_id'),
            fix='crop frames and label maps alike',
        )
    return data


def _numbers(
    maps: Tensor, samples: Sequence[BaseDataElement], limit: int
) -> List[int]:
    """Count the objects of each clip, and refuse what cannot be."""
    objects = maps.masked_fill(maps == IGNORED, 0).flatten(2)
    # One transfer for all clips.
    extremes = torch.stack((objects.amin(2), objects.amax(2)), -1).tolist()
    numbers = []
    for sample, per_frame in zip(samples, extremes):
        given = sample.get('num_objects')
        largest = max(high for _, high in per_frame)
        number = largest if given is None else int(given)
        if number > limit:
            raise PMVISError(
                f'a clip of {number} objects',
                video=sample.get('video_id'),
                fix=f'let a transform choose at most {limit} of them',
            )
        for frame, (low, high) in enumerate(per_frame):
            if low < 0 or high > number:
                raise PMVISError(
                    f'labels {low} to {high} in a clip of {number} objects',
                    video=sample.get('video_id'),
                    frame=_frame_id(sample, frame),
                    fix='use 0 for background, 1 ... n for the objects of a '
                    f'clip and {IGNORED} for pixels to ignore',
                )
        numbers.append(number)
    return numbers


def _frame_id(sample: BaseDataElement, frame: int) -> Any:
    ids = sample.get('frame_ids')
    return frame if ids is None else ids[frame]


def _check_size(inputs: Tensor, align_corners: bool) -> None:
    if inputs.ndim != 5 or inputs.size(1) < 2:
        raise FrameError(
            f'clips of shape {tuple(inputs.shape)}',
            fix='give (clips, frames, 3, height, width) with at least 2 '
            'frames, the first of which is the reference',
        )
    extra = 1 if align_corners else 0
    height, width = inputs.shape[-2:]
    if height % _STRIDE != extra or width % _STRIDE != extra:
        kind = '16k + 1' if align_corners else '16k'
        raise FrameError(
            f'frames of {height} x {width} pixels (height, width)',
            fix=f'crop to sides of {kind} pixels, such as {464 + extra}',
        )
