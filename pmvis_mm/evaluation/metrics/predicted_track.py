"""Compact records of what a model predicts, and tracks made of them."""

from collections import Counter
from typing import Any, Dict, List, Optional, Tuple

import numpy as np
import torch
from mmengine.structures import BaseDataElement

from ...structures import RLE, VideoInfo
from ...structures.rle import areas, encode
from ...utils.errors import ConfigError


class PredictedTrack:
    """Predictions of one instance, collected over the frames.

    Attributes:
        masks (dict[int, RLE]): By frame; frames with an empty mask are left
            out. Of several in a frame, as MaskTrack R-CNN may give them,
            the last one counts, as in mmdet's metric.
    """

    def __init__(self) -> None:
        self.masks: Dict[int, RLE] = {}
        self._labels: List[int] = []
        self._scores: List[float] = []

    def add(
        self, frame: int, label: int, score: float, mask: Optional[RLE]
    ) -> None:
        """Add the prediction of a frame.

        Args:
            frame (int): 0-based.
            label (int): Of the class.
            score (float): In [0, 1].
            mask (RLE, optional): None where nothing is left of it.
        """
        self._labels.append(label)
        self._scores.append(score)
        if mask is not None:
            self.masks[frame] = mask

    def score(self, mode: str) -> float:
        """Judge the track.

        Args:
            mode (str): 'mean' or 'max' over the frames.

        Returns:
            float: Computed in float64.
        """
        return float(
            np.mean(self._scores) if mode == 'mean' else np.max(self._scores)
        )

    def label(self) -> int:
        """Choose the label of most frames; ties: the higher mean score."""
        counts = Counter(self._labels)

        def rank(label: int) -> Tuple[int, float, int]:
            scores = [
                s for s, k in zip(self._scores, self._labels) if k == label
            ]
            return counts[label], float(np.mean(scores)), -label

        return max(counts, key=rank)


def verdict(tracks: Any) -> List[tuple]:
    """Read what a model says of the tracks of a whole video.

    Args:
        tracks (InstanceData | dict): ``instances_id``, ``start_frames``,
            ``labels`` and ``scores`` of R rows.

    Returns:
        list[tuple]: The R rows, in that order.
    """
    if isinstance(tracks, BaseDataElement):
        tracks = tracks.to_dict()
    names = ('instances_id', 'start_frames', 'labels', 'scores')
    columns = [to_list(tracks[name]) for name in names]
    return list(zip(*columns))


def to_list(values: Any) -> list:
    """Turn a tensor, array or sequence into a plain list."""
    if isinstance(values, torch.Tensor):
        return values.detach().cpu().tolist()
    return np.asarray(values).tolist()


def to_rles(masks: Any, video: VideoInfo, frame: int) -> List[Optional[RLE]]:
    """Encode the masks of a frame.

    Args:
        masks (Tensor | np.ndarray | Sequence): bool, (N, H, W), or N RLE.
        video (VideoInfo): That the frame belongs to.
        frame (int): 0-based.

    Returns:
        list: Compressed RLE, counts are ``str``; None where a mask is empty.

    Raises:
        ConfigError: If masks have another size than the video.
    """
    if isinstance(masks, torch.Tensor):
        masks = masks.detach().cpu().numpy()
    rles: List[RLE] = []
    for mask in masks:
        rle = mask if isinstance(mask, dict) else encode(np.asarray(mask))
        if isinstance(rle['counts'], bytes):
            rle = dict(rle, counts=rle['counts'].decode('ascii'))
        if list(rle['size']) != [video.height, video.width]:
            raise ConfigError(
                f'predicted mask is {rle["size"]} but the frames are '
                f'{[video.height, video.width]} (height, width)',
                video=video.id,
                frame=frame,
                fix='let the model rescale its masks to "ori_shape"',
            )
        rles.append(rle)
    return [rle if size else None for rle, size in zip(rles, areas(rles))]
