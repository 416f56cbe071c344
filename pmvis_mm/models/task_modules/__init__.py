"""What training needs beside networks and losses."""

from .assigners import IDOLSimOTAAssigner

__all__ = ['IDOLSimOTAAssigner']
