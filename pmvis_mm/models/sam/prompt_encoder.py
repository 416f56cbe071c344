"""Boxes as tokens."""

import math
from typing import List

import torch
from torch import Tensor, nn

from ...registry import MODELS
from .layers import LayerNorm2d


@MODELS.register_module()
class SAMPromptEncoder(nn.Module):
    """Prompt encoder of `SAM <https://arxiv.org/abs/2304.02643>`_, for boxes.

    What clicks and masks need is kept, unused, so that checkpoints load
    strictly.

    Args:
        embed_dims (int): Channels of the tokens. Defaults to 256.
        mask_channels (int): Of the layers for mask prompts. Defaults to 16.
    """

    def __init__(self, embed_dims: int = 256, mask_channels: int = 16) -> None:
        super().__init__()
        self.embed_dims = embed_dims
        self.pe_layer = _RandomFourier(embed_dims)
        # Clicks on background and foreground, first and last corner of boxes.
        self.point_embeddings = nn.ModuleList(
            nn.Embedding(1, embed_dims) for _ in range(4)
        )
        self.not_a_point_embed = nn.Embedding(1, embed_dims)
        self.mask_downscaling = nn.Sequential(
            nn.Conv2d(1, mask_channels // 4, 2, stride=2),
            LayerNorm2d(mask_channels // 4),
            nn.GELU(),
            nn.Conv2d(mask_channels // 4, mask_channels, 2, stride=2),
            LayerNorm2d(mask_channels),
            nn.GELU(),
            nn.Conv2d(mask_channels, embed_dims, 1),
        )
        self.no_mask_embed = nn.Embedding(1, embed_dims)

    def forward(self, boxes: Tensor, img_size: int) -> Tensor:
        """Encode boxes.

        Args:
            boxes (Tensor): float, (n, 4), xyxy, pixels of the padded input.
            img_size (int): Side of the padded input, pixels.

        Returns:
            Tensor: float, (n, 2, embed_dims), a token for each corner.
        """
        corners = (boxes.reshape(-1, 2, 2) + 0.5) / img_size
        kinds: List[Tensor] = list(self.point_embeddings.parameters())
        return self.pe_layer(corners) + torch.cat(kinds[2:])

    def dense_prompt(self) -> Tensor:
        """Tell the decoder that there is no mask prompt.

        Returns:
            Tensor: float, (1, embed_dims, 1, 1), added to every pixel.
        """
        return self.no_mask_embed.weight[..., None, None]

    def image_position(self, height: int, width: int) -> Tensor:
        """Encode the positions of the embedding's pixels.

        Args:
            height (int): Height of the embedding.
            width (int): Width of the embedding.

        Returns:
            Tensor: float, (1, embed_dims, height, width).
        """
        device = self.no_mask_embed.weight.device
        y = (torch.arange(height, device=device) + 0.5) / height
        x = (torch.arange(width, device=device) + 0.5) / width
        grid = torch.meshgrid(y, x, indexing='ij')
        code = self.pe_layer(torch.stack(grid[::-1], dim=-1))
        return code.permute(2, 0, 1)[None]


class _RandomFourier(nn.Module):
    """Code of a position by random frequencies (arXiv:2006.10739)."""

    positional_encoding_gaussian_matrix: Tensor

    def __init__(self, dims: int) -> None:
        super().__init__()
        self.register_buffer(
            'positional_encoding_gaussian_matrix', torch.randn(2, dims // 2)
        )

    def forward(self, points: Tensor) -> Tensor:
        """Map (..., 2), x and y in [0, 1], to (..., dims)."""
        frequencies = self.positional_encoding_gaussian_matrix
        phase = 2 * math.pi * ((2 * points - 1) @ frequencies)
        return torch.cat([phase.sin(), phase.cos()], dim=-1)
