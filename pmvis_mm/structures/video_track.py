"""Tracks that a model found in a video, and what is known of the video."""

from dataclasses import dataclass
from typing import Optional, Set, Tuple

import numpy as np

from .rle import RLE


@dataclass(frozen=True)
class StreamInfo:
    """What is known of a video before its frames are read.

    Attributes:
        name (str): Of the video: a stem that may become a file name.
        height (int): Of its frames, pixels.
        width (int): Of its frames, pixels.
        fps (float, optional): Mean frames per second; None where there is
            no clock (folders, arrays).
        length (int, optional): Number of frames if known. Containers may
            be wrong about it; cameras and generators do not tell.
        file_names (tuple[str], optional): Of the frames of a folder.
    """

    name: str
    height: int
    width: int
    fps: Optional[float] = None
    length: Optional[int] = None
    file_names: Optional[Tuple[str, ...]] = None


@dataclass
class VideoTrack:
    """One instance through a whole video, of a model or of a file.

    ``labels`` and ``scores`` are verdicts about the whole track, the best
    first: models that judge tracks (IDOL) give several classes to one track.

    Attributes:
        id (int): Of the instance, unique in the video.
        labels (tuple[int]): Class indices, L of them, at least one.
        scores (tuple[float]): In [0, 1], L of them, descending.
        start_frame (int): Masks of earlier frames do not count for the
            verdicts; ``frames`` begins here or later.
        frames (np.ndarray): int64, (n, ), 0-based and ascending: the frames
            where the instance has a mask, or at least a box.
        masks (tuple[RLE | None]): n compressed RLE, counts are ``str``.
            None where only the box is known: annotations, never a model.
        bboxes (np.ndarray): float32, (n, 4), half-open xyxy, pixels;
            float64 from files.
        frame_scores (np.ndarray): float32, (n, ); NaN where unknown.
        times (np.ndarray, optional): float64, (n, ), seconds; None where
            there is no clock.
        iscrowd (bool): Whether it stands for a group, or for a region that
            is not to be judged.
        sources (tuple[str | None], optional): n names of what made the
            masks; None as a whole where nobody tells.
        interpolated (set[int], optional): Frames whose box was not drawn
            but interpolated; None where nobody tells.
    """

    id: int
    labels: Tuple[int, ...]
    scores: Tuple[float, ...]
    start_frame: int
    frames: np.ndarray
    masks: Tuple[Optional[RLE], ...]
    bboxes: np.ndarray
    frame_scores: np.ndarray
    times: Optional[np.ndarray] = None
    iscrowd: bool = False
    sources: Optional[Tuple[Optional[str], ...]] = None
    interpolated: Optional[Set[int]] = None
