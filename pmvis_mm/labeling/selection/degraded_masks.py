"""Masks as bad as those of real sources, made from exact ones.

The quality estimator learns from them what a mask of which IoU looks like.
Every kind of mistake is drawn once per track (a source errs in its own way)
and varies over its frames.
"""

from dataclasses import dataclass
from typing import Callable, Dict, List, Optional, Sequence

import cv2
import numpy as np

from ...structures import Box
from .mask_noise import (
    blurred,
    carried,
    depth,
    filled,
    noise,
    shifted,
    wobble,
)

# A frame's number -> its degraded mask, bool (H, W).
Degrader = Callable[[int], np.ndarray]


@dataclass
class ExactTrack:
    """One instance whose masks are known.

    Attributes:
        masks (list): Per frame bool (H, W), or None where it is absent.
        boxes (list): Per frame the annotated box, half-open xyxy, pixels;
            None where the mask is.
        others (list): Masks of the other instances of the video, in the
            same form.
        images (Sequence): Frames, uint8, (H, W, 3), BGR.
    """

    masks: List[Optional[np.ndarray]]
    boxes: List[Optional[Box]]
    others: List[List[Optional[np.ndarray]]]
    images: Sequence[np.ndarray]

    def mask(self, frame: int) -> np.ndarray:
        """Mask of a frame in which the instance is present."""
        found = self.masks[frame]
        assert found is not None
        return found

    def scale(self, frame: int) -> float:
        """Geometric mean of the box's sides, pixels."""
        x0, y0, x1, y1 = self.boxes[frame]  # type: ignore[misc]
        return float(np.sqrt((x1 - x0) * (y1 - y0)))


def degrade(
    kind: str, track: ExactTrack, rng: np.random.Generator
) -> List[Optional[np.ndarray]]:
    """Spoil all masks of an instance in one way.

    Args:
        kind (str): One of ``DEGRADERS``.
        track (ExactTrack): The instance.
        rng (np.random.Generator): Source of randomness.

    Returns:
        list: Per frame bool (H, W), or None where the instance is absent or
        nothing is left. All kinds but trackers are clipped to the box, as
        DOOB does.

    Raises:
        ValueError: If ``kind`` is unknown.
    """
    if kind not in DEGRADERS:
        raise ValueError(
            f'kind should be one of {sorted(DEGRADERS)}, got {kind!r}'
        )
    spoil = DEGRADERS[kind](track, rng)
    clipped = kind not in UNCLIPPED
    result: List[Optional[np.ndarray]] = []
    for frame, (mask, box) in enumerate(zip(track.masks, track.boxes)):
        if mask is None or box is None:
            result.append(None)
            continue
        spoiled = spoil(frame)
        if clipped:
            spoiled = spoiled & filled(box, mask.shape)
        result.append(spoiled if spoiled.any() else None)
    return result


def imitate(
    masks: Sequence[Optional[np.ndarray]],
    boxes: Sequence[Optional[Box]],
    rng: np.random.Generator,
) -> List[Optional[np.ndarray]]:
    """Repeat the masks of another source as a model trained on them would.

    The outline is smoother and moved a little, the mistakes are the same:
    two sources that agree because one comes from the other.

    Args:
        masks (Sequence): Per frame bool (H, W), or None.
        boxes (Sequence): Per frame the box, half-open xyxy, pixels, or None.
        rng (np.random.Generator): Source of randomness.

    Returns:
        list: Per frame bool (H, W), or None.
    """
    amplitude = rng.uniform(0.01, 0.06)
    lasting: Optional[np.ndarray] = None
    result: List[Optional[np.ndarray]] = []
    for mask, box in zip(masks, boxes):
        if mask is None or box is None:
            result.append(None)
            continue
        if lasting is None:
            lasting = noise(rng, mask.shape, 12)
        scale = float(np.sqrt((box[2] - box[0]) * (box[3] - box[1])))
        copy = blurred(mask, 0.04 * scale)
        if copy.any():
            field = lasting + 0.5 * noise(rng, mask.shape, 8)
            copy = wobble(copy, field, amplitude * scale)
        result.append(copy if copy.any() else None)
    return result


def _shape(track: ExactTrack) -> Sequence[int]:
    return track.images[0].shape[:2]


def _direction(rng: np.random.Generator) -> np.ndarray:
    angle = rng.uniform(0, 2 * np.pi)
    return np.array([np.cos(angle), np.sin(angle)])


def _distance_to_keyframe(
    track: ExactTrack, rng: np.random.Generator
) -> np.ndarray:
    """Frames to the nearest of one to three keyframes: int, (T,)."""
    frames = np.arange(len(track.masks))
    number = min(int(rng.integers(1, 4)), len(frames))
    keys = rng.choice(frames, number, replace=False)
    return np.abs(frames[:, None] - keys).min(1)


# --------------------------------------------------------------- kinds
def _tracker(track: ExactTrack, rng: np.random.Generator) -> Degrader:
    """Slow drift from keyframes; a lasting error of the outline."""
    severity, bias = rng.uniform(0.2, 2.5), rng.uniform(-1, 1)
    away, distance = _direction(rng), _distance_to_keyframe(track, rng)
    lasting = noise(rng, _shape(track), rng.uniform(6, 20))

    def spoil(frame: int) -> np.ndarray:
        scale = severity * track.scale(frame)
        far = distance[frame]
        mask = shifted(track.mask(frame), *(0.012 * scale * far * away))
        field = lasting + 0.3 * noise(rng, mask.shape, rng.uniform(4, 16))
        mask = wobble(mask, field, 0.03 * scale * (0.3 + 0.2 * far))
        return depth(mask) > 0.006 * bias * scale * far

    return spoil


def _lost_tracker(track: ExactTrack, rng: np.random.Generator) -> Degrader:
    """Fast drift, onto a neighbour or down to nothing."""
    severity, way = rng.uniform(0.2, 1.0), rng.integers(3)
    away, distance = _direction(rng), _distance_to_keyframe(track, rng)
    lasting = noise(rng, _shape(track), rng.uniform(6, 20))

    def spoil(frame: int) -> np.ndarray:
        scale, far = severity * track.scale(frame), distance[frame]
        mask = shifted(track.mask(frame), *(0.05 * scale * far * away))
        mask = wobble(mask, lasting, 0.08 * scale)
        if way == 0 and far > 2:
            return _with_neighbour(mask, track, frame, 0)
        if way == 1:
            return depth(mask) > 0.04 * scale * min(far, 4)
        return mask

    return spoil


def _with_neighbour(
    mask: np.ndarray, track: ExactTrack, frame: int, which: int
) -> np.ndarray:
    if not track.others:
        return mask
    other = track.others[which % len(track.others)][frame]
    return mask if other is None else mask | other


def _model(track: ExactTrack, rng: np.random.Generator) -> Degrader:
    """A network, frame by frame: smooth outlines, holes, misses, merges."""
    severity = rng.uniform(0.2, 1.0)

    def spoil(frame: int) -> np.ndarray:
        scale = track.scale(frame)
        mask = blurred(track.mask(frame), 0.03 * scale)
        field = noise(rng, mask.shape, rng.uniform(4, 16))
        mask = wobble(mask, field, 0.07 * severity * scale)
        if rng.random() < 0.25 * severity:
            mask = mask & (noise(rng, mask.shape, 0.4 * scale) > -0.6)
        if rng.random() < 0.3 * severity:
            mask = _with_neighbour(mask, track, frame, int(rng.integers(9)))
        if rng.random() < 0.2 * severity:
            mask = mask & (noise(rng, mask.shape, 3) > -1.2)
        return mask

    return spoil


def _saliency(track: ExactTrack, rng: np.random.Generator) -> Degrader:
    """Whatever stands out: neighbours too, leaks or misses that flicker."""
    severity, way = rng.uniform(0.2, 1.0), rng.integers(3)

    def spoil(frame: int) -> np.ndarray:
        scale, mask = track.scale(frame), track.mask(frame)
        for number in range(len(track.others)):
            mask = _with_neighbour(mask, track, frame, number)
        if way == 0:
            leak = noise(rng, mask.shape, 0.5 * scale)
            mask = mask | (leak > 0.9 - 0.6 * severity)
        elif way == 1:
            part = noise(rng, mask.shape, 0.5 * scale)
            mask = mask & (part > -1 + 0.8 * severity)
        field = noise(rng, mask.shape, rng.uniform(4, 16))
        return wobble(mask, field, 0.03 * scale)

    return spoil


def _lasting(sign: int) -> Callable[..., Degrader]:
    """The same leak (+1) or the same missing part (-1) all the time."""

    def make(track: ExactTrack, rng: np.random.Generator) -> Degrader:
        limit = 0.9 - 0.9 * rng.uniform(0.2, 1.0)
        field = noise(rng, _shape(track), rng.uniform(6, 20))

        def spoil(frame: int) -> np.ndarray:
            box = track.boxes[frame]
            assert box is not None
            moved = carried(field, box, track.scale(frame))
            if sign > 0:
                return track.mask(frame) | (moved > limit)
            return track.mask(frame) & (moved > -limit)

        return spoil

    return make


def _color(track: ExactTrack, rng: np.random.Generator) -> Degrader:
    """Pixels of the colour of one spot; no idea of the object."""
    central, amount = rng.random() < 0.5, rng.uniform(0.6, 1.3)

    def spoil(frame: int) -> np.ndarray:
        mask = track.mask(frame)
        x0, y0, x1, y1 = (int(v) for v in track.boxes[frame])  # type: ignore[union-attr]
        image = cv2.GaussianBlur(track.images[frame], (0, 0), 1.5)
        image = image.astype(np.float32)
        spot = image[(y0 + y1) // 2, (x0 + x1) // 2]
        if not central:
            spot = image[mask][rng.integers(mask.sum())]
        gap = np.linalg.norm(image - spot, axis=2)
        share = mask[y0:y1, x0:x1].mean() * amount
        limit = np.percentile(
            gap[y0:y1, x0:x1], 100 * np.clip(share, 0.1, 0.95)
        )
        return cv2.medianBlur((gap <= limit).astype(np.uint8), 5) > 0

    return spoil


def _moved_outline(inward: float) -> Callable[..., Degrader]:
    """Eroded (+1) or dilated (-1) by a share of the size."""

    def make(track: ExactTrack, rng: np.random.Generator) -> Degrader:
        share = 0.12 * inward * rng.uniform(0.2, 1.0)
        return lambda frame: (
            depth(track.mask(frame)) > share * track.scale(frame)
        )

    return make


def _offset(track: ExactTrack, rng: np.random.Generator) -> Degrader:
    away = 0.3 * rng.uniform(0.2, 1.0) * _direction(rng)
    return lambda frame: shifted(
        track.mask(frame), *(away * track.scale(frame))
    )


def _thin_parts_lost(track: ExactTrack, rng: np.random.Generator) -> Degrader:
    share = 0.35 * rng.uniform(0.2, 1.0)

    def spoil(frame: int) -> np.ndarray:
        side = int(max(3, share * track.scale(frame))) | 1
        kernel = cv2.getStructuringElement(cv2.MORPH_ELLIPSE, (side, side))
        mask = track.mask(frame)
        opened = cv2.morphologyEx(
            mask.astype(np.uint8), cv2.MORPH_OPEN, kernel
        )
        return opened > 0 if opened.any() else mask

    return spoil


def _hull(track: ExactTrack, rng: np.random.Generator) -> Degrader:
    def spoil(frame: int) -> np.ndarray:
        mask = track.mask(frame)
        points = np.argwhere(mask)[:, ::-1].astype(np.int32)
        canvas = np.zeros(mask.shape, np.uint8)
        cv2.fillConvexPoly(canvas, cv2.convexHull(points), 1)
        return canvas > 0

    return spoil


def _box(track: ExactTrack, rng: np.random.Generator) -> Degrader:
    return lambda frame: filled(
        track.boxes[frame],  # type: ignore[arg-type]
        _shape(track),
    )


def _ellipse(track: ExactTrack, rng: np.random.Generator) -> Degrader:
    size = 1.0 if rng.random() < 0.6 else rng.uniform(0.85, 1.05)

    def spoil(frame: int) -> np.ndarray:
        height, width = _shape(track)
        x0, y0, x1, y1 = track.boxes[frame]  # type: ignore[misc]
        x = (2 * np.arange(width) + 1 - x0 - x1) / (x1 - x0)
        y = (2 * np.arange(height) + 1 - y0 - y1) / (y1 - y0)
        return x[None] ** 2 + y[:, None] ** 2 <= size**2

    return spoil


def _neighbour(track: ExactTrack, rng: np.random.Generator) -> Degrader:
    def spoil(frame: int) -> np.ndarray:
        nothing = np.zeros(_shape(track), bool)
        return _with_neighbour(nothing, track, frame, 0)

    return spoil


def _background(track: ExactTrack, rng: np.random.Generator) -> Degrader:
    return lambda frame: ~track.mask(frame)


DEGRADERS: Dict[str, Callable[..., Degrader]] = dict(
    tracker=_tracker,
    lost_tracker=_lost_tracker,
    model=_model,
    saliency=_saliency,
    lasting_leak=_lasting(1),
    lasting_miss=_lasting(-1),
    color=_color,
    eroded=_moved_outline(1),
    dilated=_moved_outline(-1),
    shifted=_offset,
    thin_lost=_thin_parts_lost,
    hull=_hull,
    box=_box,
    ellipse=_ellipse,
    neighbour=_neighbour,
    background=_background,
)
UNCLIPPED = ('tracker', 'lost_tracker')
