"""Metrics for mmengine's evaluator; importing registers them."""

from .mask_quality_metric import MaskQualityMetric
from .vis_metric import VISMetric

__all__ = ['MaskQualityMetric', 'VISMetric']
