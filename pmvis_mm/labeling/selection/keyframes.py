"""Keyframes: where tracking starts (PM-VIS, section III-C3)."""

from typing import List, Optional, Sequence

import numpy as np

MODES = ('top', 'per_segment')


def num_keyframes(length: int, interval: Optional[int]) -> int:
    """Compute how many keyframes a video gets.

    Args:
        length (int): Frames of the *video* (not of the track).
        interval (int, optional): K, one keyframe for so many frames: 10 for
            YouTube-VIS, 100 for OVIS. None asks for a single keyframe.

    Returns:
        int: ``max(1, floor(length / interval))``.

    Raises:
        ValueError: If ``interval`` is not positive.
    """
    if interval is None:
        return 1
    if interval < 1:
        raise ValueError(f'interval should be at least 1, got {interval}')
    return max(1, length // interval)


def select_keyframes(
    scores: Sequence[float], number: int, mode: str = 'top'
) -> List[int]:
    """Choose the frames with the most trustworthy masks.

    Args:
        scores (Sequence[float]): SCM per frame of the video; 0 where there
            is no mask.
        number (int): How many to choose; fewer if fewer score above 0.
        mode (str): 'top' takes the highest scores of the video,
            'per_segment' the highest of each of ``number`` equal temporal
            segments (better spread). Ties go to the earlier frame. Defaults
            to 'top'.

    Returns:
        list[int]: 0-based frames in ascending order.

    Raises:
        ValueError: If ``mode`` is unknown.
    """
    if mode not in MODES:
        raise ValueError(f'mode should be one of {MODES}, got {mode!r}')
    values = np.asarray(scores, float)
    if mode == 'top':
        order = np.argsort(-values, kind='stable')[:number]
        return sorted(int(t) for t in order if values[t] > 0)
    chosen = []
    for segment in np.array_split(np.arange(len(values)), number):
        if len(segment) and values[segment].max() > 0:
            chosen.append(int(segment[values[segment].argmax()]))
    return chosen
