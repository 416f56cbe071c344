"""What holds for all clips of a batch."""

from typing import Sequence

from ...utils.errors import ConfigError


def common_length(lengths: Sequence[int]) -> int:
    """Number of frames of every clip of a batch.

    Args:
        lengths (Sequence[int]): Frames of each clip, at least one clip.

    Returns:
        int: T.

    Raises:
        ConfigError: If clips differ in length.
    """
    if len(set(lengths)) != 1:
        raise ConfigError(
            f'clips of one batch have {list(lengths)} frames',
            fix='sample the same number of frames for all clips of a batch; '
            'draw every batch from one dataset if datasets differ',
        )
    return lengths[0]
