"""DeAOT: tracks the masks of many objects at once."""

from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from mmengine.model import BaseModule
from torch import Tensor, nn
from torch.nn.modules.batchnorm import _BatchNorm

from ...registry import MODELS
from ...utils.errors import ConfigError
from .fpn_mask_head import FPNMaskHead
from .gpm import GPM
from .id_bank import IDBank

_MOBILENET = dict(type='DilatedMobileNetV2')
_RESNET = dict(
    type='ResNet',
    depth=50,
    num_stages=3,
    strides=(1, 2, 2),
    dilations=(1, 1, 1),
    out_indices=(0, 1, 2),
    norm_eval=True,
    style='pytorch',
)
_SWIN = dict(
    type='SwinTransformer',
    embed_dims=128,
    depths=(2, 2, 18),
    num_heads=(4, 8, 16),
    window_size=7,
    strides=(4, 2, 2),
    out_indices=(0, 1, 2),
)


def _mobile(num_layers: int, long_term_gap: int) -> Dict[str, Any]:
    return dict(
        backbone=_MOBILENET,
        in_channels=(24, 32, 96, 1280),
        num_layers=num_layers,
        long_term_gap=long_term_gap,
    )


class FrameFeatures(NamedTuple):
    """A frame as the network sees it, before any object plays a role.

    Attributes:
        x (Tensor): float, (B, 256, h, w), at stride 16; B is 1 in
            inference.
        pyramid (tuple[Tensor]): Three float maps (B, C, H, W) at strides
            4, 8 and 16, for the mask head.
        input_shape (tuple[int]): Height and width of the network's input.
        ori_shape (tuple[int]): Height and width of the frame.
    """

    x: Tensor
    pyramid: Tuple[Tensor, ...]
    input_shape: Tuple[int, int]
    ori_shape: Tuple[int, int]

    @property
    def nbytes(self) -> int:
        """Memory of the tensors, bytes."""
        return sum(
            t.numel() * t.element_size() for t in (self.x, *self.pyramid)
        )


@MODELS.register_module()
class DeAOT(BaseModule):
    """Network of `DeAOT <https://arxiv.org/abs/2210.09782>`_.

    Equal to the public code (github.com/yoxu515/aot-benchmark) in eval mode.
    :class:`DeAOTPropagator` holds the memory and runs it over a video,
    :class:`DeAOTSegmentor` trains it.

    Args:
        arch (str): 'deaott', 'deaots', 'deaotb', 'deaotl', 'r50_deaotl' or
            'swinb_deaotl'; sets the arguments that follow.
        backbone (dict, optional): Config of a backbone whose maps have
            strides 4, 8, 16, and perhaps once more 16; without ``type``,
            options for that of ``arch`` (``init_cfg``, say). Defaults to
            None.
        in_channels (Sequence[int], optional): Channels of the maps at
            strides 4, 8, 16 and of the last one. Defaults to None.
        num_layers (int, optional): Layers of the propagation module.
            Defaults to None.
        long_term_gap (int, optional): Every so many frames one is
            remembered for long; 9999 keeps the reference only. Defaults to
            None.
        align_corners (bool, optional): Of all interpolations; decides
            between inputs of 16k + 1 and of 16k pixels. Defaults to None.
        trainable (bool): Whether :meth:`train` takes effect; batch norms
            of the backbone stay as they are even so. Defaults to False:
            always in eval mode.
        drop_path (float): See :class:`GPMLayer`. Defaults to 0.0.
        dropout (float): See :class:`GatedAttention`. Defaults to 0.0.
        init_cfg (dict, optional): See mmengine. Defaults to None.

    Raises:
        ConfigError: If ``arch`` is unknown.
    """

    arch_settings: Dict[str, Dict[str, Any]] = dict(
        deaott=_mobile(1, 9999),
        deaots=_mobile(2, 9999),
        deaotb=_mobile(3, 9999),
        deaotl=_mobile(3, 5),
        r50_deaotl=dict(
            backbone=_RESNET,
            in_channels=(256, 512, 1024, 1024),
            num_layers=3,
            long_term_gap=5,
        ),
        swinb_deaotl=dict(
            backbone=_SWIN,
            in_channels=(128, 256, 512, 512),
            num_layers=3,
            long_term_gap=5,
            align_corners=False,
        ),
    )

    def __init__(
        self,
        arch: str = 'r50_deaotl',
        backbone: Optional[Dict[str, Any]] = None,
        in_channels: Optional[Sequence[int]] = None,
        num_layers: Optional[int] = None,
        long_term_gap: Optional[int] = None,
        align_corners: Optional[bool] = None,
        trainable: bool = False,
        drop_path: float = 0.0,
        dropout: float = 0.0,
        init_cfg: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(init_cfg)
        chosen = dict(
            backbone=backbone,
            in_channels=in_channels,
            num_layers=num_layers,
            long_term_gap=long_term_gap,
            align_corners=align_corners,
        )
        settings = self._settings(arch, chosen)
        channels = settings['in_channels']
        self.arch = arch
        self.trainable = trainable
        self.max_objects = 10
        self.long_term_gap: int = settings['long_term_gap']
        self.align_corners: bool = settings['align_corners']
        self.backbone = MODELS.build(settings['backbone'])
        self.projector = nn.Conv2d(channels[3], 256, 1)
        self.id_bank = IDBank(self.max_objects, 256, self.align_corners)
        self.gpm = GPM(settings['num_layers'], 256, drop_path, dropout)
        self.mask_head = FPNMaskHead(
            channels[:3],
            512,
            self.max_objects + 1,
            self.align_corners,
        )
        for norm in self._batch_norms():
            norm.requires_grad_(False)
        self.train(trainable)

    def train(self, mode: bool = True) -> 'DeAOT':
        """Stay in eval mode unless trainable; batch norms do in any case."""
        super().train(mode and self.trainable)
        for norm in self._batch_norms():
            norm.eval()
        return self

    def _batch_norms(self) -> List[nn.Module]:
        return [
            m for m in self.backbone.modules() if isinstance(m, _BatchNorm)
        ]

    def init_weights(self) -> None:
        """Draw the weights that training starts from.

        As in the public code: Xavier's uniform numbers, an orthogonal
        identity bank of small gain. The backbone follows its ``init_cfg``.
        """
        if not self.is_init:
            for module in (self.gpm, self.mask_head, self.projector):
                for weight in module.parameters():
                    if weight.ndim > 1:
                        nn.init.xavier_uniform_(weight)
            patches = self.id_bank.conv.weight
            nn.init.orthogonal_(patches, gain=patches.size(-1) ** -2)
        super().init_weights()

    def _settings(self, arch: str, chosen: Dict[str, Any]) -> Dict[str, Any]:
        if arch not in self.arch_settings:
            raise ConfigError(
                f'arch={arch!r} is unknown',
                fix=f'use one of {sorted(self.arch_settings)}',
            )
        settings = {'align_corners': True, **self.arch_settings[arch]}
        usual = settings['backbone']
        settings.update({k: v for k, v in chosen.items() if v is not None})
        if 'type' not in settings['backbone']:
            settings['backbone'] = {**usual, **settings['backbone']}
        return settings

    def extract_feat(
        self, inputs: Tensor, ori_shape: Optional[Tuple[int, int]] = None
    ) -> FrameFeatures:
        """Do everything for a frame that is common to all objects.

        Args:
            inputs (Tensor): float, (B, 3, H, W), normalised RGB; 16k + 1
                pixels a side, or 16k without ``align_corners``. B is 1, or
                the number of frames of a batch in training.
            ori_shape (tuple[int], optional): Height and width of the frame
                before resizing. Defaults to that of ``inputs``.

        Returns:
            FrameFeatures: May be used any number of times.
        """
        maps = self.backbone(inputs)
        shape = (inputs.size(2), inputs.size(3))
        return FrameFeatures(
            self.projector(maps[-1]),
            self.mask_head.compact(maps[:3]),
            shape,
            shape if ori_shape is None else ori_shape,
        )
