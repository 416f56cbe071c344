"""Identity embedding of AOT."""

import torch
import torch.nn.functional as F
from torch import Tensor, nn


class IDBank(nn.Module):
    """Turns label maps into embeddings, one vector per identity and place.

    `AOT <https://arxiv.org/abs/2106.02638>`_, Eq. 3: the one-hot labels are
    summed up over patches of stride 16 with learned weights.

    Args:
        num_ids (int): Objects per group. Defaults to 10.
        channels (int): Channels of the embedding. Defaults to 256.
        align_corners (bool): Whether maps have 16k + 1 pixels a side, with
            patches of 17 pixels that overlap; else 16k, with patches of 16.
            Defaults to True.
    """

    def __init__(
        self,
        num_ids: int = 10,
        channels: int = 256,
        align_corners: bool = True,
    ) -> None:
        super().__init__()
        self.num_ids = num_ids
        self.conv = nn.Conv2d(
            num_ids + 1,
            channels,
            17 if align_corners else 16,
            stride=16,
            padding=8 if align_corners else 0,
        )
        self.norm = nn.LayerNorm(channels)

    def one_hot(self, labels: Tensor, num_groups: int) -> Tensor:
        """Spread labels over channels, group by group.

        Group g has the objects 10g + 1 ... 10g + 10. Objects of another
        group are its background; what no group has (255, say) is nothing
        at all.

        Args:
            labels (Tensor): int64, (H, W), 0 is background.
            num_groups (int): G.

        Returns:
            Tensor: float, (G, 11, H, W), zero or one.
        """
        step = self.num_ids
        first = torch.arange(num_groups, device=labels.device) * step
        own = labels[None] - first[:, None, None]
        own = own.where((own >= 1) & (own <= step), torch.zeros_like(own))
        hot = F.one_hot(own, step + 1).permute(0, 3, 1, 2)
        known = (labels >= 0) & (labels <= num_groups * step)
        return (hot * known).to(self.conv.weight.dtype)

    def forward(self, labels: Tensor, num_groups: int) -> Tensor:
        """Embed a label map.

        Args:
            labels (Tensor): int64, (H, W), see :meth:`one_hot`.
            num_groups (int): G.

        Returns:
            Tensor: float, (G, h * w, channels) of the grid at stride 16.
        """
        return self.embed(self.one_hot(labels, num_groups))

    def embed(self, one_hot: Tensor) -> Tensor:
        """Embed labels that are spread over channels.

        Args:
            one_hot (Tensor): float, (B, 11, H, W).

        Returns:
            Tensor: float, (B, h * w, channels) of the grid at stride 16.
        """
        x = self.conv(one_hot)
        return self.norm(x.flatten(2).transpose(1, 2))
