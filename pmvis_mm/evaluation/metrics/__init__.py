"""Metrics for mmengine's evaluator; importing registers them."""

from .jf_metric import JFMetric
from .mask_quality_metric import MaskQualityMetric
from .tracking_metric import TrackingMetric
from .vis_metric import VISMetric

__all__ = ['JFMetric', 'MaskQualityMetric', 'TrackingMetric', 'VISMetric']
