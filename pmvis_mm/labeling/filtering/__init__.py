"""Filters of real annotations: pure functions, no torch."""

from .annotation_filter import FilterStats, filter_missing_data, filter_ria

__all__ = ['FilterStats', 'filter_missing_data', 'filter_ria']
