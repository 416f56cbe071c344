"""Checking datasets before they cost a night: findings, counts, repairs."""

from .checker import FileReport, check_annotations, check_files
from .counts import DatasetCounts, count
from .findings import Finding, Findings
from .fixing import Change, fix_annotations, write_fixed
from .rules import ERROR, NOTE, RULES, WARNING, Rule

__all__ = [
    'ERROR',
    'NOTE',
    'RULES',
    'WARNING',
    'Change',
    'DatasetCounts',
    'FileReport',
    'Finding',
    'Findings',
    'Rule',
    'check_annotations',
    'check_files',
    'count',
    'fix_annotations',
    'write_fixed',
]
