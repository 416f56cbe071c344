"""File formats of masks on video: writing results as others read them."""

from .base import RESULT_WRITERS, ResultWriter

__all__ = ['RESULT_WRITERS', 'ResultWriter']
