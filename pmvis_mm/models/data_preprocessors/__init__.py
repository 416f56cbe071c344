"""Data preprocessors."""

from .vis_data_preprocessor import VISDataPreprocessor

__all__ = ['VISDataPreprocessor']
