"""ShapesVIS frames made as hard as real ones.

Colour alone tells the objects of ShapesVIS from the ground. In real video
both have texture, parts, and colours in common: without this, an estimator
would learn to trust colour far too much.
"""

from typing import List, Optional, Sequence, Tuple

import cv2
import numpy as np

from ...datasets.shapes_vis import ShapeTrack
from .mask_noise import noise

_MARGIN = 60  # of the ground's clutter beyond the frame, pixels


def harden(
    frames: Sequence[np.ndarray],
    tracks: Sequence[ShapeTrack],
    rng: np.random.Generator,
) -> List[np.ndarray]:
    """Add clutter to the frames of one video; masks stay exact.

    Args:
        frames (Sequence[np.ndarray]): T frames, uint8, (H, W, 3), BGR.
        tracks (Sequence[ShapeTrack]): Its objects.
        rng (np.random.Generator): Source of randomness.

    Returns:
        list[np.ndarray]: T frames, uint8, (H, W, 3), BGR.
    """
    strength = rng.uniform(0.3, 1.6)
    grain = rng.uniform(5, 45)
    shape = frames[0].shape[:2]
    ground = _Ground(shape, strength, grain, rng)
    coats = [_Coat(strength, grain, rng) for _ in tracks]
    camera = _Camera(rng)
    result = []
    for number, frame in enumerate(frames):
        masks = [track.masks[number] for track in tracks]
        free = ~np.any([np.zeros(shape, bool), *masks], axis=0)
        image = frame.astype(np.float32)
        image += ground.paint(image) * _soft(free)
        for coat, track, mask in zip(coats, tracks, masks):
            box = track.boxes[number]
            if box is not None:
                image = coat.paint(image, mask, free, box)
        result.append(camera.take(image))
    return result


def _soft(mask: np.ndarray) -> np.ndarray:
    return cv2.GaussianBlur(mask.astype(np.float32), (0, 0), 0.7)[..., None]


def _grain(
    rng: np.random.Generator,
    shape: Sequence[int],
    cell: float,
    amplitude: float,
) -> np.ndarray:
    gray = noise(rng, shape, cell) * amplitude
    return np.repeat(gray[..., None], 3, axis=2).astype(np.float32)


class _Ground:
    """Patches and texture that pan with the background."""

    def __init__(
        self,
        shape: Sequence[int],
        strength: float,
        grain: float,
        rng: np.random.Generator,
    ) -> None:
        large = (shape[0] + 2 * _MARGIN, shape[1] + 2 * _MARGIN)
        amplitude = grain * rng.uniform(0.6, 1.2)
        self.clutter = _grain(rng, large, rng.uniform(2, 5), amplitude)
        for _ in range(rng.integers(0, 4)):
            field = noise(rng, large, rng.uniform(8, 40))
            patch = (field > rng.uniform(-0.3, 0.8)).astype(np.float32)
            color = strength * rng.uniform(-70, 70, 3)
            soft = cv2.GaussianBlur(patch, (0, 0), 0.8)[..., None]
            self.clutter += soft * color.astype(np.float32)
        self.position = np.array([_MARGIN, _MARGIN], float)
        self.last: Optional[np.ndarray] = None

    def paint(self, frame: np.ndarray) -> np.ndarray:
        """Follow the frame and return what to add: float32, (H, W, 3)."""
        height, width = frame.shape[:2]
        gray = np.ascontiguousarray(frame.mean(2), np.float32)
        if self.last is not None:
            moved = np.array(cv2.phaseCorrelate(self.last, gray)[0])
            if np.abs(moved).max() < 4:  # else it followed an object
                self.position -= moved
        self.last = gray
        x, y = self.position
        return cv2.warpAffine(
            self.clutter,
            np.array([[1, 0, -x], [0, 1, -y]], np.float32),
            (width, height),
            borderMode=cv2.BORDER_REFLECT,
        )


class _Coat:
    """Parts, texture and camouflage of one object; moves with its box."""

    def __init__(
        self, strength: float, grain: float, rng: np.random.Generator
    ) -> None:
        self.rng = rng
        amplitude = grain * rng.uniform(0.5, 1.3)
        self.coat = _grain(rng, (96, 96), rng.uniform(2, 6), amplitude)
        for _ in range(rng.integers(1, 4)):
            part = noise(rng, (96, 96), rng.uniform(15, 60))
            part = (part > rng.uniform(-0.3, 0.6)).astype(np.float32)
            color = strength * rng.uniform(-70, 70, 3)
            self.coat += part[..., None] * color.astype(np.float32)
        hidden = rng.random() < 0.8
        self.camouflage = rng.uniform(0.2, 1.0) if hidden else 0.0
        self.offset: Optional[np.ndarray] = None
        # Parts in colours of the ground, which are known when it is seen.
        self.copies: List[Tuple[np.ndarray, float]] = []
        for _ in range(rng.integers(0, 3)):
            part = noise(rng, (96, 96), rng.uniform(18, 60))
            part = (part > rng.uniform(-0.5, 0.5)).astype(np.float32)
            self.copies.append((part, rng.uniform(0.6, 1.0)))
        self.colors: List[np.ndarray] = []

    def paint(
        self,
        image: np.ndarray,
        mask: np.ndarray,
        free: np.ndarray,
        box: Sequence[float],
    ) -> np.ndarray:
        """Repaint the object in a frame: float32, (H, W, 3)."""
        soft = _soft(mask)
        if self.offset is None:
            self._look(image, mask, free)
        image = image - self.camouflage * self.offset * soft  # type: ignore[operator]
        image += self._place(self.coat, box, mask) * soft
        for (part, share), color in zip(self.copies, self.colors):
            where = self._place(part, box, mask)[..., None]
            image += share * where * soft * (color - image[mask].mean(0))
        return image.astype(np.float32)

    def _look(
        self, image: np.ndarray, mask: np.ndarray, free: np.ndarray
    ) -> None:
        """Choose colours when the object is first seen."""
        mean = image[mask].mean(0)
        self.offset = np.zeros(3)
        if free.any():
            self.offset = mean - image[free].mean(0)
            around = cv2.GaussianBlur(image, (0, 0), 3)[free]
            picks = self.rng.integers(len(around), size=len(self.copies))
            self.colors = list(around[picks])

    @staticmethod
    def _place(
        field: np.ndarray, box: Sequence[float], mask: np.ndarray
    ) -> np.ndarray:
        x0, y0, x1, y1 = (int(v) for v in box)
        result = np.zeros((*mask.shape, *field.shape[2:]), np.float32)
        result[y0:y1, x0:x1] = cv2.resize(field, (x1 - x0, y1 - y0))
        return result


class _Camera:
    """Blur, flat contrast, sensor noise and JPEG, alike in all frames."""

    def __init__(self, rng: np.random.Generator) -> None:
        self.rng = rng
        self.level = int(rng.integers(4))
        self.sigma = rng.uniform(0.5, 1.2)
        self.contrast = rng.uniform(0.5, 0.95)
        self.noise = rng.uniform(2, 7)
        self.quality = int(rng.integers(30, 80))

    def take(self, image: np.ndarray) -> np.ndarray:
        """Expose one frame: uint8."""
        spread = 1.0
        if self.level >= 1:
            image = cv2.GaussianBlur(image, (0, 0), self.sigma)
            spread = self.noise
        if self.level >= 2:
            image = 128 + (image - 128) * self.contrast
        image = image + self.rng.normal(0, spread, image.shape)
        photo = np.clip(image, 0, 255).astype(np.uint8)
        if self.level >= 2:
            options = [cv2.IMWRITE_JPEG_QUALITY, self.quality]
            coded = cv2.imencode('.jpg', photo, options)[1]
            photo = cv2.imdecode(coded, cv2.IMREAD_COLOR)
        return photo
