"""Clips with label maps, to train a mask propagator."""

from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from mmengine.dataset import BaseDataset
from mmengine.logging import print_log

from ..registry import DATASETS
from ..utils.errors import AnnotationError, ConfigError, FrameError
from .vos_folders import read_names
from .vos_sources import IGNORED, VOSSource, VOSVideo

# Reference frames that are looked at before a video is given up for once.
_TRIES = 5


@DATASETS.register_module()
class VOSClipDataset(BaseDataset):
    """Random clips of videos; every draw of an item gives another clip.

    The recipe of `DeAOT <https://arxiv.org/abs/2210.09782>`_. A clip starts
    with a reference frame that shows an object. The other frames follow at
    random gaps, forwards or backwards. In short videos gaps are smaller; at
    the end of a video time turns round, so that single images make clips,
    too.

    An item, before the pipeline, is a dict of lists over the T frames, as
    ``TransformBroadcaster`` takes them:

    - img (np.uint8, (H, W, 3), BGR)
    - img_shape, ori_shape (tuple[int], (h, w))
    - gt_seg_map (np.uint8, (H, W)): 0 background, 1 ... ``max_objects``
      objects of the reference frame, 255 not to be judged. Objects that
      come later, or are too many, are background.
    - video_id (int | str), frame_id (int)

    Frames and masks are decoded when a clip is drawn, nothing is kept.

    Args:
        source (dict): Config of a :class:`VOSSource`.
        clip_length (int): Frames T of a clip. Defaults to 5.
        max_gap (int): Largest distance of two frames of a clip, in
            annotated frames. The paper has 3 for YouTube-VOS, 12 for DAVIS.
            Defaults to 3.
        reverse_prob (float): Probability to go backwards. Defaults to 0.5.
        max_objects (int): Most objects of a clip; of more, some are chosen
            at random. Defaults to 10.
        min_pixels (int): Smaller objects of the reference frame are
            background. Defaults to 1.
        exclude (Sequence | str, optional): Ids or names of videos to leave
            out, or a file of them, see :func:`read_names`. PM-VIS trains
            without the videos that overlap YouTube-VIS: name its json.
            Defaults to None.
        repeat (int): Times that every video is listed. Defaults to 1.
        kwargs: Passed to ``BaseDataset``: ``pipeline``, ``lazy_init``,
            ``max_refetch``.

    Raises:
        ConfigError: If an argument is out of range, or ``exclude`` names
            none of the videos.
        AnnotationError: If no video with objects is left.
        PMVISError: As the source does.
    """

    def __init__(
        self,
        source: Dict[str, Any],
        clip_length: int = 5,
        max_gap: int = 3,
        reverse_prob: float = 0.5,
        max_objects: int = 10,
        min_pixels: int = 1,
        exclude: Union[Sequence[Union[int, str]], str, None] = None,
        repeat: int = 1,
        **kwargs: Any,
    ) -> None:
        _check_options(
            reverse_prob,
            clip_length=(clip_length, 2),
            max_gap=(max_gap, 1),
            max_objects=(max_objects, 1),
            min_pixels=(min_pixels, 1),
            repeat=(repeat, 1),
        )
        self.source_cfg = source
        self.clip_length = clip_length
        self.max_gap = max_gap
        self.reverse_prob = reverse_prob
        self.max_objects = max_objects
        self.min_pixels = min_pixels
        self.exclude = exclude
        self.repeat = repeat
        super().__init__(serialize_data=False, **kwargs)

    # ------------------------------------------------------------ loading
    def load_data_list(self) -> List[dict]:
        """Open the source and list its videos.

        Returns:
            list[dict]: ``video``, index into the videos of the source.
        """
        self.source: VOSSource = DATASETS.build(self.source_cfg)
        excluded = self._excluded()
        kept = [
            index
            for index, video in enumerate(self.source.videos)
            if video.candidates and index not in excluded
        ]
        if not kept:
            raise AnnotationError(
                f'no video with objects is left of {len(self.source.videos)}; '
                f'{len(excluded)} are excluded',
                file=self.source.file,
                fix='shorten the list in exclude, or name a file with masks',
            )
        print_log(
            f'{len(kept)} of {len(self.source.videos)} videos of '
            f'{self.source.file} make clips; {len(excluded)} are excluded, '
            f'{len(self.source.videos) - len(kept) - len(excluded)} have no '
            'object',
            'current',
        )
        return [dict(video=index) for index in kept] * self.repeat

    def _excluded(self) -> Dict[int, VOSVideo]:
        if self.exclude is None:
            return {}
        file = self.exclude if isinstance(self.exclude, str) else None
        names = read_names(file) if file is not None else self.exclude
        wanted = {str(name) for name in names}
        found = {
            index: video
            for index, video in enumerate(self.source.videos)
            if wanted & {str(video.id), video.name}
        }
        if wanted and not found:
            raise ConfigError(
                f'none of the {len(wanted)} names in exclude, such as '
                f'{sorted(wanted)[:3]}, is a video of {self.source.file}, '
                f'such as {[v.name for v in self.source.videos[:3]]}',
                file=file,
                fix='use names of video folders or ids, or exclude=None',
            )
        return found

    # ----------------------------------------------------------- sampling
    def __getitem__(self, idx: int) -> dict:
        """Draw a clip of a video and run the pipeline.

        Args:
            idx (int): Index of the video.

        Returns:
            dict: What the pipeline makes of it.

        Raises:
            AnnotationError: If no clip with an object can be found.
        """
        if not self._fully_initialized:
            self.full_init()
        for _ in range(self.max_refetch + 1):
            data = self.prepare_data(idx)
            if data is not None:
                return data
            idx = self._rand_another()
        raise AnnotationError(
            f'{self.max_refetch + 1} clips in turn show no object in their '
            'reference frame',
            file=self.source.file,
            fix='check the masks, and the crop and scale of the pipeline',
        )

    def prepare_data(self, idx: int) -> Optional[dict]:
        """Draw a clip of a video and run the pipeline.

        Args:
            idx (int): Index of the video.

        Returns:
            dict, optional: None if no object is found.
        """
        clip = self.sample_clip(self.data_list[idx]['video'])
        return None if clip is None else self.pipeline(clip)

    def sample_clip(self, index: int) -> Optional[dict]:
        """Draw a clip.

        Args:
            index (int): Of the video in ``source.videos``.

        Returns:
            dict, optional: Lists over the frames, see the class. None if no
            object is found in a few reference frames.

        Raises:
            FrameError: If a file is missing or broken, or frame and label
                image differ in size.
            AnnotationError: If a mask is malformed.
        """
        video = self.source.videos[index]
        for _ in range(_TRIES):
            frames = self._sample_frames(video)
            numbers = self._choose(self.source.read_labels(index, frames[0]))
            if len(numbers):
                return self._load(index, frames, numbers)
        return None

    def _sample_frames(self, video: VOSVideo) -> List[int]:
        """Draw the frames of a clip, the reference first."""
        steps = self.clip_length - 1
        # Gaps that short videos have room for.
        most = min(self.max_gap, max(1, (video.length - 1) // steps))
        gaps = np.random.randint(1, most + 1, steps)
        offsets = np.concatenate([[0], np.cumsum(gaps)])
        sign = -1 if np.random.rand() < self.reverse_prob else 1
        candidates = np.array(video.candidates)
        ends = candidates + sign * offsets[-1]
        fitting = candidates[(ends >= 0) & (ends < video.length)]
        start = np.random.choice(fitting if len(fitting) else candidates)
        return _turn_round(start + sign * offsets, video.length)

    def _choose(self, labels: np.ndarray) -> np.ndarray:
        """Choose objects of a reference frame, in random order if many."""
        numbers, areas = np.unique(labels, return_counts=True)
        numbers = numbers[(areas >= self.min_pixels) & (numbers > 0)]
        if len(numbers) > self.max_objects:
            numbers = np.random.choice(
                numbers, self.max_objects, replace=False
            )
        return numbers

    def _load(
        self, index: int, frames: Sequence[int], numbers: np.ndarray
    ) -> dict:
        video = self.source.videos[index]
        loaded: Dict[int, Tuple[np.ndarray, np.ndarray]] = {}
        for t in set(frames):
            image = self.source.read_frame(index, t)
            labels = self.source.read_labels(index, t)
            if labels.shape != image.shape[:2]:
                file = self.source.label_file(index, t)
                raise _size_error(image, labels, file, video, t)
            loaded[t] = image, _renumber(labels, numbers)
        pairs = [loaded[t] for t in frames]
        shapes = [image.shape[:2] for image, _ in pairs]
        return dict(
            img=[image for image, _ in pairs],
            gt_seg_map=[labels for _, labels in pairs],
            img_shape=shapes,
            ori_shape=list(shapes),
            video_id=[video.id] * len(frames),
            frame_id=list(frames),
        )


def _check_options(reverse_prob: float, **least: Tuple[int, int]) -> None:
    """Check options: a probability, and numbers with their least values."""
    for name, (value, smallest) in least.items():
        if value < smallest:
            raise ConfigError(
                f'{name}={value} is too small', fix=f'use {smallest} or more'
            )
    if not 0 <= reverse_prob <= 1:
        raise ConfigError(
            f'reverse_prob={reverse_prob} is no probability',
            fix='use 0 ... 1',
        )
    if least['max_objects'][0] > 254:
        raise ConfigError(
            f'max_objects={least["max_objects"][0]} does not fit into 8 bits',
            fix='use 254 or less; DeAOT has 10',
        )


def _turn_round(positions: np.ndarray, length: int) -> List[int]:
    """Fold positions into 0 ... length - 1, as a ball bounces."""
    if length == 1:
        return [0] * len(positions)
    folded = np.abs(positions) % (2 * (length - 1))
    return np.minimum(folded, 2 * (length - 1) - folded).tolist()


def _renumber(labels: np.ndarray, numbers: np.ndarray) -> np.ndarray:
    """Give the chosen objects the labels 1, 2, ...; others are background."""
    result = np.zeros(labels.shape, np.uint8)
    for label, number in enumerate(numbers, 1):
        result[labels == number] = label
    result[labels == IGNORED] = 255
    return result


def _size_error(
    image: np.ndarray, labels: np.ndarray, file: str, video: VOSVideo, t: int
) -> FrameError:
    return FrameError(
        f'frame is {image.shape[1]}x{image.shape[0]} pixels but its labels '
        f'are {labels.shape[1]}x{labels.shape[0]}',
        file=file,
        video=video.name,
        frame=t,
        fix='use frames and masks of one resolution',
    )
