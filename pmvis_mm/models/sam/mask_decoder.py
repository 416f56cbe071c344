"""From tokens and image to masks: SAM's decoder and that of HQ-SAM."""

from typing import Optional, Tuple, cast

import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import MODELS
from .layers import MLP, Doubling, LayerNorm2d
from .two_way_transformer import TwoWayTransformer

_NUM_MASKS = 4  # token 0 for clear prompts, 1 to 3 for ambiguous ones
_STRIP = 32  # rows of 256 pixels


@MODELS.register_module()
class SAMMaskDecoder(nn.Module):
    """Mask decoder of `SAM <https://arxiv.org/abs/2304.02643>`_.

    The baseline of :class:`HQMaskDecoder`.

    Args:
        embed_dims (int): Channels of embedding and tokens. Defaults to 256.
        early_channels (int, optional): Channels of the encoder's early
            features, which SAM does not use.
        multimask_output (bool): Whether the mask is the one of SAM's three
            for ambiguous prompts that it believes in most, instead of the
            one for clear prompts such as boxes. Defaults to False.
    """

    def __init__(
        self,
        embed_dims: int = 256,
        early_channels: Optional[int] = None,
        multimask_output: bool = False,
    ) -> None:
        super().__init__()
        quarter, eighth = embed_dims // 4, embed_dims // 8
        self.multimask_output = multimask_output
        self.transformer = TwoWayTransformer(embed_dims)
        self.iou_token = nn.Embedding(1, embed_dims)
        self.mask_tokens = nn.Embedding(_NUM_MASKS, embed_dims)
        self.output_upscaling = nn.Sequential(
            Doubling(embed_dims, quarter),
            LayerNorm2d(quarter),
            nn.GELU(),
            Doubling(quarter, eighth),
            nn.GELU(),
        )
        self.output_hypernetworks_mlps = nn.ModuleList(
            MLP(embed_dims, embed_dims, eighth) for _ in range(_NUM_MASKS)
        )
        self.iou_prediction_head = MLP(embed_dims, 256, _NUM_MASKS)

    def image_features(
        self, embedding: Tensor, early: Tensor
    ) -> Optional[Tensor]:
        """Compute what depends on the image alone; SAM has nothing.

        Args:
            embedding (Tensor): float, (B, C, h, w), of the encoder.
            early (Tensor): float, (B, early_channels, h, w), of the encoder.

        Returns:
            Tensor, optional: float, (B, C / 8, 4h, 4w).
        """
        return None

    def forward(
        self,
        embedding: Tensor,
        features: Optional[Tensor],
        position: Tensor,
        prompts: Tensor,
        dense_prompt: Tensor,
    ) -> Tuple[Tensor, Tensor]:
        """Decode n prompts of one image.

        Args:
            embedding (Tensor): float, (1, C, h, w), of the encoder.
            features (Tensor, optional): What :meth:`image_features` gave
                for it.
            position (Tensor): float, (1, C, h, w), code of the pixels.
            prompts (Tensor): float, (n, k, C), tokens of the prompts, n > 0.
            dense_prompt (Tensor): float, (1, C, h, w) or (1, C, 1, 1).

        Returns:
            tuple[Tensor]: Mask logits, (n, 4h, 4w), and the IoU that the
            model expects of them, (n,), about in [0, 1].
        """
        own = self._output_tokens().expand(len(prompts), -1, -1)
        tokens = torch.cat([own, prompts], dim=1)
        image = (embedding + dense_prompt).flatten(2).transpose(1, 2)
        position = position.flatten(2).transpose(1, 2)
        shared = self.transformer.share(image, position)
        size = _group_size(tokens)
        groups = [
            self.transformer(image, position, part, shared)
            for part in tokens.split(size)
        ]
        tokens = torch.cat([read for read, _ in groups])
        ious, best = self._select(self.iou_prediction_head(tokens[:, 0]))
        masks = []
        for part, chosen, (_, image) in zip(
            tokens[:, 1:].split(size), best.split(size), groups
        ):
            pixels = image.transpose(1, 2).unflatten(2, embedding.shape[2:])
            upscaled = self.output_upscaling(pixels)
            masks.append(self._masks(part, chosen, upscaled, features))
        return torch.cat(masks), ious

    def _output_tokens(self) -> Tensor:
        return torch.cat([self.iou_token.weight, self.mask_tokens.weight])

    def _select(self, ious: Tensor) -> Tuple[Tensor, Tensor]:
        """Choose a mask for each prompt: (n,) IoU and (n,) index."""
        if not self.multimask_output:
            return ious[:, 0], ious.new_zeros(len(ious), dtype=torch.long)
        values, best = ious[:, 1:].max(dim=1)
        return values, best + 1

    def _masks(
        self,
        tokens: Tensor,
        best: Tensor,
        upscaled: Tensor,
        features: Optional[Tensor],
    ) -> Tensor:
        """Multiply the chosen token of each prompt with the pixels."""
        weights = torch.stack(
            [
                mlp(tokens[:, i])
                for i, mlp in enumerate(self.output_hypernetworks_mlps)
            ],
            dim=1,
        )
        rows = torch.arange(len(best), device=best.device)
        return _dot(weights[rows, best], upscaled)


@MODELS.register_module()
class HQMaskDecoder(SAMMaskDecoder):
    """Mask decoder of `HQ-SAM <https://arxiv.org/abs/2306.01567>`_.

    One more token reads a mask from pixel features that are fused with
    early and late features of the encoder (section 3.2). Equal to the
    public implementation, with its state dict.

    Args:
        early_channels (int): Channels of the encoder's early features.
        embed_dims (int): Channels of embedding and tokens. Defaults to 256.
        multimask_output (bool): See :class:`SAMMaskDecoder`. Defaults to
            False, as in the authors' evaluations with boxes.
        hq_token_only (bool): Whether the mask is that of the additional
            token alone, instead of its sum with SAM's. Defaults to False.
    """

    def __init__(
        self,
        early_channels: int,
        embed_dims: int = 256,
        multimask_output: bool = False,
        hq_token_only: bool = False,
    ) -> None:
        super().__init__(embed_dims, early_channels, multimask_output)
        quarter, eighth = embed_dims // 4, embed_dims // 8
        self.hq_token_only = hq_token_only
        self.hf_token = nn.Embedding(1, embed_dims)
        self.hf_mlp = MLP(embed_dims, embed_dims, eighth)
        self.compress_vit_feat = _upscaling(early_channels, embed_dims, eighth)
        self.embedding_encoder = _upscaling(embed_dims, quarter, eighth)
        self.embedding_maskfeature = nn.Sequential(
            nn.Conv2d(eighth, quarter, 3, padding=1),
            LayerNorm2d(quarter),
            nn.GELU(),
            nn.Conv2d(quarter, eighth, 3, padding=1),
        )

    def image_features(self, embedding: Tensor, early: Tensor) -> Tensor:
        """Fuse early and late features; see the base class."""
        return self.embedding_encoder(embedding) + self.compress_vit_feat(
            early
        )

    def _output_tokens(self) -> Tensor:
        return torch.cat([super()._output_tokens(), self.hf_token.weight])

    def _masks(
        self,
        tokens: Tensor,
        best: Tensor,
        upscaled: Tensor,
        features: Optional[Tensor],
    ) -> Tensor:
        assert features is not None
        weights = self.hf_mlp(tokens[:, _NUM_MASKS])
        masks = self._fused_dot(weights, upscaled)
        masks = masks + torch.einsum('nc,chw->nhw', weights, features[0])
        if self.hq_token_only:
            return masks
        return masks + super()._masks(tokens, best, upscaled, features)

    def _fused_dot(self, weights: Tensor, upscaled: Tensor) -> Tensor:
        """Multiply the tokens with the mask features.

        The last convolution comes after the product with its 32 channels
        instead of before: it is linear, so that one channel is left of it.

        Args:
            weights (Tensor): float, (n, C / 8).
            upscaled (Tensor): float, (n, C / 8, 4h, 4w).

        Returns:
            Tensor: (n, 4h, 4w).
        """
        first = cast(nn.Conv2d, self.embedding_maskfeature[0])
        last = cast(nn.Conv2d, self.embedding_maskfeature[3])
        assert last.bias is not None
        kernels = torch.einsum('nc,cdij->nijd', weights, last.weight)
        height, width = upscaled.shape[2:]
        padded = F.pad(upscaled, (1, 1, 1, 1))
        # A CPU does it by strips, which stay in its cache.
        rows = _STRIP if upscaled.device.type == 'cpu' else height
        strips = []
        for top in range(0, height, rows):
            strip = padded[:, :, top : top + rows + 2]
            strip = F.conv2d(strip, first.weight, first.bias)
            strip = self.embedding_maskfeature[1:3](strip)
            strips.append(kernels.flatten(1, 2) @ strip.flatten(2))
        taps = torch.cat(strips, dim=2).unflatten(2, (height, width))
        taps = F.pad(taps, (1, 1, 1, 1))
        sums = (weights @ last.bias)[:, None, None]
        for i in range(9):
            y, x = divmod(i, 3)
            sums = sums + taps[:, i, y : y + height, x : x + width]
        return sums


def _group_size(tokens: Tensor) -> int:
    """Choose how many prompts update the pixels together.

    On a CPU one: its maps of 17 MB stay in the memory that the allocator
    reuses, while larger ones are mapped anew by the system every time, which
    takes longer than the computation.
    """
    return 1 if tokens.device.type == 'cpu' else len(tokens)


def _upscaling(
    in_channels: int, hidden_channels: int, out_channels: int
) -> nn.Sequential:
    """Four times as large."""
    return nn.Sequential(
        Doubling(in_channels, hidden_channels),
        LayerNorm2d(hidden_channels),
        nn.GELU(),
        Doubling(hidden_channels, out_channels),
    )


def _dot(weights: Tensor, pixels: Tensor) -> Tensor:
    """Multiply (n, C) with (n, C, H, W) to (n, H, W)."""
    return torch.einsum('nc,nchw->nhw', weights, pixels)
