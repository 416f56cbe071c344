"""A clip of moving, textured things, for the benchmarks."""

from typing import Tuple

import torch
import torch.nn.functional as F
from torch import Tensor


def moving_ellipses(
    num_frames: int,
    size: Tuple[int, int],
    num_instances: int,
    generator: torch.Generator,
) -> Tuple[Tensor, Tensor]:
    """Draw textured ellipses that move over a moving background, with noise.

    Args:
        num_frames (int): T.
        size (tuple[int]): Height and width of a frame, pixels.
        num_instances (int): Ellipses, each in a box that fills 5 to 25 % of
            the frame; later ones hide earlier ones.
        generator (torch.Generator): Draws.

    Returns:
        tuple: Frames, uint8, (T, 3, H, W), RGB, and boxes, float32,
        (num_instances, T, 4), xyxy in pixels.
    """
    frames = _texture(num_frames, *size, generator)
    boxes = torch.zeros(num_instances, num_frames, 4)
    for own in boxes:
        _draw(frames, own, generator)
    frames += torch.randn(frames.shape, generator=generator) * 2
    return frames.clamp(0, 255).byte(), boxes


def _texture(
    frames: int, height: int, width: int, generator: torch.Generator
) -> Tensor:
    """Draw a smooth background that moves by 4 pixels per frame."""
    margin = 4 * frames
    size = (height + margin, width + margin)
    canvas = torch.full((1, 3, *size), 110.0)
    # Shading, and a fine texture.
    for cell, contrast in ((160, 80), (16, 4)):
        cells = [side // cell + 2 for side in size]
        noise = torch.rand(1, 3, *cells, generator=generator) - 0.5
        canvas += F.interpolate(noise, size, mode='bicubic') * contrast
    return torch.stack(
        [
            canvas[0, :, 4 * t : 4 * t + height, 2 * t : 2 * t + width]
            for t in range(frames)
        ]
    )


def _draw(frames: Tensor, boxes: Tensor, generator: torch.Generator) -> None:
    """Draw one moving ellipse into all frames and note its boxes."""
    height, width = frames.shape[-2:]
    share, ratio, *start = torch.rand(4, generator=generator).tolist()
    side = (0.05 + 0.2 * share) ** 0.5
    stretch = 0.75 + 0.5 * ratio
    h, w = int(height * side * stretch), int(width * side / stretch)
    coat = _texture(1, h, w, generator)[0]
    speed = (torch.rand(2, generator=generator) - 0.5) * 16
    y, x = torch.meshgrid(
        torch.linspace(-1, 1, h), torch.linspace(-1, 1, w), indexing='ij'
    )
    shape = (x * x + y * y <= 1).float()
    for t, frame in enumerate(frames):
        top, left = (
            int(min(max(first * (side - own) + t * step, 0), side - own))
            for first, side, own, step in zip(
                start, (height, width), (h, w), speed.tolist()
            )
        )
        part = frame[:, top : top + h, left : left + w]
        part += (coat - part) * shape
        boxes[t] = torch.tensor([left, top, left + w, top + h])
