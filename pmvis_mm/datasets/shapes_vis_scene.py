"""Geometry and colours of ShapesVIS: what moves and how it is painted.

Only numpy with float64, and of its random generator only uniform numbers, so
that neither the platform nor the version of an image library moves a pixel
of a mask.
"""

import math
from dataclasses import dataclass
from typing import List, Optional, Tuple

import numpy as np

from .shapes_vis_noise import octaves, sample_tiled, uniform, wave

CATEGORIES = ('disk', 'square', 'triangle', 'star')

_NUM_ANGLES = 720
_TILE = 64
# (number of vertices, radius of every second vertex) of the polygons.
_POLYGONS = {'square': (4, 1.0), 'triangle': (3, 1.0), 'star': (10, 0.45)}


def radial_profile(category: str) -> np.ndarray:
    """Compute the outline R(theta) of a star-convex shape.

    Args:
        category (str): One of ``CATEGORIES``.

    Returns:
        np.ndarray: float64, (720,), radius at equally spaced angles from 0;
        the area enclosed is that of the unit disk.
    """
    if category == 'disk':
        return np.ones(_NUM_ANGLES)
    number, inner = _POLYGONS[category]
    step = math.tau / number
    theta = np.arange(_NUM_ANGLES) * (math.tau / _NUM_ANGLES)
    sector = np.floor(theta / step + 1e-9).astype(int) % number
    within = theta - sector * step
    first = np.where(sector % 2 == 1, inner, 1.0)
    second = np.where(sector % 2 == 1, 1.0, inner)
    # Polar form of the line through the two vertices of the sector.
    radius = first * second * math.sin(step)
    radius = radius / (first * np.sin(within) + second * np.sin(step - within))
    mean_square = math.fsum(radius * radius) / _NUM_ANGLES
    return radius / math.sqrt(mean_square)


@dataclass
class Patch:
    """One object, painted into a window of a frame.

    Attributes:
        rows (slice): Rows of the window.
        columns (slice): Columns of the window.
        coverage (np.ndarray): float64, (h, w), in [0, 1]; at least 0.5
            exactly where the object is.
        colors (np.ndarray): float64, (h, w, 3), RGB.
    """

    rows: slice
    columns: slice
    coverage: np.ndarray
    colors: np.ndarray

    @property
    def mask(self) -> np.ndarray:
        """Pixels of the object, occluded or not: bool, (h, w)."""
        return self.coverage >= 0.5


@dataclass
class MovingShape:
    """One object over a whole video.

    Attributes:
        category (int): Index into ``CATEGORIES``.
        centers (np.ndarray): float64, (T, 2), xy in pixels; pixel (i, j)
            has its centre at (j + 0.5, i + 0.5).
        radii (np.ndarray): float64, (T,), pixels.
        angles (np.ndarray): float64, (T,), radians.
        harmonics (list): Per deformation its order, its phase and its
            relative amplitudes, float64, (T,).
        texture (np.ndarray): float64, (64, 64), in [-1, 1], tiled over the
            object's own coordinates.
        color (np.ndarray): float64, (3,), RGB.
        accent (np.ndarray): float64, (3,), what the texture adds to it.
    """

    category: int
    centers: np.ndarray
    radii: np.ndarray
    angles: np.ndarray
    harmonics: List[Tuple[int, float, np.ndarray]]
    texture: np.ndarray
    color: np.ndarray
    accent: np.ndarray

    def profile(self, frame: int) -> np.ndarray:
        """Compute R(theta) in one frame: float64, (720,), pixels."""
        theta = np.arange(_NUM_ANGLES) * (math.tau / _NUM_ANGLES)
        factor = np.ones(_NUM_ANGLES)
        for order, phase, amplitudes in self.harmonics:
            factor += amplitudes[frame] * np.cos(order * theta + phase)
        base = radial_profile(CATEGORIES[self.category])
        return base * factor * self.radii[frame]

    def paint(self, frame: int, size: Tuple[int, int]) -> Optional[Patch]:
        """Paint the object.

        Args:
            frame (int): 0-based index.
            size (tuple[int, int]): Height and width of the frame.

        Returns:
            Patch, optional: None if no part of it can be in the frame.
        """
        profile = self.profile(frame)
        reach = float(profile.max()) + 1
        window = []
        for center, limit in zip(self.centers[frame][::-1], size):
            start = max(math.floor(center - reach), 0)
            stop = min(math.ceil(center + reach), limit)
            if start >= stop:
                return None
            window.append(slice(start, stop))
        dx = np.arange(window[1].start, window[1].stop) + 0.5
        dy = np.arange(window[0].start, window[0].stop) + 0.5
        dx = (dx - self.centers[frame, 0])[None]
        dy = (dy - self.centers[frame, 1])[:, None]
        theta = np.arctan2(dy, dx) - self.angles[frame]
        edge = _interpolate_circular(profile, theta)
        coverage = edge - np.sqrt(dx * dx + dy * dy) + 0.5
        return Patch(
            window[0],
            window[1],
            np.clip(coverage, 0, 1),
            self._colors(frame, dx, dy),
        )

    def _colors(
        self, frame: int, dx: np.ndarray, dy: np.ndarray
    ) -> np.ndarray:
        """Look the texture up in the object's own coordinates."""
        angle = self.angles[frame]
        # The first frame's radius is the unit, so that the texture grows
        # with the object and is otherwise as fine as it was drawn.
        zoom = self.radii[0] / self.radii[frame]
        cos, sin = math.cos(angle) * zoom, math.sin(angle) * zoom
        value = sample_tiled(
            self.texture, dy * cos - dx * sin, dx * cos + dy * sin
        )
        return self.color + value[..., None] * self.accent


def _interpolate_circular(table: np.ndarray, theta: np.ndarray) -> np.ndarray:
    position = theta * (len(table) / math.tau)
    start = np.floor(position)
    index = start.astype(int) % len(table)
    after = np.append(table[1:], table[0])
    return table[index] + (position - start) * (after - table)[index]


class Background:
    """Two colours mixed by smooth noise, under a slowly panning camera.

    Args:
        rng (np.random.Generator): Source of randomness.
        num_frames (int): Frames of the video.
        size (tuple[int, int]): Height and width of a frame.
    """

    def __init__(
        self,
        rng: np.random.Generator,
        num_frames: int,
        size: Tuple[int, int],
    ) -> None:
        self.size = size
        scale = min(size) / 96
        margin = math.ceil(12 * scale)
        self.offsets = [
            margin + _pan(rng, num_frames, margin) for _ in range(2)
        ]
        shape = (size[0] + 2 * margin + 2, size[1] + 2 * margin + 2)
        self.color = 50 + 155 * rng.random(3)
        other = self.color + 110 * (rng.random(3) - 0.5)
        cells = [40 * scale, 16 * scale]
        mix = octaves(rng, shape, cells, (0.7, 0.3))
        # Steep around 0: patches with soft borders rather than fog.
        mix = np.clip(0.5 + 2.5 * mix, 0, 1)[..., None]
        grain = octaves(rng, shape, (7 * scale, 3 * scale), (16, 9))
        canvas = self.color + mix * (other - self.color)
        self.canvas = canvas + grain[..., None]

    def paint(self, frame: int) -> np.ndarray:
        """Paint one frame: float64, (H, W, 3), RGB."""
        result = self.canvas
        for axis in (0, 1):
            offset = float(self.offsets[axis][frame])
            start = math.floor(offset)
            weight = offset - start
            near = [slice(None)] * 2
            far = [slice(None)] * 2
            near[axis] = slice(start, start + self.size[axis])
            far[axis] = slice(start + 1, start + 1 + self.size[axis])
            result = (1 - weight) * result[tuple(near)] + (
                weight * result[tuple(far)]
            )
        return result


def _pan(rng: np.random.Generator, num_frames: int, margin: int) -> np.ndarray:
    speed = uniform(rng, 0.1, 0.7) / 12
    phase = uniform(rng, 0, math.tau)
    return margin * np.sin(speed * np.arange(num_frames) + phase)


def draw_shape(
    rng: np.random.Generator,
    category: int,
    num_frames: int,
    size: Tuple[int, int],
    background_color: np.ndarray,
    meet: Optional[MovingShape] = None,
) -> MovingShape:
    """Draw an object that passes through the frame.

    Args:
        rng (np.random.Generator): Source of randomness.
        category (int): Index into ``CATEGORIES``.
        num_frames (int): Frames of the video.
        size (tuple[int, int]): Height and width of a frame.
        background_color (np.ndarray): float64, (3,), RGB.
        meet (MovingShape, optional): An object whose way it shall cross.

    Returns:
        MovingShape: The object.
    """
    height, width = size
    scale = min(size) / 96
    radius = uniform(rng, 8, 21) * scale
    # The first object is the larger, so that it can hide the others.
    if meet is None:
        radius *= 1.15
    growth = wave(rng, num_frames, uniform(rng, 0, 0.25))
    spin = uniform(rng, -0.12, 0.12)
    phase = uniform(rng, 0, math.tau)
    harmonics = [
        (
            order,
            uniform(rng, 0, math.tau),
            wave(rng, num_frames, uniform(rng, 0.03, strength)),
        )
        for order, strength in ((2, 0.16), (3, 0.08), (4, 0.05))
    ]
    color, accent = _draw_colors(rng, category, background_color)
    cells = (16.0, 4.0) if rng.random() < 0.5 else (8.0, 4.0)
    texture = octaves(rng, (_TILE, _TILE), cells, (0.65, 0.35), True)
    return MovingShape(
        category,
        _draw_path(rng, num_frames, (height, width), meet),
        radius * (1 + growth),
        phase + spin * np.arange(num_frames),
        harmonics,
        texture,
        color,
        accent,
    )


def _draw_path(
    rng: np.random.Generator,
    num_frames: int,
    size: Tuple[int, int],
    meet: Optional[MovingShape],
) -> np.ndarray:
    height, width = size
    scale = min(size) / 96
    moment = int(rng.random() * num_frames)
    x = uniform(rng, 0.12, 0.88) * width
    y = uniform(rng, 0.12, 0.88) * height
    if meet is not None:
        x = float(meet.centers[moment, 0]) + uniform(rng, -8, 8) * scale
        y = float(meet.centers[moment, 1]) + uniform(rng, -8, 8) * scale
        x = min(max(x, 0.1 * width), 0.9 * width)
        y = min(max(y, 0.1 * height), 0.9 * height)
    # About a quarter enters or leaves within a video, the others stay.
    travel = uniform(rng, 0.1, 1.3) ** 2 * width
    speed = min(travel / num_frames, 9 * scale)
    heading = uniform(rng, 0, math.tau)
    time = np.arange(num_frames) - moment
    sway = [wave(rng, num_frames, 4 * scale) for _ in range(2)]
    # The vertical way is shorter, as frames are wider than high.
    return np.stack(
        [
            x + speed * math.cos(heading) * time + sway[0] - sway[0][moment],
            y
            + 0.6 * speed * math.sin(heading) * time
            + sway[1]
            - sway[1][moment],
        ],
        axis=1,
    )


# As with real things, the class shows in the colour, too, but not always.
_TYPICAL_COLORS = np.array(
    [[200.0, 70, 60], [70, 170, 80], [70, 90, 200], [210, 190, 70]]
)


def _draw_colors(
    rng: np.random.Generator, category: int, background: np.ndarray
) -> Tuple[np.ndarray, np.ndarray]:
    """Choose colours: three in four objects are typical of their class.

    One in five resembles the background.
    """
    near, far = (22.0, 55.0) if rng.random() < 0.2 else (75.0, 400.0)
    typical = rng.random() < 0.75
    spread = rng.random((64, 3))
    candidates = 30 + 200 * spread
    if typical:
        candidates = _TYPICAL_COLORS[category] + 80 * (spread - 0.5)
    gap = candidates - background
    distances = np.sqrt(gap[:, 0] ** 2 + gap[:, 1] ** 2 + gap[:, 2] ** 2)
    fitting = np.flatnonzero((distances > near) & (distances < far))
    # Where none of 64 fits, the one that comes closest to the range.
    best = fitting[0] if len(fitting) else np.abs(distances - near).argmin()
    return candidates[best], 35 + 50 * (rng.random(3) - 0.5)
