"""Optical flow between the frames of a clip, from OpenCV or RAFT."""

from abc import ABCMeta, abstractmethod
from importlib import import_module
from typing import List, Optional, Tuple

import cv2
import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import TASK_UTILS
from ...utils.checkpoint import load_weights, read_checkpoint
from ...utils.errors import ConfigError, PMVISError
from ...utils.optical_flow import DISFlow, resize_flow

SCALES = ('full', 'stride')
RAFT_MODELS = ('raft_large', 'raft_small')
# RAFT halves an eighth of the frame three times more, and needs something
# left to look at.
_RAFT_DIVISOR, _RAFT_MIN_SIDE = 8, 128


class FlowEstimator(metaclass=ABCMeta):
    """Base of what measures the motion between frames.

    No ``nn.Module``: nothing of it is trained, saved or distributed.

    Attributes:
        needs_images (bool): Whether raw frames are needed.
    """

    needs_images: bool = False

    @abstractmethod
    def estimate(
        self,
        lab: Tensor,
        images: Optional[Tensor],
        pairs: List[Tuple[int, int]],
    ) -> Tensor:
        """Measure flow between frames of one clip.

        Args:
            lab (Tensor): float32, (T, 3, h, w), CIE-Lab at mask stride.
            images (Tensor, optional): uint8, (T, 3, H, W), raw RGB frames;
                H / h = W / w is the mask stride.
            pairs (list[tuple[int]]): P pairs of frames (source, target).

        Returns:
            Tensor: float32, (P, 2, h, w), x and y in pixels at mask stride:
            the content of pixel p of the source is at p + flow in the
            target.

        Raises:
            PMVISError: If frames are needed that are missing or of another
                size.
        """


@TASK_UTILS.register_module(name='DIS')
class DISEstimator(FlowEstimator):
    """`DIS flow <https://arxiv.org/abs/1603.03590>`_ of OpenCV, on the CPU.

    Args:
        scale (str): 'stride': flow of the lightness at mask stride; 'full':
            flow of the raw frames, averaged over the blocks of the mask
            stride. Defaults to 'stride'.
        preset (str): 'ultrafast', 'fast' or 'medium'. Defaults to 'medium'.
        finest_scale (int): See :class:`~.optical_flow.DISFlow`. Defaults to
            0.
        min_side (int): See there, pixels. Defaults to 192.

    Raises:
        ConfigError: If an option is out of range.
    """

    def __init__(
        self,
        scale: str = 'stride',
        preset: str = 'medium',
        finest_scale: int = 0,
        min_side: int = 192,
    ) -> None:
        if scale not in SCALES:
            raise ConfigError(
                f'scale={scale!r} is unknown', fix=f'use one of {SCALES}'
            )
        self.needs_images = scale == 'full'
        self.flow = DISFlow(preset, finest_scale, min_side)

    def estimate(
        self,
        lab: Tensor,
        images: Optional[Tensor],
        pairs: List[Tuple[int, int]],
    ) -> Tensor:
        """See the base class."""
        height, width = lab.shape[-2:]
        if self.needs_images:
            frames, _ = require_images(images, lab)
            rgb = frames.permute(0, 2, 3, 1).cpu().numpy()
            gray = [cv2.cvtColor(f, cv2.COLOR_RGB2GRAY) for f in rgb]
        else:
            light = (lab[:, 0] * 2.55).round().clamp(0, 255)
            gray = list(light.to(torch.uint8).cpu().numpy())
        gray = [self.flow.enlarge(frame) for frame in gray]
        dis = self.flow.create()
        found = np.empty((len(pairs), height, width, 2), np.float32)
        for number, (source, target) in enumerate(pairs):
            vectors = dis.calc(gray[source], gray[target], None)
            found[number] = resize_flow(vectors, height, width)
        return torch.from_numpy(found).permute(0, 3, 1, 2).to(lab.device)


@TASK_UTILS.register_module(name='RAFT')
class RAFTEstimator(FlowEstimator):
    """`RAFT <https://arxiv.org/abs/2003.12039>`_ of torchvision, frozen.

    Runs in float32 where the frames are. Nothing is downloaded.

    Args:
        weights (str): File with the weights of torchvision's model.
        model (str): 'raft_large' or 'raft_small'. Defaults to 'raft_large'.
        num_flow_updates (int): Iterations. Defaults to 12.

    Raises:
        ConfigError: If torchvision is missing or broken, or an option is
            out of range.
        CheckpointError: If the weights are missing or do not fit.
    """

    needs_images = True

    def __init__(
        self,
        weights: str,
        model: str = 'raft_large',
        num_flow_updates: int = 12,
    ) -> None:
        if num_flow_updates < 1:
            raise ConfigError(
                f'num_flow_updates is {num_flow_updates}', fix='use 1 or more'
            )
        self.num_flow_updates = num_flow_updates
        self.model = _build_raft(model)
        if not weights or '://' in str(weights):
            raise ConfigError(
                f'RAFT has weights={weights!r}',
                fix='download the weights of torchvision and give the file',
            )
        state_dict = read_checkpoint(weights)['state_dict']
        load_weights(self.model, state_dict, weights, allow_unused=False)
        self.model.eval().requires_grad_(False)

    @torch.no_grad()
    def estimate(
        self,
        lab: Tensor,
        images: Optional[Tensor],
        pairs: List[Tuple[int, int]],
    ) -> Tensor:
        """See the base class."""
        frames, stride = require_images(images, lab)
        self.model.to(frames.device)
        flows = lab.new_empty((len(pairs), 2, *lab.shape[-2:]))
        with torch.autocast(frames.device.type, enabled=False):
            inputs = _pad(frames.float() / 127.5 - 1)
            for number, (source, target) in enumerate(pairs):
                flow = self.model(
                    inputs[source, None],
                    inputs[target, None],
                    num_flow_updates=self.num_flow_updates,
                )[-1]
                flow = flow[..., : frames.size(-2), : frames.size(-1)]
                flows[number] = F.avg_pool2d(flow, stride)[0] / stride
        return flows


def require_images(
    images: Optional[Tensor], lab: Tensor
) -> Tuple[Tensor, int]:
    """Return the raw frames and the mask stride.

    Args:
        images (Tensor, optional): uint8, (T, 3, H, W).
        lab (Tensor): (T, 3, h, w).

    Raises:
        PMVISError: If there are none, or they have another size.
    """
    if images is None:
        raise PMVISError(
            'this optical flow needs raw frames, but has colour features only',
            fix='set images=True in `temporal` of the data preprocessor, or '
            "use flow=dict(type='DIS', scale='stride')",
        )
    stride = images.size(-1) // lab.size(-1)
    expected = [side * stride for side in lab.shape[-2:]]
    if not stride or list(images.shape[-2:]) != expected:
        raise PMVISError(
            f'frames {tuple(images.shape)} and colour features '
            f'{tuple(lab.shape)} do not fit',
            fix='let the data preprocessor make both',
        )
    return images, stride


def _build_raft(model: str) -> nn.Module:
    """Build it without weights; torchvision is loaded only here."""
    if model not in RAFT_MODELS:
        raise ConfigError(
            f'model={model!r} is unknown', fix=f'use one of {RAFT_MODELS}'
        )
    try:
        optical_flow = import_module('torchvision.models.optical_flow')
    except (ImportError, RuntimeError) as reason:
        # Made for another torch, it fails to register its operations.
        raise ConfigError(
            f'RAFT needs torchvision, which cannot be imported ({reason})',
            fix='install the version of torchvision that belongs to this '
            "torch, or use flow=dict(type='DIS')",
        ) from reason
    return getattr(optical_flow, model)(weights=None, progress=False)


def _pad(images: Tensor) -> Tensor:
    """Repeat the last row and column up to a size that RAFT takes."""
    height, width = (
        max(-(-side // _RAFT_DIVISOR) * _RAFT_DIVISOR, _RAFT_MIN_SIDE)
        for side in images.shape[-2:]
    )
    more = (0, width - images.size(-1), 0, height - images.size(-2))
    return F.pad(images, more, mode='replicate')
