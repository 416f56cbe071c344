"""From predicted qualities to a choice, and to tracks worth a look."""

import math

import numpy as np

from ...structures import MaskTrack


def best_path(
    quality: np.ndarray, present: np.ndarray, switch_cost: float
) -> np.ndarray:
    """Find the sequence of sources with the highest total.

    Args:
        quality (np.ndarray): float, (S, T), predicted IoU.
        present (np.ndarray): bool, (S, T), what can be chosen.
        switch_cost (float): Subtracted for every change of the source
            between one frame with candidates and the next such frame.

    Returns:
        np.ndarray: int64, (T,), the source of each frame; -1 without
        candidates. Ties go to the last source, as in SHQM.
    """
    number, length = present.shape
    path = np.full(length, -1)
    frames = np.flatnonzero(present.any(0))
    if not len(frames):
        return path
    value = np.where(present, quality, -np.inf)[::-1]  # ties: the last wins
    total = value[:, frames[0]]
    back = []
    for frame in frames[1:]:
        stay = total[None] - switch_cost * (1 - np.eye(number))
        back.append(stay.argmax(1))
        total = stay.max(1) + value[:, frame]
    row = int(total.argmax())
    path[frames[-1]] = row
    for frame, origin in zip(frames[-2::-1], back[::-1]):
        row = int(origin[row])
        path[frame] = row
    path[frames] = number - 1 - path[frames]
    return path


def suspicion(track: MaskTrack) -> float:
    """Say how much a track deserves a look, without any real mask.

    With scores of :class:`QualitySelector` that is the share of the IoU
    which is thought to be missing; with those of SHQM, the disagreement.

    Args:
        track (MaskTrack): Selected masks with their scores.

    Returns:
        float: 1 - mean score of its masks; 1 for a track with boxes and no
        mask; NaN where no mask has a score, or nothing is annotated.
    """
    if not track.num_masks and any(box is not None for box in track.boxes):
        return 1.0
    scores = [score for score in track.scores if score is not None]
    return 1 - float(np.mean(scores)) if scores else math.nan
