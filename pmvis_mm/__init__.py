"""Box-supervised video instance segmentation in MMDetection."""

from .utils.versions import check_openmmlab_versions
from .version import __version__

check_openmmlab_versions()

__all__ = ['__version__']
