"""New looks for objects and background of synthetic clips."""

from typing import List, Sequence, Tuple

import cv2
import numpy as np
from mmcv.transforms import BaseTransform

from ...registry import TRANSFORMS
from ...utils.errors import ConfigError

_TILE = 256


@TRANSFORMS.register_module()
class RandomTexture(BaseTransform):
    """Paint objects and background with random textures that move along.

    Synthetic objects have one plain texture each, so that a network could
    tell them apart by it, on a background without clutter. Painted ones are
    patchworks of unlike parts, stripes or clouds, as is the background;
    what remains to tell an object is the mask that was given. Textures
    follow the centre of their object, that of the background drifts. For
    synthetic clips; not part of the recipe of DeAOT.

    Required Keys (lists over the T frames of a clip):

    - img (np.uint8, (H, W, 3))
    - gt_seg_map (np.uint8, (H, W)); 255 is left as it is.

    Modified Keys:

    - img

    Args:
        prob (float): Probability, for each object and the background, to be
            painted. Defaults to 0.5.
        opacity (Sequence[float]): Least and most share of the new texture,
            in [0, 1]. Defaults to (0.5, 1.0).
        drift (float): Largest motion of the background's texture from frame
            to frame, pixels. Defaults to 4.0.

    Raises:
        ConfigError: If a value is out of range.
    """

    def __init__(
        self,
        prob: float = 0.5,
        opacity: Sequence[float] = (0.5, 1.0),
        drift: float = 4.0,
    ) -> None:
        if not 0 <= prob <= 1:
            raise ConfigError(
                f'prob={prob} is no probability', fix='use 0 ... 1'
            )
        if len(opacity) != 2 or not 0 <= opacity[0] <= opacity[1] <= 1:
            raise ConfigError(
                f'opacity={opacity!r} is no range within 0 ... 1',
                fix='use two shares, the smaller one first',
            )
        if drift < 0:
            raise ConfigError(f'drift={drift} is negative', fix='use pixels')
        self.prob = prob
        self.opacity = (float(opacity[0]), float(opacity[1]))
        self.drift = drift

    def transform(self, results: dict) -> dict:
        """Paint a clip.

        Args:
            results (dict): Lists over the frames.

        Returns:
            dict: The same with other frames.
        """
        labels = results['gt_seg_map']
        # Frames of a still clip may be one array.
        images = [image.copy() for image in results['img']]
        for number in np.unique(np.stack(labels)):
            if number == 255 or np.random.rand() >= self.prob:
                continue
            opacity = np.random.uniform(*self.opacity)
            # The seam of the tile is not to run through the centre.
            texture = np.roll(_draw_texture(), _TILE // 2, (0, 1))
            origins = self._origins(labels, int(number))
            for image, seg, origin in zip(images, labels, origins):
                _paint(image, seg == number, texture, origin, opacity)
        results['img'] = images
        return results

    def _origins(
        self, labels: List[np.ndarray], number: int
    ) -> List[Tuple[int, int]]:
        """Where the texture begins in each frame: row, column."""
        if number == 0:
            steps = np.random.uniform(
                -self.drift, self.drift, (len(labels), 2)
            )
            return [(int(y), int(x)) for y, x in np.cumsum(steps, 0)]
        origins = []
        for seg in labels:
            moments = cv2.moments((seg == number).astype(np.uint8), True)
            area = max(moments['m00'], 1.0)
            origins.append(
                (int(moments['m01'] / area), int(moments['m10'] / area))
            )
        return origins

    def __repr__(self) -> str:
        return (
            f'{type(self).__name__}(prob={self.prob}, '
            f'opacity={self.opacity}, drift={self.drift})'
        )


def _paint(
    image: np.ndarray,
    mask: np.ndarray,
    texture: np.ndarray,
    origin: Tuple[int, int],
    opacity: float,
) -> None:
    """Blend a tiled texture into a part of an image, in place."""
    rows, columns = np.nonzero(mask)
    new = texture[(rows - origin[0]) % _TILE, (columns - origin[1]) % _TILE]
    old = image[mask].astype(np.float32)
    image[mask] = (old + opacity * (new - old)).astype(np.uint8)


def _draw_texture() -> np.ndarray:
    """Draw a tile, float32, (256, 256, 3), BGR in 0 ... 255."""
    kind = np.random.randint(4)
    if kind == 0:
        values = _clouds()
    elif kind == 1:
        values = _stripes()
    else:
        return _shade(_patches())
    first, second = np.random.uniform(0, 255, (2, 3)).astype(np.float32)
    return _shade(first + values[..., None] * (second - first))


def _clouds() -> np.ndarray:
    """Noise of random coarseness, in 0 ... 1."""
    cells = int(2 ** np.random.uniform(2, 6))
    coarse = np.random.rand(cells, cells).astype(np.float32)
    values = cv2.resize(coarse, (_TILE, _TILE), interpolation=cv2.INTER_CUBIC)
    if np.random.rand() < 0.5:  # spots with outlines
        values = (values > 0.5).astype(np.float32)
    return np.clip(values, 0, 1)


def _stripes() -> np.ndarray:
    """Bars of random direction and width, in 0 ... 1."""
    angle = np.random.uniform(0, np.pi)
    period = 2 ** np.random.uniform(2.5, 6)
    along = np.arange(_TILE, dtype=np.float32)
    phase = np.cos(angle) * along + np.sin(angle) * along[:, None]
    values = 0.5 + 0.5 * np.sin(2 * np.pi / period * phase)
    return values if np.random.rand() < 0.5 else np.round(values)


def _patches() -> np.ndarray:
    """Cells around random points, each of its own colour."""
    count = int(2 ** np.random.uniform(2, 7))
    seeds = np.ones((_TILE, _TILE), np.uint8)
    places = np.random.randint(0, _TILE, (count, 2))
    seeds[places[:, 0], places[:, 1]] = 0
    _, cells = cv2.distanceTransformWithLabels(
        seeds, cv2.DIST_L2, 5, labelType=cv2.DIST_LABEL_PIXEL
    )
    colors = np.random.uniform(0, 255, (count + 1, 3)).astype(np.float32)
    return colors[cells]


def _shade(texture: np.ndarray) -> np.ndarray:
    """Add fine and coarse variation of light."""
    fine = np.random.normal(0, np.random.uniform(0, 12), (_TILE, _TILE))
    coarse = np.random.normal(0, np.random.uniform(0, 50), (6, 6))
    light = cv2.resize(coarse, (_TILE, _TILE), interpolation=cv2.INTER_CUBIC)
    shaded = texture + (fine + light)[..., None]
    return np.clip(shaded, 0, 255).astype(np.float32)
