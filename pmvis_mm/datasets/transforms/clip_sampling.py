"""Sampling the frames of a training clip."""

import copy
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from mmdet.datasets.transforms import BaseFrameSample

from ...registry import TRANSFORMS
from ...utils.errors import ConfigError


@TRANSFORMS.register_module()
class ClipFrameSample(BaseFrameSample):
    """Sample the frames of a tube around a key frame.

    The sampler of `MaskFreeVIS <https://arxiv.org/abs/2303.15904>`_ as its
    public code has it: one key frame, ``num_frames - 1`` others from its
    neighbourhood, all in random order. Other than mmdet's
    ``UniformRefFrameSample`` it draws with replacement (a tube may show a
    frame twice) and may shuffle.

    Where the neighbourhood holds no other frame (a video of one frame, or
    ``frame_range=0``), the key frame is repeated; this is how clips are made
    of images. Each frame of the clip is a copy of its own, also of a
    repeated one: transforms may change them in place.

    Required Keys:

    - images (list[dict]): The frames of a video.
    - video_id
    - video_length
    - key_frame_id (int, optional): Drawn uniformly if absent.

    Added Keys: lists over the frames of the clip of all that ``images``
    hold, and

    - video_id
    - video_length (int): ``num_frames``.
    - ori_video_length (int): Number of frames of the video.
    - key_frame_flags (list[bool]): True for the key frame.

    Args:
        num_frames (int): Frames of a clip. Defaults to 5.
        frame_range (int | Sequence[int]): Neighbourhood of the key frame:
            so many frames before and after it, or (first, last) relative to
            it, as (-5, 5). Defaults to 5.
        replace (bool): Whether a neighbour may be drawn more than once. If
            False, this happens only where there are too few. Defaults to
            True.
        shuffle (bool): Random order; False is the order of time. Defaults
            to True.
        collect_video_keys (Sequence[str]): What is copied from the video to
            each frame. Defaults to ('video_id', 'video_length').

    Raises:
        ConfigError: If a number is out of range.
    """

    def __init__(
        self,
        num_frames: int = 5,
        frame_range: Union[int, Sequence[int]] = 5,
        replace: bool = True,
        shuffle: bool = True,
        collect_video_keys: Sequence[str] = ('video_id', 'video_length'),
    ) -> None:
        super().__init__(collect_video_keys=list(collect_video_keys))
        if not isinstance(num_frames, int) or num_frames < 1:
            raise ConfigError(
                f'num_frames={num_frames!r} is no number of frames',
                fix='use 1 or more',
            )
        self.num_frames = num_frames
        self.frame_range = _parse_range(frame_range)
        self.replace = replace
        self.shuffle = shuffle

    def sampling_frames(
        self, video_length: int, key_frame_id: int
    ) -> Tuple[List[int], List[bool]]:
        """Draw the frames of a clip.

        Args:
            video_length (int): Number of frames of the video.
            key_frame_id (int): 0-based index of the key frame.

        Returns:
            tuple: Indices of the frames, list[int], and whether each is the
            key frame, list[bool], True once.
        """
        first = max(0, key_frame_id + self.frame_range[0])
        last = min(video_length - 1, key_frame_id + self.frame_range[1])
        pool = [t for t in range(first, last + 1) if t != key_frame_id]
        drawn = self._draw(pool or [key_frame_id], self.num_frames - 1)
        frames = sorted([key_frame_id, *drawn])
        if self.shuffle:
            order = np.random.permutation(len(frames))
            frames = [frames[i] for i in order]
        flags = [False] * len(frames)
        flags[frames.index(key_frame_id)] = True
        return frames, flags

    def _draw(self, pool: List[int], number: int) -> List[int]:
        if self.replace:
            return np.random.choice(pool, number).tolist()
        drawn: List[int] = []
        while len(drawn) < number:  # all neighbours once, then again
            drawn += np.random.permutation(pool).tolist()
        return drawn[:number]

    def prepare_data(
        self, video_infos: Dict[str, Any], sampled_inds: List[int]
    ) -> Dict[str, list]:
        """Collect the frames, each a copy of its own.

        Args:
            video_infos (dict): A video; left unchanged.
            sampled_inds (list[int]): Indices of its frames.

        Returns:
            dict: Lists over the frames.
        """
        images = [
            copy.deepcopy(video_infos['images'][t]) for t in sampled_inds
        ]
        return dict(
            super().prepare_data(
                dict(video_infos, images=images), list(range(len(images)))
            )
        )

    def transform(self, video_infos: Dict[str, Any]) -> Optional[dict]:
        """Sample a clip of a video.

        Args:
            video_infos (dict): A video.

        Returns:
            dict: Lists over the frames of the clip.

        Raises:
            ConfigError: If ``key_frame_id`` is no frame of the video.
        """
        length = len(video_infos['images'])
        key = video_infos.get('key_frame_id')
        if key is None:
            key = int(np.random.randint(length))
        if not 0 <= key < length:
            raise ConfigError(
                f'key_frame_id={key} of a video of {length} frames',
                video=video_infos.get('video_id'),
                fix='count frames from 0',
            )
        frames, flags = self.sampling_frames(length, key)
        results = self.prepare_data(video_infos, frames)
        results['key_frame_flags'] = flags
        return results

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(num_frames={self.num_frames}, '
            f'frame_range={self.frame_range}, replace={self.replace}, '
            f'shuffle={self.shuffle})'
        )


def _parse_range(value: Union[int, Sequence[int]]) -> Tuple[int, int]:
    """Read the first and the last neighbour, relative to the key frame."""
    pair = (-value, value) if isinstance(value, int) else tuple(value)
    if (
        len(pair) != 2
        or not all(isinstance(number, int) for number in pair)
        or not pair[0] <= 0 <= pair[1]
    ):
        raise ConfigError(
            f'frame_range={value!r} is no neighbourhood of a frame',
            fix='use a number of frames, 0 or more, or (first, last) '
            'relative to the key frame, for example (-5, 5)',
        )
    return pair[0], pair[1]
