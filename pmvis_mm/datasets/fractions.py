"""Parts of a training set: fewer frames per video, fewer videos."""

from typing import List

import numpy as np

from ..utils.errors import ConfigError


def check_fraction(name: str, value: float, test_mode: bool) -> None:
    """Check a share of the data.

    Args:
        name (str): Name of the argument, for the message.
        value (float): The share.
        test_mode (bool): Whether the data are tested on.

    Raises:
        ConfigError: If it is not in (0, 1], or not 1 in test mode.
    """
    is_number = isinstance(value, (int, float))
    if not is_number or isinstance(value, bool) or not 0 < value <= 1:
        raise ConfigError(
            f'{name}={value!r} is no share of the data',
            fix='use a number above 0 and up to 1; 1 is all',
        )
    if test_mode and value != 1:
        raise ConfigError(
            f'{name}={value!r} in test mode would leave out results',
            fix='set it for the training data only',
        )


def spread_frames(video_length: int, fraction: float) -> List[int]:
    """Choose frames that are spread evenly over a video.

    The video is cut into as many equal parts as frames are wanted; the
    middle frame of each part is taken (figure 6 of
    `MaskFreeVIS <https://arxiv.org/abs/2303.15904>`_: a share of the frames
    of each video, at least one).

    Args:
        video_length (int): Number of frames, at least 1.
        fraction (float): Share of them, in (0, 1]; halves round up.

    Returns:
        list[int]: Indices from 0, ascending, at least one.
    """
    number = max(1, int(fraction * video_length + 0.5))
    return [(2 * i + 1) * video_length // (2 * number) for i in range(number)]


def choose_videos(num_videos: int, fraction: float, seed: int) -> List[int]:
    """Choose videos at random (figure 7 of MaskFreeVIS).

    With one seed, the videos of a smaller share are among those of a larger
    one.

    Args:
        num_videos (int): Number of videos.
        fraction (float): Share of them, in (0, 1]; halves round up.
        seed (int): Of the choice.

    Returns:
        list[int]: Indices from 0, ascending, at least one if there are any.
    """
    number = min(num_videos, max(1, int(fraction * num_videos + 0.5)))
    order = np.random.RandomState(seed).permutation(num_videos)
    return sorted(order[:number].tolist())
