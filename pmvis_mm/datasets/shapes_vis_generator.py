"""Draws the videos of ShapesVIS."""

from dataclasses import dataclass
from typing import List, NamedTuple, Optional, Sequence, Tuple

import numpy as np

from ..structures.video_annotations import Box
from ..utils.errors import ConfigError
from .shapes_vis_noise import uniform, wave
from .shapes_vis_scene import (
    CATEGORIES,
    Background,
    MovingShape,
    Patch,
    draw_shape,
)

# Fewer visible pixels than this are no object.
MIN_PIXELS = 12
# Videos whose categories are drawn together, so that they are balanced.
_BLOCK = 4
_ATTEMPTS = 20


@dataclass
class ShapeTrack:
    """One object of a video.

    Attributes:
        category (int): Index into ``CATEGORIES``.
        masks (np.ndarray): bool, (T, H, W), the visible part; all False in
            a frame where fewer than 12 pixels are visible.
        boxes (list): Per frame the tight half-open xyxy box of the mask in
            pixels, or None.
        full_areas (np.ndarray): int64, (T,), pixels within the frame if
            nothing stood in front.
    """

    category: int
    masks: np.ndarray
    boxes: List[Optional[Box]]
    full_areas: np.ndarray


class ShapesVideo(NamedTuple):
    """A video and its objects, the nearest last."""

    frames: np.ndarray
    tracks: List[ShapeTrack]


class ShapesVISGenerator:
    """Draws synthetic videos; the same arguments give the same pixels.

    Args:
        num_frames (int): Frames of every video. Defaults to 16.
        size (tuple[int, int]): Height and width of a frame, pixels, at
            least 32. Defaults to (96, 160).
        seed (int): Seed of the whole set, at least 0. Defaults to 0.
        max_objects (int): Most objects of a video; every four videos share
            the numbers from 1 to it, and the categories, evenly. Defaults
            to 3.

    Raises:
        ConfigError: If an argument is out of range.
    """

    def __init__(
        self,
        num_frames: int = 16,
        size: Tuple[int, int] = (96, 160),
        seed: int = 0,
        max_objects: int = 3,
    ) -> None:
        for name, value, least in (
            ('num_frames', num_frames, 1),
            ('size', min(size), 32),
            ('seed', seed, 0),
            ('max_objects', max_objects, 1),
        ):
            if value < least:
                raise ConfigError(
                    f'{name} is {value}', fix=f'use at least {least}'
                )
        self.num_frames = num_frames
        self.size = (int(size[0]), int(size[1]))
        self.seed = seed
        self.max_objects = max_objects

    def generate_video(self, index: int) -> ShapesVideo:
        """Draw one video; independent of all others.

        Args:
            index (int): Number of the video in the set, from 0.

        Returns:
            ShapesVideo: ``frames``, uint8, (T, H, W, 3), RGB, and
            ``tracks``, a list of :class:`ShapeTrack`. An object that
            never shows is left out, which hardly ever happens.
        """
        categories = self._categories(index)
        for attempt in range(_ATTEMPTS):
            rng = np.random.default_rng([self.seed, 1, index, attempt])
            video = self._draw(rng, categories)
            least = min(3, self.num_frames)
            shown = [track.masks.any(axis=(1, 2)) for track in video.tracks]
            if all(np.count_nonzero(frames) >= least for frames in shown):
                return video
        tracks = [
            track for track, frames in zip(video.tracks, shown) if frames.any()
        ]
        return ShapesVideo(video.frames, tracks)

    def _categories(self, index: int) -> List[int]:
        """Deal out the categories of a block of videos like cards."""
        block, position = divmod(index, _BLOCK)
        rng = np.random.default_rng([self.seed, 0, block])
        spread = np.linspace(1, self.max_objects, _BLOCK)
        counts: np.ndarray = np.rint(spread).astype(int)
        counts = counts[np.argsort(rng.random(_BLOCK), kind='stable')]
        total = int(counts.sum())
        # Start each block's deck where the one before ended.
        deck: np.ndarray = (np.arange(total) + block * total) % len(CATEGORIES)
        deck = deck[np.argsort(rng.random(total), kind='stable')]
        start = int(counts[:position].sum())
        return deck[start : start + int(counts[position])].tolist()

    def _draw(
        self, rng: np.random.Generator, categories: Sequence[int]
    ) -> ShapesVideo:
        background = Background(rng, self.num_frames, self.size)
        shapes: List[MovingShape] = []
        for category in categories:
            meet = shapes[-1] if shapes and rng.random() < 0.7 else None
            shapes.append(
                draw_shape(
                    rng,
                    category,
                    self.num_frames,
                    self.size,
                    background.color,
                    meet,
                )
            )
        # Who is in front does not depend on who came first.
        order = np.argsort(rng.random(len(shapes)), kind='stable')
        shapes = [shapes[i] for i in order]
        light = 1 + wave(rng, self.num_frames, uniform(rng, 0, 0.08))
        height, width = self.size
        count = (len(shapes), self.num_frames)
        owners = np.zeros((self.num_frames, height, width), np.int16)
        frames = np.zeros((self.num_frames, height, width, 3), np.uint8)
        full_areas = np.zeros(count, np.int64)
        for t in range(self.num_frames):
            image = background.paint(t)
            for number, shape in enumerate(shapes):
                patch = shape.paint(t, self.size)
                if patch is not None:
                    _blend(image, owners[t], patch, number + 1)
                    full_areas[number, t] = np.count_nonzero(patch.mask)
            frames[t] = _expose(rng, image * light[t])
        tracks = [
            _make_track(shape.category, owners == number + 1, areas)
            for number, (shape, areas) in enumerate(zip(shapes, full_areas))
        ]
        return ShapesVideo(frames, tracks)


def _blend(
    image: np.ndarray, owner: np.ndarray, patch: Patch, number: int
) -> None:
    """Paint a patch over what is there, in place."""
    window = (patch.rows, patch.columns)
    alpha = patch.coverage[..., None]
    image[window] += alpha * (patch.colors - image[window])
    owner[window][patch.mask] = number


def _expose(rng: np.random.Generator, image: np.ndarray) -> np.ndarray:
    """Add sensor noise of about 2 grey levels and round to uint8."""
    noise = rng.integers(0, 256, image.shape, dtype=np.uint8)
    # Four dice of 0 ... 3 in one byte: nearly Gaussian, exact everywhere.
    dice = (noise & 3) + (noise >> 2 & 3) + (noise >> 4 & 3) + (noise >> 6)
    return np.clip(image + (dice - 6.0) + 0.5, 0, 255).astype(np.uint8)


def _make_track(
    category: int, masks: np.ndarray, full_areas: np.ndarray
) -> ShapeTrack:
    boxes: List[Optional[Box]] = []
    for mask in masks:
        if np.count_nonzero(mask) < MIN_PIXELS:
            mask[:] = False
            boxes.append(None)
            continue
        rows = np.flatnonzero(mask.any(axis=1))
        columns = np.flatnonzero(mask.any(axis=0))
        boxes.append(
            (
                float(columns[0]),
                float(rows[0]),
                float(columns[-1] + 1),
                float(rows[-1] + 1),
            )
        )
    return ShapeTrack(category, masks, boxes, full_areas)
