"""The label review: find suspicious tracks, decide, apply."""

from .apply import ApplyCounts, apply_decisions
from .decisions import Decision, DecisionLog, check_final, load_decisions
from .index import build_index
from .server import create_app, serve

__all__ = [
    'ApplyCounts',
    'Decision',
    'DecisionLog',
    'apply_decisions',
    'build_index',
    'check_final',
    'create_app',
    'load_decisions',
    'serve',
]
