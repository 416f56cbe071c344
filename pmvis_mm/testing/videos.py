"""Small video files for tests."""

from pathlib import Path
from typing import Any, List, Sequence, Tuple, Union

import cv2
import numpy as np


def moving_frames(
    length: int, size: Tuple[int, int] = (64, 96), seed: int = 0
) -> List[np.ndarray]:
    """Make frames of a smooth texture that moves to the right.

    Args:
        length (int): Number of frames.
        size (tuple[int]): Height and width, pixels.
        seed (int): Of the texture.

    Returns:
        list[np.ndarray]: uint8, (H, W, 3), BGR.
    """
    rng = np.random.default_rng(seed)
    coarse = rng.integers(0, 256, (6, 9, 3), dtype=np.uint8)
    texture = cv2.resize(coarse, size[::-1], interpolation=cv2.INTER_CUBIC)
    return [np.roll(texture, 2 * t, axis=1) for t in range(length)]


def write_mp4(
    path: Union[str, Path],
    frames: Sequence[np.ndarray],
    fps: float = 25.0,
    codec: str = 'mp4v',
) -> str:
    """Write a video file.

    Args:
        path (str | Path): Target; its suffix chooses the container.
        frames (Sequence[np.ndarray]): uint8, (H, W, 3), BGR.
        fps (float): Frames per second.
        codec (str): Four characters.

    Returns:
        str: The path.
    """
    height, width = frames[0].shape[:2]
    writer = cv2.VideoWriter(
        str(path), cv2.VideoWriter_fourcc(*codec), fps, (width, height)
    )
    assert writer.isOpened()
    for frame in frames:
        writer.write(frame)
    writer.release()
    return str(path)


def count_frames(path: Union[str, Path]) -> int:
    """Count the frames of a video file by decoding them."""
    capture = cv2.VideoCapture(str(path))
    count = 0
    while capture.grab():
        count += 1
    return count


def plain_prediction(prediction: Any) -> Tuple[List[tuple], List[tuple]]:
    """Turn a ``VideoPrediction`` into lists that compare with ``==``.

    Returns:
        tuple: Of every frame its number, ids, scores and masks; of every
        track its id, labels, scores, first frame, frames and masks.
    """
    frames = [
        (t, f.instances_id.tolist(), f.scores.tolist(), f.masks)
        for t, f in prediction.frames()
    ]
    tracks = [
        (t.id, t.labels, t.scores, t.start_frame, t.frames.tolist(), t.masks)
        for t in prediction.tracks
    ]
    return frames, tracks
