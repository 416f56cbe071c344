"""Convolutions whose weights are predicted for each instance."""

from typing import List, Tuple

import torch
from torch import Tensor


def num_dynamic_params(channels: int = 8, num_layers: int = 3) -> int:
    """Count the numbers that describe one instance.

    Args:
        channels (int): Channels of the mask features and between the
            layers. Defaults to 8.
        num_layers (int): At least 2. Defaults to 3.

    Returns:
        int: 169 by default.
    """
    return sum(i * o + o for i, o in _layer_sizes(channels, num_layers))


def _layer_sizes(channels: int, num_layers: int) -> List[Tuple[int, int]]:
    """Input and output channels of each layer; x and y come first."""
    inputs = [channels + 2] + [channels] * (num_layers - 1)
    outputs = [channels] * (num_layers - 1) + [1]
    return list(zip(inputs, outputs))


def dynamic_mask_conv(
    features: Tensor,
    params: Tensor,
    points: Tensor,
    stride: int = 8,
    num_layers: int = 3,
) -> Tensor:
    """Apply the 1x1 convolutions of all instances of one image.

    Eq. 3 of `CondInst <https://arxiv.org/abs/2003.05664>`_ with the
    coordinates of IDOL: point of the instance minus centre of the pixel, in
    pixels of the image, not scaled. The features are shared by the
    instances; they are never copied for each.

    Args:
        features (Tensor): float32, (C, h, w), mask features of the image.
        params (Tensor): float32, (n, num_dynamic_params): the weights of
            all layers, then their biases.
        points (Tensor): float32, (n, 2), x and y of the instances, pixels.
        stride (int): Stride of the features. Defaults to 8.
        num_layers (int): Number of layers. Defaults to 3.

    Returns:
        Tensor: float32, (n, h, w), logits.
    """
    channels, height, width = features.shape
    weights, biases = _split(params, channels, num_layers)
    # The first layer reads (x, y, features): its part on the features is
    # one product for all instances, its part on the coordinates is affine.
    first = weights[0]
    flat = features.flatten(1)
    value = torch.matmul(first[:, :, 2:].flatten(0, 1), flat)
    value = value.view(len(params), channels, height, width)
    dx, dy = _offsets(points, height, width, stride)
    offset = biases[0][:, :, None]
    along_x = first[:, :, 0, None] * dx[:, None] + offset
    along_y = first[:, :, 1, None] * dy[:, None]
    value = value + along_x[:, :, None, :] + along_y[:, :, :, None]
    value = value.flatten(2)
    for weight, bias in zip(weights[1:], biases[1:]):
        value = torch.baddbmm(bias[:, :, None], weight, value.relu())
    return value.view(len(params), height, width)


def _split(
    params: Tensor, channels: int, num_layers: int
) -> Tuple[List[Tensor], List[Tensor]]:
    """Cut the parameters into weights (n, out, in) and biases (n, out)."""
    sizes = _layer_sizes(channels, num_layers)
    lengths = [i * o for i, o in sizes] + [o for _, o in sizes]
    parts = params.split(lengths, dim=1)
    weights = [part.view(-1, o, i) for part, (i, o) in zip(parts, sizes)]
    return weights, list(parts[num_layers:])


def _offsets(
    points: Tensor, height: int, width: int, stride: int
) -> Tuple[Tensor, Tensor]:
    """Offsets from the pixel centres to the points, (n, w) and (n, h)."""
    half = stride // 2
    centre_x = torch.arange(width, device=points.device) * stride + half
    centre_y = torch.arange(height, device=points.device) * stride + half
    return points[:, :1] - centre_x, points[:, 1:] - centre_y
