"""A short video of one textured object whose masks are known."""

from dataclasses import dataclass
from typing import List, Tuple

import numpy as np

from ..structures import Box, BoxTrack, MaskTrack, VideoInfo
from ..structures.rle import encode

HEIGHT, WIDTH = 96, 128


@dataclass
class MovingShape:
    """The video.

    Attributes:
        info (VideoInfo): Video 1, frames of 96 x 128 pixels.
        images (list[np.ndarray]): T frames, uint8, (H, W, 3), BGR.
        masks (list[np.ndarray]): T masks, bool, (H, W): an L of 40 x 40
            pixels that moves two pixels to the right per frame.
        boxes (list[Box]): Their tight boxes, half-open xyxy, pixels.
    """

    info: VideoInfo
    images: List[np.ndarray]
    masks: List[np.ndarray]
    boxes: List[Box]

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, frame: int) -> np.ndarray:
        return self.images[frame].copy()

    def track(self, masks: List[np.ndarray], source: str) -> MaskTrack:
        """Make a track of masks, one per frame; empty ones are absent."""
        track = MaskTrack.empty_like(BoxTrack(7, 1, 1, list(self.boxes)))
        for frame, mask in enumerate(masks):
            track.set(frame, encode(mask), source)
        return track


def make_moving_shape(num_frames: int = 4, seed: int = 0) -> MovingShape:
    """Draw the video; the same arguments give the same pixels.

    Args:
        num_frames (int): T. Defaults to 4.
        seed (int): Of the textures. Defaults to 0.

    Returns:
        MovingShape: The video.
    """
    rng = np.random.default_rng(seed)
    ground = _texture(rng, (HEIGHT, WIDTH), (90, 110, 100))
    coat = _texture(rng, (40, 40), (60, 70, 190))
    shape = np.zeros((40, 40), bool)
    shape[:, :14] = shape[26:] = True
    result = MovingShape(
        VideoInfo(
            1, WIDTH, HEIGHT, tuple(f'v/{t}.png' for t in range(num_frames))
        ),
        [],
        [],
        [],
    )
    for frame in range(num_frames):
        top, left = 28, 30 + 2 * frame
        image, mask = ground.copy(), np.zeros((HEIGHT, WIDTH), bool)
        mask[top : top + 40, left : left + 40] = shape
        image[mask] = coat[shape]
        result.images.append(image)
        result.masks.append(mask)
        result.boxes.append((float(left), float(top), left + 40.0, top + 40.0))
    return result


def _texture(
    rng: np.random.Generator,
    size: Tuple[int, int],
    color: Tuple[int, int, int],
) -> np.ndarray:
    """Coarse and fine noise around a colour: uint8, (H, W, 3)."""
    coarse = rng.normal(0, 14, (size[0] // 4 + 1, size[1] // 4 + 1, 1))
    coarse = coarse.repeat(4, 0).repeat(4, 1)[: size[0], : size[1]]
    fine = rng.normal(0, 8, (*size, 1))
    return np.clip(np.array(color) + coarse + fine, 0, 255).astype(np.uint8)
