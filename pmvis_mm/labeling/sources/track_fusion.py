"""How the tracks of several keyframes become one."""

import zlib
from typing import Dict, List, NamedTuple, Optional, Sequence, Tuple, Union

import numpy as np

from ...structures import RLE, Box
from ..selection import box_fit, cross_scm


class SoftMask(NamedTuple):
    """A tracked mask with what it was made of.

    Attributes:
        mask (np.ndarray): bool, (H, W).
        prob (np.ndarray): float, (H, W), probability of the object, in
            [0, 1].
    """

    mask: np.ndarray
    prob: np.ndarray


Tracked = Union[np.ndarray, SoftMask]
"""A bool mask (H, W), which stands for probabilities 0 and 1, or both."""


def mask_of(tracked: Tracked) -> np.ndarray:
    """Take the bool mask, (H, W)."""
    return tracked.mask if isinstance(tracked, SoftMask) else tracked


def prob_of(tracked: Tracked) -> np.ndarray:
    """Take the probabilities, float32, (H, W)."""
    soft = tracked.prob if isinstance(tracked, SoftMask) else tracked
    return soft.astype(np.float32, copy=False)


def nearest_track(distances: Sequence[int]) -> int:
    """Choose the keyframe that is nearest in time; ties go to the first.

    Args:
        distances (Sequence[int]): Of the keyframes of N > 0 tracks, frames.

    Returns:
        int: Position of the track.
    """
    return int(np.argmin(distances))


def best_track(
    masks: Sequence[RLE],
    box: Box,
    reference: Optional[RLE],
    distances: Sequence[int],
) -> int:
    """Choose the mask that agrees most with what is known of the frame.

    The SCM with the reference decides, then how well the mask fits the box
    (which is all that counts without a reference), then nearness in time.

    Args:
        masks (Sequence[RLE]): N > 0 tracks in a frame.
        box (Sequence[float]): Annotated box, half-open xyxy, pixels.
        reference (RLE, optional): Mask of another source in the frame.
        distances (Sequence[int]): Of the N keyframes, frames.

    Returns:
        int: Position of the track; ties go to the first.
    """
    scm = cross_scm(masks, [reference], [box])[:, 0]
    fit = box_fit(masks, box)
    ranks = list(zip(scm, fit, -np.asarray(distances)))
    return max(range(len(masks)), key=lambda n: ranks[n])


class SoftCrop(NamedTuple):
    """A soft mask in a few kilobytes.

    Attributes:
        corner (tuple[int]): Top row and left column of the crop.
        size (tuple[int]): Height and width of the crop.
        data (bytes): Its probabilities in steps of 1/255, deflated.
    """

    corner: Tuple[int, int]
    size: Tuple[int, int]
    data: bytes


def pack(prob: np.ndarray) -> SoftCrop:
    """Keep the part of a soft mask that is not zero, to 1/510.

    Args:
        prob (np.ndarray): float, (H, W), in [0, 1].

    Returns:
        SoftCrop: Without what rounds to zero.
    """
    steps = np.rint(prob * 255).astype(np.uint8)
    rows = np.flatnonzero(steps.any(1))
    columns = np.flatnonzero(steps.any(0))
    if not len(rows):
        return SoftCrop((0, 0), (0, 0), b'')
    top, left = int(rows[0]), int(columns[0])
    crop = steps[top : rows[-1] + 1, left : columns[-1] + 1]
    data = zlib.compress(crop.tobytes(), 1)
    return SoftCrop((top, left), (crop.shape[0], crop.shape[1]), data)


def unpack(soft: SoftCrop, size: Tuple[int, int]) -> np.ndarray:
    """Restore a soft mask.

    Args:
        soft (SoftCrop): From :func:`pack`.
        size (tuple[int]): Height and width of the frame.

    Returns:
        np.ndarray: float32, (H, W), in [0, 1].
    """
    prob = np.zeros(size, np.float32)
    if soft.data:
        crop = np.frombuffer(zlib.decompress(soft.data), np.uint8)
        (top, left), (height, width) = soft.corner, soft.size
        place = prob[top : top + height, left : left + width]
        place[:] = crop.reshape(height, width) / np.float32(255)
    return prob


class MeanFusion:
    """Weighted mean of soft masks, gathered sweep by sweep.

    A track counts by 1 / (1 + its keyframe's distance in frames). Between
    sweeps each mean is kept as a deflated crop in steps of 1/255, so that a
    video of dense masks is never held; every sweep rounds by 1/510 at most.

    Args:
        size (tuple[int]): Height and width of the frames.
        exclusive (bool): Whether a pixel belongs to one object at most: the
            likeliest of the objects and the background, which gets what
            they leave of 1. Otherwise each object has all pixels above 0.5.
    """

    def __init__(self, size: Tuple[int, int], exclusive: bool) -> None:
        self.size = size
        self.exclusive = exclusive
        self._means: Dict[int, Dict[int, Tuple[float, SoftCrop]]] = {}

    def add(
        self,
        frame: int,
        instance: int,
        tracks: Sequence[Tuple[Tracked, int]],
    ) -> None:
        """Take in tracks of an instance in a frame.

        Args:
            frame (int): 0-based.
            instance (int): Position of the annotation.
            tracks (Sequence[tuple]): N > 0 masks, and how many frames their
                keyframes are away.
        """
        means = self._means.setdefault(frame, {})
        total = 0.0
        mean: np.ndarray = np.zeros(self.size, np.float32)
        if instance in means:
            total, kept = means[instance]
            mean = unpack(kept, self.size) * np.float32(total)
        for tracked, distance in tracks:
            weight = 1 / (1 + distance)
            mean += prob_of(tracked) * np.float32(weight)
            total += weight
        means[instance] = total, pack(mean / np.float32(total))

    def resolve(
        self, frame: int, given: Dict[int, np.ndarray]
    ) -> Dict[int, np.ndarray]:
        """Decide on a frame, and forget it.

        Args:
            frame (int): 0-based.
            given (dict[int, np.ndarray]): bool, (H, W), keyframe masks by
                instance. They compete with probability 1.

        Returns:
            dict[int, np.ndarray]: bool, (H, W), by instance, of those that
            were tracked into the frame and have no keyframe there.
        """
        means = self._means.pop(frame, {})
        means = {i: mean for i, mean in means.items() if i not in given}
        probs = {i: unpack(m, self.size) for i, (_, m) in means.items()}
        if not self.exclusive:
            return {i: prob > 0.5 for i, prob in probs.items()}
        competing = {**probs, **{i: prob_of(m) for i, m in given.items()}}
        order = sorted(competing)
        owner = _owners([competing[i] for i in order])
        return {i: owner == order.index(i) for i in probs}


def _owners(probs: List[np.ndarray]) -> np.ndarray:
    """Find the likeliest object of each pixel; -1 is the background."""
    if not probs:
        return np.zeros((0, 0), int)
    # One object at a time: a hundred of them need not be stacked.
    best, owner = probs[0].copy(), np.zeros(probs[0].shape, int)
    left = 1 - probs[0]
    for number, prob in enumerate(probs[1:], 1):
        left -= prob
        better = prob > best
        owner[better] = number
        best[better] = prob[better]
    owner[left >= best] = -1
    return owner
