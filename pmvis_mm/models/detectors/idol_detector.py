"""Deformable DETR that also returns what the heads of IDOL read."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple

import torch
import torch.nn.functional as F
from mmdet.models.detectors import DeformableDETR
from mmdet.structures import SampleList
from torch import Tensor

from ...registry import MODELS


@dataclass
class FrameOutputs:
    """What the detector makes of B frames.

    Attributes:
        memory (list[Tensor]): float, (B, C, h_l, w_l), output of the
            encoder, fine to coarse.
        hidden_states (Tensor): float, (num_layers, B, Q, C), output of the
            decoder layers.
        references (list[Tensor]): num_layers + 1 points or boxes in
            [0, 1], relative to the unpadded frame: the input (B, Q, 2) of
            the first layer and the refined boxes (B, Q, 4), cxcywh, of
            each layer, detached. Layer ``l`` reads element ``l``.
    """

    memory: List[Tensor]
    hidden_states: Tensor
    references: List[Tensor]


@MODELS.register_module()
class IDOLDetector(DeformableDETR):
    """Deformable DETR as in `IDOL <https://arxiv.org/abs/2207.10661>`_.

    Other than mmdet's:

    - Levels that the neck adds below the backbone's take their padding
      mask from that of the finest level, not from the image. Only batches
      of frames of different size see the difference.
    - :meth:`forward_frames` gives the encoder's output as well.
    """

    def pre_transformer(
        self,
        mlvl_feats: Tuple[Tensor, ...],
        batch_data_samples: Optional[SampleList] = None,
    ) -> Tuple[Dict[str, Any], Dict[str, Any]]:
        """Prepare the inputs of encoder and decoder.

        Args:
            mlvl_feats (tuple[Tensor]): float, (B, C, h_l, w_l), fine to
                coarse.
            batch_data_samples (list[DetDataSample]): With ``img_shape``
                and ``batch_input_shape``.

        Returns:
            tuple[dict]: As ``DeformableDETR.pre_transformer``.
        """
        encoder_in, decoder_in = super().pre_transformer(
            mlvl_feats, batch_data_samples
        )
        if encoder_in['feat_mask'] is not None:
            changed = self._mask_extra_levels(mlvl_feats, encoder_in)
            encoder_in.update(changed)
            decoder_in.update(
                memory_mask=changed['feat_mask'],
                valid_ratios=changed['valid_ratios'],
            )
        return encoder_in, decoder_in

    def _mask_extra_levels(
        self, feats: Sequence[Tensor], encoder_in: Dict[str, Any]
    ) -> Dict[str, Tensor]:
        """Derive the masks of added levels from that of the finest."""
        lengths = [feat.shape[-2] * feat.shape[-1] for feat in feats]
        masks = list(encoder_in['feat_mask'].split(lengths, 1))
        embeds = list(encoder_in['feat_pos'].split(lengths, 1))
        ratios = list(encoder_in['valid_ratios'].unbind(1))
        finest = masks[0].view(-1, 1, *feats[0].shape[-2:]).float()
        for level in range(len(self.neck.convs), len(feats)):
            mask = F.interpolate(finest, feats[level].shape[-2:])
            mask = mask.squeeze(1).bool()
            position = self.positional_encoding(mask).flatten(2)
            masks[level] = mask.flatten(1)
            embeds[level] = position.transpose(1, 2) + self.level_embed[level]
            ratios[level] = self.get_valid_ratio(mask)
        return dict(
            feat_mask=torch.cat(masks, 1),
            feat_pos=torch.cat(embeds, 1),
            valid_ratios=torch.stack(ratios, 1),
        )

    def forward_frames(
        self, feats: Sequence[Tensor], data_samples: SampleList
    ) -> FrameOutputs:
        """Run the transformer.

        Args:
            feats (Sequence[Tensor]): float, (B, C, h_l, w_l), from
                :meth:`extract_feat`.
            data_samples (list[DetDataSample]): With ``img_shape`` and
                ``batch_input_shape``.

        Returns:
            FrameOutputs: Of all decoder layers.
        """
        encoder_in, decoder_in = self.pre_transformer(
            tuple(feats), data_samples
        )
        encoded = self.forward_encoder(**encoder_in)
        lengths = [feat.shape[-2] * feat.shape[-1] for feat in feats]
        memory = [
            part.transpose(1, 2).reshape(feat.shape)
            for part, feat in zip(encoded['memory'].split(lengths, 1), feats)
        ]
        more, _ = self.pre_decoder(**encoded)
        decoder_in.update(more)
        decoded = self.forward_decoder(**decoder_in)
        return FrameOutputs(
            memory, decoded['hidden_states'], decoded['references']
        )
