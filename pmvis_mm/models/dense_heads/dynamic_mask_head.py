"""CondInst-style masks of IDOL and the losses that supervise them."""

from typing import Any, Dict, List, Mapping, Optional, Sequence, Tuple

import torch
from mmdet.models.layers import MLP, inverse_sigmoid
from mmdet.models.task_modules import AssignResult
from mmdet.models.utils import aligned_bilinear
from mmengine.model import BaseModule
from mmengine.structures import InstanceData
from torch import Tensor, nn

from ...registry import MODELS
from ...structures.mask_targets import MaskTargets
from ...utils.errors import ConfigError
from ..detectors import FrameOutputs
from ..layers import MaskBranch, dynamic_mask_conv, num_dynamic_params
from ..losses.mask_losses import MaskLosses
from ..losses.utils import prepare_targets
from .idol_head import Assignments, gt_rows, name_layer
from .mask_targets import build_mask_targets
from .reference_frames import ReferenceFrames


@MODELS.register_module()
class DynamicMaskHead(BaseModule):
    """Predicts masks with convolutions made for each query.

    The dynamic convolutions of
    `CondInst <https://arxiv.org/abs/2003.05664>`_ as
    `IDOL <https://arxiv.org/abs/2207.10661>`_ uses them, on the output of
    the encoder. Which supervision trains them is up to ``mask_losses``:

    - IDOL: focal 2, dice 5 (real masks)
    - IDOL-BoxInst: proj 2, pairwise 2 (boxes)
    - PM-VIS: proj 2, pairwise 2, focal 1, dice 2.5 (boxes, pseudo masks)

    Losses that compare frames (``needs_tube``, as ``TKLoss``) get the masks
    of key and reference frame, (num_pos, 2, h, w), of the instances that
    both show: each positive query of the key frame with the one query of
    the reference frame that fits the instance best. All others get the key
    frame alone, (num_pos, 1, h, w).

    Args:
        in_channels (int): Channels of encoder and decoder. Defaults to 256.
        mask_channels (int): Channels of the mask features. Defaults to 8.
        num_dynamic_layers (int): Layers made for each query. Defaults to 3.
        num_levels (int): How many levels, from the finest on, the mask
            features are made of. Defaults to 3.
        stride (int): Stride of the finest level. Defaults to 8.
        mask_stride (int): Stride of the logits. Defaults to 4.
        mask_losses (dict[str, dict], optional): Configs of losses that take
            ``(mask_logits, MaskTargets)``, by the name that appears in
            logs as ``loss_<name>``. Defaults to None, for inference only.
        box_rule (str): See ``box_bitmasks``. Defaults to 'inclusive'.
        downsample (str): See ``box_bitmasks``. Defaults to 'sample2'.
        deep_supervision (bool): Whether all decoder layers are trained, or
            only the last. Defaults to True.
        sync_avg_factor (bool): Passed to the losses: whether their
            normalisers are counted over all processes. Defaults to True.
        init_cfg (dict, optional): Initialization config. Defaults to None.

    Raises:
        ConfigError: If the strides do not fit.
    """

    def __init__(
        self,
        in_channels: int = 256,
        mask_channels: int = 8,
        num_dynamic_layers: int = 3,
        num_levels: int = 3,
        stride: int = 8,
        mask_stride: int = 4,
        mask_losses: Optional[Mapping[str, Mapping[str, Any]]] = None,
        box_rule: str = 'inclusive',
        downsample: str = 'sample2',
        deep_supervision: bool = True,
        sync_avg_factor: bool = True,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        if stride % mask_stride:
            raise ConfigError(
                f'mask_stride={mask_stride} does not divide stride={stride}',
                fix='use 4 with a finest level of stride 8',
            )
        self.num_dynamic_layers = num_dynamic_layers
        self.num_levels = num_levels
        self.stride = stride
        self.mask_stride = mask_stride
        self.box_rule = box_rule
        self.downsample = downsample
        self.deep_supervision = deep_supervision
        self.mask_branch = MaskBranch(in_channels, mask_channels, num_levels)
        self.controller = MLP(
            in_channels,
            in_channels,
            num_dynamic_params(mask_channels, num_dynamic_layers),
            3,
        )
        self.mask_losses = MaskLosses(mask_losses, sync_avg_factor)

    def init_weights(self) -> None:
        """Initialise branch and controller."""
        super().init_weights()
        for layer in self.controller.layers:
            nn.init.xavier_uniform_(layer.weight)
            nn.init.zeros_(layer.bias)

    def needs(self, what: str) -> bool:
        """Whether a loss reads something, see ``MaskLosses.needs``."""
        return self.mask_losses.needs(what)

    # ------------------------------------------------------------ masks
    def forward(self, memory: Sequence[Tensor]) -> Tensor:
        """Compute the mask features.

        Args:
            memory (Sequence[Tensor]): float, (B, C, h_l, w_l), output of
                the encoder, fine to coarse; more levels than needed may be
                given.

        Returns:
            Tensor: float32, (B, mask_channels, h, w), at ``stride``.
        """
        return self.mask_branch(memory[: self.num_levels]).float()

    def predict_masks(
        self, features: Tensor, hidden: Tensor, points: Tensor
    ) -> Tensor:
        """Predict the masks of some queries of one frame.

        Coordinates are in pixels: half precision would not hold them, so
        this is computed in float32 even under autocast.

        Args:
            features (Tensor): float32, (mask_channels, h, w), of the frame.
            hidden (Tensor): float, (n, C), output of a decoder layer.
            points (Tensor): float, (n, 2), centres that this layer has read
                as reference, x and y in pixels.

        Returns:
            Tensor: float32, (n, h', w'), logits at ``mask_stride``.
        """
        with torch.autocast(features.device.type, enabled=False):
            params = self.controller(hidden.float())
            logits = dynamic_mask_conv(
                features,
                params,
                points.float(),
                self.stride,
                self.num_dynamic_layers,
            )
            factor = self.stride // self.mask_stride
            if len(logits) == 0:
                height, width = logits.shape[-2:]
                return (
                    logits.new_zeros((0, height * factor, width * factor))
                    + logits.sum()
                )
            return aligned_bilinear(logits[None], factor)[0]

    # ------------------------------------------------------------ losses
    def loss_by_feat(
        self,
        outputs: FrameOutputs,
        assignments: Assignments,
        targets: MaskTargets,
        img_shapes: Sequence[Sequence[int]],
        reference: Optional[ReferenceFrames] = None,
    ) -> Dict[str, Tensor]:
        """Compute the mask losses of the assigned queries.

        Args:
            outputs (FrameOutputs): Of the key frames.
            assignments (list[list[AssignResult]]): Per layer, per frame.
            targets (MaskTargets): From :meth:`get_targets`.
            img_shapes (Sequence[Sequence[int]]): Height and width of the
                unpadded frames, pixels.
            reference (ReferenceFrames, optional): Only losses over both
                frames read them. Defaults to None.

        Returns:
            dict[str, Tensor]: ``loss_<name>``; those of the layers before
            the last as ``d0.loss_<name>`` and so on.
        """
        if not self.mask_losses:
            return {}
        features = self(outputs.memory)
        if reference is not None:
            ref_features = self(reference.outputs.memory)
        last = len(assignments) - 1
        losses: Dict[str, Tensor] = {}
        for layer, assigned in enumerate(assignments):
            if layer < last and not self.deep_supervision:
                continue
            rows = targets.gather([gt_rows(result) for result in assigned])
            queries = [result.gt_inds > 0 for result in assigned]
            logits = self._layer_masks(
                outputs, layer, features, queries, img_shapes
            )
            inputs = {False: (logits[:, None], rows)}
            if reference is not None:
                inputs[True] = self._tubes(
                    logits, assigned, layer, ref_features, reference
                )
            values = {
                f'loss_{name}': loss(*inputs[_needs_tube(loss)])
                for name, loss in self.mask_losses.items()
            }
            losses.update(name_layer(values, layer, len(assignments)))
        return losses

    def _tubes(
        self,
        logits: Tensor,
        assigned: Sequence[AssignResult],
        layer: int,
        features: Tensor,
        reference: ReferenceFrames,
    ) -> Tuple[Tensor, MaskTargets]:
        """Masks in both frames of the instances that both show."""
        partners = reference.partners(assigned)
        shown = partners >= 0
        others = self._layer_masks(
            reference.outputs,
            layer,
            features,
            reference.queries(layer),
            reference.img_shapes,
        )
        tubes = torch.stack((logits[shown], others[partners[shown]]), 1)
        rows = [gt_rows(result) for result in assigned]
        return tubes, reference.targets.gather(rows).gather(shown)

    def _layer_masks(
        self,
        outputs: FrameOutputs,
        layer: int,
        features: Tensor,
        queries: Sequence[Tensor],
        img_shapes: Sequence[Sequence[int]],
    ) -> Tensor:
        """Mask logits of chosen queries of all frames, (num_pos, h, w)."""
        masks: List[Tensor] = []
        for frame, chosen in enumerate(queries):
            reference = outputs.references[layer][frame, chosen, :2].float()
            # The public code trains on this round trip, which clamps.
            reference = inverse_sigmoid(reference).sigmoid()
            masks.append(
                self.predict_masks(
                    features[frame],
                    outputs.hidden_states[layer, frame, chosen],
                    to_pixels(reference, img_shapes[frame]),
                )
            )
        return torch.cat(masks)

    def get_targets(
        self,
        batch_gt: Sequence[InstanceData],
        input_shape: Sequence[int],
        similarity: Optional[Tensor] = None,
        similarity_dilation: int = 2,
    ) -> MaskTargets:
        """Build the targets that all decoder layers share.

        Args:
            batch_gt (Sequence[InstanceData]): Of the key frames, see
                :func:`build_mask_targets`.
            input_shape (Sequence[int]): Height and width of the padded
                batch, pixels.
            similarity (Tensor, optional): float, (N, T, K, h, w), from the
                data preprocessor. Only the first frame is read.
            similarity_dilation (int): Distance to its neighbours, pixels
                at mask stride. Defaults to 2.

        Returns:
            MaskTargets: One row per instance.
        """
        if similarity is not None:
            similarity = similarity[:, :1]
        targets = build_mask_targets(
            batch_gt,
            (int(input_shape[0]), int(input_shape[1])),
            self.mask_stride,
            similarity,
            similarity_dilation,
            self.needs('masks'),
            self.box_rule,
            self.downsample,
        )
        return prepare_targets(self._losses_of(tube=False), targets)

    def get_tube_targets(
        self,
        boxes: Sequence[Tensor],
        input_shape: Sequence[int],
        lab: Optional[Tensor] = None,
        images: Optional[Tensor] = None,
    ) -> MaskTargets:
        """Build the targets of losses over both frames of a clip.

        Args:
            boxes (Sequence[Tensor]): float, (G_n, 2, 4) of each of N clips,
                xyxy in pixels, zero where a frame does not show the
                instance; key frame first.
            input_shape (Sequence[int]): Height and width of the padded
                batch, pixels.
            lab (Tensor, optional): float32, (N, 2, 3, h, w), CIE-Lab of the
                raw frames at mask stride. Defaults to None.
            images (Tensor, optional): uint8, (N, 2, 3, H, W), raw frames.
                Defaults to None.

        Returns:
            MaskTargets: One row per instance of the key frames.
        """
        targets = build_mask_targets(
            [InstanceData(bboxes=tube) for tube in boxes],
            (int(input_shape[0]), int(input_shape[1])),
            self.mask_stride,
            box_rule=self.box_rule,
            downsample=self.downsample,
            lab=lab,
            images=images,
        )
        return prepare_targets(self._losses_of(tube=True), targets)

    def _losses_of(self, tube: bool) -> List[nn.Module]:
        """Losses that see both frames, or those that see the key frame."""
        return [
            loss
            for loss in self.mask_losses.values()
            if _needs_tube(loss) == tube
        ]


def _needs_tube(loss: nn.Module) -> bool:
    """Whether a loss compares the frames of a clip."""
    return bool(getattr(loss, 'needs_tube', False))


def to_pixels(points: Tensor, img_shape: Sequence[int]) -> Tensor:
    """Scale points in [0, 1] to a frame.

    Args:
        points (Tensor): float, (n, 2), x and y.
        img_shape (Sequence[int]): Height and width of the unpadded frame.

    Returns:
        Tensor: float, (n, 2), pixels.
    """
    return points * points.new_tensor([img_shape[1], img_shape[0]])
