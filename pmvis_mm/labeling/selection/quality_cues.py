"""Cues of how good a mask is, without knowing the truth.

Every cue lies in [0, 1] and is higher for better masks. None of them is
enough: a mask cut out by colour has contrast, one made from the box fits it,
one carried along by flow is stable, for nothing. The estimator weighs them.
"""

from typing import Dict, Tuple

import cv2
import numpy as np

from .quality_view import InstanceView, color_histogram

# In the order of the arrays that hold them.
CUES = (
    'fit',
    'tangent',
    'not_ellipse',
    'stable',
    'edge',
    'contrast',
    'color_gap',
    'histogram',
    'motion',
    'motion_contrast',
    'motion_gap',
)
MOTION_CUES = ('motion', 'motion_contrast', 'motion_gap')
# A fit above this says no more: boxes are drawn by people, and masks cut or
# stretched to their box fit it for nothing.
ENOUGH_FIT = 0.9
# Colour cues that about nine in ten true outlines have (exact masks of
# hardened ShapesVIS videos: 0.91, 0.93, 0.85 of them). A mask cut out by
# colour has more; more is no evidence, and a true outline of low contrast
# must not lose to it.
_TRUE_OUTLINE = dict(edge=0.56, contrast=0.54, color_gap=0.51)
# Differences worth half a point: Lab units, pixels of motion.
_COLOR_UNIT, _MOTION_UNIT = 12.0, 1.0
_SQUARE = np.ones((3, 3), np.uint8)


def measure_cues(mask: np.ndarray, view: InstanceView) -> Dict[str, float]:
    """Measure all cues that one frame can give.

    Args:
        mask (np.ndarray): bool, (h, w), on the crop of the view.
        view (InstanceView): The instance.

    Returns:
        dict[str, float]: By name, without 'fit' and 'stable', which need
        the whole frame and the next one; NaN for motion cues without
        motion. All 0 for an empty mask.
    """
    names = [name for name in CUES if name not in ('fit', 'stable')]
    if not mask.any():
        return dict.fromkeys(names, 0.0)
    cues = dict.fromkeys(names, float('nan'))
    cues.update(_free_shapes(mask, view))
    cues.update(_outline(mask, view))
    if view.moves is not None:
        cues['motion'] = separation(
            view.moves, mask & view.inside, view.inside & ~mask
        )
    cues['histogram'] = 1 - float(
        np.sqrt(
            color_histogram(view.bins, mask)
            * color_histogram(view.bins, ~mask)
        ).sum()
    )
    return cues


def box_fit_cue(fit: float) -> float:
    """Turn the IoU of tight and annotated box into a cue."""
    return min(fit, ENOUGH_FIT) / ENOUGH_FIT


def separation(
    values: np.ndarray, first: np.ndarray, second: np.ndarray
) -> float:
    """Compute the chance that a pixel of one set beats one of another.

    That is the area under the ROC curve, from 256 levels.

    Args:
        values (np.ndarray): float, (h, w).
        first (np.ndarray): bool, (h, w), pixels that should be higher.
        second (np.ndarray): bool, (h, w), pixels that should be lower.

    Returns:
        float: In [0, 1]; 0.5 if there is nothing to compare.
    """
    low, high = float(values.min()), float(values.max())
    if high - low < 1e-6 or not first.any() or not second.any():
        return 0.5
    level = ((values - low) * (255 / (high - low))).astype(int)
    wins = np.bincount(level[first], minlength=256) / first.sum()
    losses = np.bincount(level[second], minlength=256) / second.sum()
    below = np.cumsum(losses) - losses
    return float((wins * (below + 0.5 * losses)).sum())


def overlap(first: np.ndarray, second: np.ndarray) -> float:
    """Compute the IoU of two bool masks; 0 if both are empty."""
    total = np.count_nonzero(first | second)
    return np.count_nonzero(first & second) / total if total else 0.0


def _free_shapes(mask: np.ndarray, view: InstanceView) -> Dict[str, float]:
    """Does the mask look made from the box, or cut off by it?"""
    rows = np.flatnonzero(view.inside.any(1))
    columns = np.flatnonzero(view.inside.any(0))
    cut = mask[rows[0] : rows[-1] + 1, columns[0] : columns[-1] + 1]
    contact = [
        side.mean() for side in (cut[0], cut[-1], cut[:, 0], cut[:, -1])
    ]
    return dict(
        tangent=1 - float(np.mean(contact)),
        not_ellipse=min(1.0, (1 - overlap(mask, view.ellipse)) / 0.12),
    )


def _outline(mask: np.ndarray, view: InstanceView) -> Dict[str, float]:
    """Do colour and motion change where the mask ends?"""
    pixels = mask.astype(np.uint8)
    line = mask & (cv2.erode(pixels, _SQUARE, borderValue=1) == 0)
    if not line.any():  # it fills the crop
        return dict.fromkeys(('edge', 'contrast', 'color_gap'), 0.0)
    near = 2 * max(3, round(0.08 * view.scale) | 1) + 1
    kernel = np.ones((near, near), np.uint8)
    band = cv2.dilate(pixels, kernel) > cv2.erode(
        pixels, kernel, borderValue=1
    )
    levels = np.sort(view.edges[band | line])
    rank = np.searchsorted(levels, view.edges[line]) / len(levels)
    color, _, motion, _ = _differences(mask, line, view, near)
    far = max(3, round(0.3 * view.scale) | 1)
    _, color_gap, _, motion_gap = _differences(mask, line, view, far)
    found = dict(edge=float(rank.mean()), contrast=color, color_gap=color_gap)
    for name, enough in _TRUE_OUTLINE.items():
        found[name] = min(found[name], enough) / enough
    return dict(found, motion_contrast=motion, motion_gap=motion_gap)


def _differences(
    mask: np.ndarray, line: np.ndarray, view: InstanceView, side: int
) -> Tuple[float, float, float, float]:
    """Compare both sides of the outline within squares.

    Returns:
        tuple[float]: Colour difference, the same relative to the spread of
        colours outside, and both for motion; NaN without motion.
    """
    inner = mask.astype(np.float32)[..., None]
    size = (side, side)
    weight = cv2.blur(inner, size)[line][:, None]
    near = cv2.blur(view.layers * inner, size)[line]
    rest = cv2.blur(view.layers, size)[line] - near
    near = near / np.maximum(weight, 1e-6)
    rest = rest / np.maximum(1 - weight, 1e-6)
    valid = (weight[:, 0] > 0.01) & (weight[:, 0] < 0.99)
    if not valid.any():
        return 0.0, 0.0, 0.0, 0.0
    near, rest = near[valid], rest[valid]
    color = _difference(near[:, :4], rest[:, :4], _COLOR_UNIT, 2.0)
    if near.shape[1] == 4:
        return (*color, float('nan'), float('nan'))
    return (
        *color,
        *_difference(near[:, 4:], rest[:, 4:], _MOTION_UNIT, 0.2),
    )


def _difference(
    near: np.ndarray, rest: np.ndarray, unit: float, floor: float
) -> Tuple[float, float]:
    """Saturating distance of means; the last column is the mean square."""
    gap = np.linalg.norm(near[:, :-1] - rest[:, :-1], axis=1)
    variance = rest[:, -1] - (rest[:, :-1] ** 2).sum(1)
    spread = np.sqrt(np.maximum(variance, 0)) + floor
    return float((gap / (gap + unit)).mean()), float(
        (gap / (gap + spread)).mean()
    )
