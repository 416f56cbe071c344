"""Colour features of raw frames in CIE-Lab, where distance is perceptual."""

import torch
import torch.nn.functional as F
from torch import Tensor

from ...utils.errors import PMVISError

# Linear sRGB to XYZ (IEC 61966-2-1) and the white point D65 of the 2 degree
# observer, to the digits that scikit-image >= 0.18 uses.
_XYZ_FROM_RGB = (
    (0.412453, 0.357580, 0.180423),
    (0.212671, 0.715160, 0.072169),
    (0.019334, 0.119193, 0.950227),
)
_WHITE = (0.95047, 1.0, 1.08883)


def rgb_to_lab(rgb: Tensor) -> Tensor:
    """Convert sRGB to CIE-Lab (1976, D65, 2 degree observer).

    Agrees with ``skimage.color.rgb2lab`` to 1e-3 on the CPU and the GPU.

    Args:
        rgb (Tensor): (..., 3, h, w), red, green, blue in [0, 255].

    Returns:
        Tensor: float32, same shape: L in [0, 100], a and b about +-110.
    """
    # float64, as in skimage: a similarity beside the threshold must not
    # depend on the backend. The maps are small (mask stride).
    value = rgb.double() / 255
    linear = torch.where(
        value > 0.04045,
        ((value + 0.055) / 1.055).pow(2.4),
        value / 12.92,
    )
    matrix = linear.new_tensor(_XYZ_FROM_RGB)
    matrix = matrix / matrix.new_tensor(_WHITE)[:, None]
    xyz = torch.einsum('dc,...chw->...dhw', matrix, linear)
    xyz = torch.where(xyz > 0.008856, xyz.pow(1 / 3), 7.787 * xyz + 16 / 116)
    x, y, z = xyz.unbind(-3)
    lab = (116 * y - 16, 500 * (x - y), 200 * (y - z))
    return torch.stack(lab, dim=-3).float()


def lab_features(
    images: Tensor, stride: int = 4, swap_rb: bool = False
) -> Tensor:
    """Compute the Lab colour of each ``stride`` x ``stride`` block.

    Blocks are averaged, then truncated to whole levels, as in the public
    implementation of `BoxInst <https://arxiv.org/abs/2012.02310>`_.

    Args:
        images (Tensor): uint8 or float, (..., 3, H, W), red, green, blue
            in [0, 255]: raw frames, zero-padded, before normalisation.
        stride (int): Size of a block in pixels; must divide H and W.
            Defaults to 4.
        swap_rb (bool): Take the first channel for blue. The released code
            of PM-VIS and MaskFreeVIS does so with RGB frames; True
            reproduces it, False is right. Defaults to False.

    Returns:
        Tensor: float32, (..., 3, H / stride, W / stride).

    Raises:
        PMVISError: If the images look normalised or do not divide.
    """
    _check_images(images, stride)
    pooled = F.avg_pool2d(images.flatten(0, -4).float(), stride)
    pooled = pooled.view(*images.shape[:-2], *pooled.shape[-2:])
    if swap_rb:
        pooled = pooled.flip(-3)
    return rgb_to_lab(pooled.floor())


def _check_images(images: Tensor, stride: int) -> None:
    """Refuse shapes that do not divide and colours that are not raw."""
    if images.dim() < 4 or images.size(-3) != 3:
        raise PMVISError(
            f'images must be (..., 3, H, W), got {tuple(images.shape)}',
            fix='pass a batch of colour frames',
        )
    height, width = images.shape[-2:]
    if height % stride or width % stride:
        raise PMVISError(
            f'frames of {width}x{height} do not divide by the stride {stride}',
            fix='set pad_size_divisor of the data preprocessor to a '
            'multiple of it',
        )
    if images.is_floating_point() and images.numel():
        low, high = torch.stack([images.min(), images.max()]).tolist()
        # Undoing a normalisation is no way out: the rounding error, then
        # truncated, changes some levels.
        if low < 0 or high > 255:
            raise PMVISError(
                f'colours in [{low:.3g}, {high:.3g}] are not raw levels',
                fix='compute colour features before images are normalised',
            )
