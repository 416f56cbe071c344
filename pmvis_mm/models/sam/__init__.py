"""Segment Anything (SAM) and HQ-SAM, prompted by boxes."""

from .mask_decoder import HQMaskDecoder, SAMMaskDecoder
from .prompt_encoder import SAMPromptEncoder
from .segmenter import HQSAMSegmenter, SAMFrameFeatures, SAMPrediction
from .tiny_vit import SAMTinyViT
from .vit import SAMViT
from .weights import load_sam_weights

__all__ = [
    'HQMaskDecoder',
    'HQSAMSegmenter',
    'SAMFrameFeatures',
    'SAMMaskDecoder',
    'SAMPrediction',
    'SAMPromptEncoder',
    'SAMTinyViT',
    'SAMViT',
    'load_sam_weights',
]
