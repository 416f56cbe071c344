"""Masks for boxes: image encoder, prompt encoder and mask decoder in one."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from ...registry import MODELS
from ...utils.errors import ConfigError
from .preprocessing import boxes_to_input, normalize_and_pad, resize_frame
from .weights import load_sam_weights, read_sam_checkpoint

_ENCODERS: Dict[str, Dict[str, Any]] = dict(
    vit_tiny=dict(type='SAMTinyViT'),
    vit_b=dict(type='SAMViT', arch='b'),
    vit_l=dict(type='SAMViT', arch='l'),
    vit_h=dict(type='SAMViT', arch='h'),
)
_DTYPES = dict(
    float32=torch.float32, bfloat16=torch.bfloat16, float16=torch.float16
)


@dataclass
class SAMFrameFeatures:
    """What the encoder knows of a frame; boxes may come later.

    Attributes:
        embedding (Tensor): float32, (1, C, h, w).
        features (Tensor, optional): float32, (1, C / 8, 4h, 4w), those of
            HQ-SAM that depend on the frame alone.
        ori_shape (tuple[int]): (height, width) of the frame.
        input_shape (tuple[int]): (height, width) after scaling, unpadded.
    """

    embedding: Tensor
    features: Optional[Tensor]
    ori_shape: Tuple[int, int]
    input_shape: Tuple[int, int]


@dataclass
class SAMPrediction:
    """Masks of the n boxes of a frame, in their order.

    Attributes:
        low_res_logits (Tensor): float32, (n, 4h, 4w), over the padded
            input; 256 x 256 at the default size.
        ious (Tensor): float32, (n,), the IoU that the model expects; about
            in [0, 1].
        logits (Tensor, optional): float32, (n, H, W), at the size of the
            frame; a mask is where they are above 0.
    """

    low_res_logits: Tensor
    ious: Tensor
    logits: Optional[Tensor] = None


@MODELS.register_module()
class HQSAMSegmenter(nn.Module):
    """`HQ-SAM <https://arxiv.org/abs/2306.01567>`_, prompted by boxes.

    Loads the authors' checkpoints and gives their masks. Only ever predicts:
    it has no gradients and stays in eval mode.

    Args:
        image_encoder (str | dict): 'vit_tiny', 'vit_b', 'vit_l', 'vit_h',
            or a config. Defaults to 'vit_h'.
        prompt_encoder (dict, optional): Defaults to
            ``dict(type='SAMPromptEncoder')``.
        mask_decoder (dict, optional): Defaults to
            ``dict(type='HQMaskDecoder')``; ``dict(type='SAMMaskDecoder')``
            is plain SAM, the baseline.
        checkpoint (str, optional): Official .pth file; None for random
            weights, only for tests.
        encoder_dtype (str): 'bfloat16' and 'float16' run the image encoder
            under autocast. Prompts and masks always are float32: half
            precision would move the corners of boxes by a pixel. Defaults
            to 'float32'.
        boxes_per_pass (int): Most boxes that are decoded together; bounds
            the memory. Defaults to 32.

    Raises:
        ConfigError: If an option is unknown.
        CheckpointError: If the checkpoint is missing or does not fit; lists
            the weights.
    """

    def __init__(
        self,
        image_encoder: Union[str, Dict[str, Any]] = 'vit_h',
        prompt_encoder: Optional[Dict[str, Any]] = None,
        mask_decoder: Optional[Dict[str, Any]] = None,
        checkpoint: Optional[str] = None,
        encoder_dtype: str = 'float32',
        boxes_per_pass: int = 32,
    ) -> None:
        super().__init__()
        if encoder_dtype not in _DTYPES:
            raise ConfigError(
                f'encoder_dtype={encoder_dtype!r} is unknown',
                fix=f'choose from {sorted(_DTYPES)}',
            )
        if boxes_per_pass < 1:
            raise ConfigError(
                f'boxes_per_pass={boxes_per_pass} is not positive',
                fix='use 32, or less if memory runs out',
            )
        self.encoder_dtype = _DTYPES[encoder_dtype]
        self.boxes_per_pass = boxes_per_pass
        # Weights are read before any are made: a missing file is found at
        # once, and random ones for 0.6 G parameters need not be drawn.
        if checkpoint is None:
            self._build(image_encoder, prompt_encoder, mask_decoder)
        else:
            weights = read_sam_checkpoint(checkpoint)
            with torch.device('meta'):
                self._build(image_encoder, prompt_encoder, mask_decoder)
            self.to_empty(device='cpu')
            load_sam_weights(self, weights, checkpoint)
        self.requires_grad_(False)
        self.eval()

    def _build(
        self,
        image_encoder: Union[str, Dict[str, Any]],
        prompt_encoder: Optional[Dict[str, Any]],
        mask_decoder: Optional[Dict[str, Any]],
    ) -> None:
        self.image_encoder = MODELS.build(_encoder_config(image_encoder))
        dims = self.image_encoder.out_channels
        self.prompt_encoder = MODELS.build(
            dict(
                prompt_encoder or dict(type='SAMPromptEncoder'),
                embed_dims=dims,
            )
        )
        self.mask_decoder = MODELS.build(
            dict(
                mask_decoder or dict(type='HQMaskDecoder'),
                embed_dims=dims,
                early_channels=self.image_encoder.early_channels,
            )
        )

    @property
    def img_size(self) -> int:
        """Side of the padded input, pixels."""
        return self.image_encoder.img_size

    @property
    def device(self) -> torch.device:
        """Where the weights are."""
        return self.mask_decoder.iou_token.weight.device

    def train(self, mode: bool = True) -> 'HQSAMSegmenter':
        """Stay in eval mode, whatever a runner asks for."""
        return super().train(False)

    @torch.no_grad()
    def encode(self, images: Sequence[np.ndarray]) -> List[SAMFrameFeatures]:
        """Encode frames, together in one batch.

        Args:
            images (Sequence[np.ndarray]): uint8, (H, W, 3), BGR; sizes may
                differ.

        Returns:
            list[SAMFrameFeatures]: One for each frame.

        Raises:
            FrameError: If one is no such image.
        """
        if not len(images):
            return []
        scaled = [resize_frame(image, self.img_size) for image in images]
        batch = torch.stack(
            [
                normalize_and_pad(
                    torch.from_numpy(rgb).to(self.device), self.img_size
                )
                for rgb in scaled
            ]
        )
        embedding, features = self._encode(batch)
        return [
            SAMFrameFeatures(
                embedding[i : i + 1],
                None if features is None else features[i : i + 1],
                (image.shape[0], image.shape[1]),
                (rgb.shape[0], rgb.shape[1]),
            )
            for i, (image, rgb) in enumerate(zip(images, scaled))
        ]

    def _encode(self, batch: Tensor) -> Tuple[Tensor, Optional[Tensor]]:
        half = self.encoder_dtype != torch.float32
        with torch.autocast(
            self.device.type,
            dtype=self.encoder_dtype if half else torch.bfloat16,
            enabled=half,
        ):
            embedding, early = self.image_encoder(batch)
        embedding, early = embedding.float(), early.float()
        with torch.autocast(self.device.type, enabled=False):
            features = self.mask_decoder.image_features(embedding, early)
        return embedding, features

    @torch.no_grad()
    def decode(self, frame: SAMFrameFeatures, boxes: Any) -> SAMPrediction:
        """Segment the boxes of an encoded frame, without enlarging.

        Args:
            frame (SAMFrameFeatures): Of :meth:`encode`.
            boxes (array-like): (n, 4), half-open xyxy, pixels of the frame;
                clipped to it.

        Returns:
            SAMPrediction: Without ``logits``; see :meth:`enlarge`.

        Raises:
            AnnotationError: If they are no boxes.
        """
        corners = boxes_to_input(boxes, frame.ori_shape, frame.input_shape)
        height, width = frame.embedding.shape[2:]
        logits = [frame.embedding.new_zeros(0, 4 * height, 4 * width)]
        ious = [frame.embedding.new_zeros(0)]
        with torch.autocast(self.device.type, enabled=False):
            position = self.prompt_encoder.image_position(height, width)
            for chunk in self._chunks(torch.from_numpy(corners)):
                masks, quality = self.mask_decoder(
                    frame.embedding,
                    frame.features,
                    position,
                    self.prompt_encoder(chunk.to(self.device), self.img_size),
                    self.prompt_encoder.dense_prompt(),
                )
                logits.append(masks)
                ious.append(quality)
        return SAMPrediction(torch.cat(logits), torch.cat(ious))

    @torch.no_grad()
    def enlarge(
        self, low_res_logits: Tensor, frame: SAMFrameFeatures
    ) -> Tensor:
        """Bring logits to the size of their frame.

        Args:
            low_res_logits (Tensor): float32, (n, 4h, 4w).
            frame (SAMFrameFeatures): The frame they are of.

        Returns:
            Tensor: float32, (n, H, W).
        """
        height, width = frame.input_shape
        parts = [low_res_logits.new_zeros(0, *frame.ori_shape)]
        for group in self._mask_groups(low_res_logits):
            x = _resize(group[None], (self.img_size, self.img_size))
            x = _resize(x[..., :height, :width], frame.ori_shape)
            parts.append(x[0])
        return torch.cat(parts)

    def segment(
        self, frame: SAMFrameFeatures, boxes: Any
    ) -> Tuple[np.ndarray, np.ndarray]:
        """Segment the boxes of an encoded frame to masks.

        Args:
            frame (SAMFrameFeatures): Of :meth:`encode`.
            boxes (array-like): (n, 4), half-open xyxy, pixels of the frame.

        Returns:
            tuple[np.ndarray]: Masks, bool, (n, H, W), and the IoU that the
            model expects, float32, (n,), clipped to [0, 1].
        """
        found = self.decode(frame, boxes)
        masks = [np.zeros((0, *frame.ori_shape), bool)]
        # Full-size logits of many boxes would not fit into memory.
        for group in self._mask_groups(found.low_res_logits):
            masks.append((self.enlarge(group, frame) > 0).cpu().numpy())
        ious = found.ious.clamp(0, 1).cpu().numpy()
        return np.concatenate(masks), ious

    def forward(
        self, images: Sequence[np.ndarray], boxes: Sequence[Any]
    ) -> List[SAMPrediction]:
        """Segment the boxes of some frames.

        Args:
            images (Sequence[np.ndarray]): uint8, (H, W, 3), BGR.
            boxes (Sequence[array-like]): For each frame (n, 4), half-open
                xyxy, pixels; n may be 0.

        Returns:
            list[SAMPrediction]: With ``logits``.

        Raises:
            ConfigError: If there are more or fewer lists of boxes than
                frames.
            FrameError: If one is no image.
            AnnotationError: If they are no boxes.
        """
        if len(images) != len(boxes):
            raise ConfigError(
                f'{len(images)} frames, but boxes of {len(boxes)}',
                fix='give boxes for each frame, [] for none',
            )
        predictions = []
        for frame, own in zip(self.encode(images), boxes):
            found = self.decode(frame, own)
            found.logits = self.enlarge(found.low_res_logits, frame)
            predictions.append(found)
        return predictions

    def _chunks(self, rows: Tensor) -> Sequence[Tensor]:
        return rows.split(self.boxes_per_pass) if len(rows) else ()

    def _mask_groups(self, rows: Tensor) -> Sequence[Tensor]:
        # See _group_size of the decoder: memory beats batches on a CPU.
        if rows.device.type == 'cpu':
            return rows.split(1) if len(rows) else ()
        return self._chunks(rows)


def _encoder_config(encoder: Union[str, Dict[str, Any]]) -> Dict[str, Any]:
    if not isinstance(encoder, str):
        return encoder
    if encoder not in _ENCODERS:
        raise ConfigError(
            f'image_encoder={encoder!r} is unknown',
            fix=f'choose from {sorted(_ENCODERS)} or give a config',
        )
    return _ENCODERS[encoder]


def _resize(x: Tensor, shape: Tuple[int, int]) -> Tensor:
    return F.interpolate(x, shape, mode='bilinear', align_corners=False)
