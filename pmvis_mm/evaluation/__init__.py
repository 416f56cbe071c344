"""Evaluation; ``functional`` imports without torch, metrics on demand."""

from typing import Any, List

__all__ = ['JFMetric', 'MaskQualityMetric', 'TrackingMetric', 'VISMetric']


def __getattr__(name: str) -> Any:
    if name in __all__:
        from . import metrics

        return getattr(metrics, name)
    raise AttributeError(f'module {__name__!r} has no attribute {name!r}')


def __dir__() -> List[str]:
    return sorted([*globals(), *__all__])
