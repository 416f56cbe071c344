"""Embeddings by which IDOL recognises instances."""

from typing import Any, Dict, Mapping, Optional, Sequence

import torch
from mmdet.models.layers import MLP
from mmengine.model import BaseModule
from torch import Tensor, nn

from ...registry import MODELS
from ...utils.errors import ConfigError, PMVISError
from ..losses.utils import sync_count

_LOSS_REID = dict(type='ContrastiveReIDLoss', loss_weight=2.0)
_LOSS_REID_AUX = dict(type='CosineReIDLoss', loss_weight=3.0)


@MODELS.register_module()
class IDOLTrackHead(BaseModule):
    """Re-identification head of `IDOL <https://arxiv.org/abs/2207.10661>`_.

    A small network turns queries into embeddings. Those of the same
    instance in two frames shall be alike, all others not.

    Args:
        in_channels (int): Channels of the queries. Defaults to 256.
        feat_channels (int): Hidden channels. Defaults to 256.
        out_channels (int): Channels of the embeddings. Defaults to 256.
        num_layers (int): Linear layers. Defaults to 3.
        loss_reid (dict, optional): Config of the contrastive loss; None for
            none. Defaults to
            ``dict(type='ContrastiveReIDLoss', loss_weight=2.0)``.
        loss_reid_aux (dict, optional): Config of the auxiliary loss; None
            for none. Defaults to
            ``dict(type='CosineReIDLoss', loss_weight=3.0)``.
        sync_avg_factor (bool): Whether the instances that losses are
            averaged over are counted over all processes (as if one process
            had the whole batch), or in each alone (public code). Defaults
            to True.
        init_cfg (dict, optional): Initialization config. Defaults to None.
    """

    def __init__(
        self,
        in_channels: int = 256,
        feat_channels: int = 256,
        out_channels: int = 256,
        num_layers: int = 3,
        loss_reid: Optional[Mapping[str, Any]] = _LOSS_REID,
        loss_reid_aux: Optional[Mapping[str, Any]] = _LOSS_REID_AUX,
        sync_avg_factor: bool = True,
        init_cfg: Optional[dict] = None,
    ) -> None:
        super().__init__(init_cfg)
        self.embed = MLP(in_channels, feat_channels, out_channels, num_layers)
        self.losses = nn.ModuleDict(
            {
                name: MODELS.build(dict(config))
                for name, config in dict(
                    loss_reid=loss_reid, loss_reid_aux=loss_reid_aux
                ).items()
                if config is not None
            }
        )
        self.sync_avg_factor = sync_avg_factor

    def forward(self, hidden_states: Tensor) -> Tensor:
        """Embed queries.

        Args:
            hidden_states (Tensor): float, (..., in_channels), of the last
                decoder layer.

        Returns:
            Tensor: float, (..., out_channels), not normalised.
        """
        return self.embed(hidden_states)

    def loss(
        self,
        key_hidden_states: Tensor,
        ref_hidden_states: Tensor,
        matched_queries: Sequence[Tensor],
        positives: Sequence[Tensor],
        not_negatives: Sequence[Tensor],
    ) -> Dict[str, Tensor]:
        """Compare the instances of key frames with their reference frames.

        The lists have an entry for each of the B pairs of frames. G_i is
        the number of instances that both frames of pair i show, in any
        order, but the same one in all lists.

        Args:
            key_hidden_states (Tensor): float, (B, Q, in_channels), last
                decoder layer, key frames.
            ref_hidden_states (Tensor): float, (B, Q, in_channels), the same
                of the reference frames.
            matched_queries (Sequence[Tensor]): int64, (G_i,), query of the
                key frame that stands for the instance, see
                ``IDOLSimOTAAssigner.assign``.
            positives (Sequence[Tensor]): bool, (Q, G_i), queries of the
                reference frame that show the instance.
            not_negatives (Sequence[Tensor]): bool, (Q, G_i), queries of the
                reference frame that are no negatives, see
                ``IDOLSimOTAAssigner.candidates``. A query that is positive
                and not marked here counts as both.

        Returns:
            dict[str, Tensor]: Scalars ``loss_reid`` and ``loss_reid_aux``
            (those that are configured), averaged over the instances of the
            batch; without any, 0 with a gradient path.

        Raises:
            ConfigError: If no loss is configured.
            PMVISError: If the lists do not fit each other.
        """
        if not self.losses:
            raise ConfigError(
                'this IDOLTrackHead has no losses',
                fix='leave loss_reid or loss_reid_aux at its default',
            )
        sizes = _check_pairs(
            ref_hidden_states, matched_queries, positives, not_negatives
        )
        count = torch.tensor(sum(sizes), device=key_hidden_states.device)
        avg_factor = sync_count(count, self.sync_avg_factor)
        # Only matched queries of key frames are needed.
        chosen = torch.cat(
            [
                states[queries]
                for states, queries in zip(key_hidden_states, matched_queries)
            ]
        )
        key_embeds = self(chosen).split(sizes)
        ref_embeds = self(ref_hidden_states)
        losses = {}
        for name, criterion in self.losses.items():
            # A pair without instances adds 0, and a path for gradients.
            terms = [
                criterion(key, ref, same.T, ~near.T, avg_factor)
                for key, ref, same, near in zip(
                    key_embeds, ref_embeds, positives, not_negatives
                )
            ]
            losses[name] = torch.stack(terms).sum()
        return losses


def _check_pairs(
    ref_hidden_states: Tensor,
    matched_queries: Sequence[Tensor],
    positives: Sequence[Tensor],
    not_negatives: Sequence[Tensor],
) -> Sequence[int]:
    """Count the instances of each pair, or say which pair is amiss."""
    num_pairs, num_queries = ref_hidden_states.shape[:2]
    lengths = [len(matched_queries), len(positives), len(not_negatives)]
    if lengths != [num_pairs] * 3:
        raise PMVISError(
            f'{num_pairs} pairs of frames, but lists of {lengths} entries',
            fix='pass one entry per pair of frames',
        )
    sizes = [len(queries) for queries in matched_queries]
    for pair, size in enumerate(sizes):
        for name, masks in dict(
            positives=positives, not_negatives=not_negatives
        ).items():
            if masks[pair].shape != (num_queries, size):
                raise PMVISError(
                    f'{name} of pair {pair} have the shape '
                    f'{tuple(masks[pair].shape)}, not '
                    f'{(num_queries, size)}',
                    fix='use the columns of the instances that both frames '
                    'show',
                )
    return sizes
