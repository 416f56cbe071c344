"""Assignment of predictions to ground truth."""

from .dynamic_k import dynamic_k_matching
from .idol_simota_assigner import IDOLSimOTAAssigner

__all__ = ['IDOLSimOTAAssigner', 'dynamic_k_matching']
