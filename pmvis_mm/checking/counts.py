"""Tables of what a dataset holds."""

from dataclasses import dataclass, field
from typing import Any, Dict, List, Optional, Set, Tuple

import numpy as np

from ..utils.text_table import format_table
from .content import CheckedTrack, Content, absent


@dataclass
class CategoryCounts:
    """Numbers of one category.

    Attributes:
        instances (int): Tracks.
        videos (int): Videos with such a track.
        boxes (int): Boxes.
    """

    instances: int = 0
    videos: int = 0
    boxes: int = 0


@dataclass
class DatasetCounts:
    """Numbers of a dataset.

    Attributes:
        videos (int): Videos.
        frames (int): Frames of all videos.
        tracks (int): Tracks in known videos.
        boxes (int): Boxes that are not null.
        masks (int, optional): Masks that are not null; None if they were
            not looked at.
        categories (dict): Counts by name, in the order of the file.
        sizes (dict): Number of videos by 'WIDTHxHEIGHT'.
        lengths (tuple): Fewest, median and most frames of a video.
        track_lengths (tuple): The same of frames with a box of a track.
    """

    videos: int = 0
    frames: int = 0
    tracks: int = 0
    boxes: int = 0
    masks: Optional[int] = None
    categories: Dict[str, CategoryCounts] = field(default_factory=dict)
    sizes: Dict[str, int] = field(default_factory=dict)
    lengths: Tuple[float, ...] = ()
    track_lengths: Tuple[float, ...] = ()

    def to_json(self) -> Dict[str, Any]:
        """Turn into what goes to a json report."""
        data = dict(self.__dict__)
        data['categories'] = {
            name: vars(counts) for name, counts in self.categories.items()
        }
        return data

    def tables(self) -> str:
        """Write as tables for the terminal."""
        names = ['videos', 'frames', 'tracks', 'boxes', 'masks']
        parts = [
            format_table(names, [[getattr(self, name) for name in names]]),
            format_table(
                ['frames of', 'min', 'median', 'max'],
                [
                    ['a video', *(self.lengths or [None] * 3)],
                    ['a track', *(self.track_lengths or [None] * 3)],
                ],
                1,
            ),
            format_table(
                ['category', 'instances', 'videos', 'boxes'],
                [[n, *vars(c).values()] for n, c in self.categories.items()],
            ),
            format_table(['size', 'videos'], list(self.sizes.items())[:10]),
        ]
        return '\n\n'.join(parts)


def count(content: Content, box_only: bool = False) -> DatasetCounts:
    """Count videos, frames, tracks, boxes and masks.

    Args:
        content (Content): The usable part of a file.
        box_only (bool): Look at no mask. Defaults to False.

    Returns:
        DatasetCounts: The numbers.
    """
    result = DatasetCounts(masks=None if box_only else 0)
    names = {c['id']: str(c.get('name')) for c in content.categories}
    result.categories = {name: CategoryCounts() for name in names.values()}
    track_lengths: List[int] = []
    for video in content.videos:
        if video.size is not None:
            size = '{1}x{0}'.format(*video.size)
            result.sizes[size] = result.sizes.get(size, 0) + 1
        seen: Set[Any] = set()
        for track in video.tracks:
            boxes = _count_track(track, names, result)
            track_lengths.append(boxes)
            seen.add(_category(track, names))
        for name in seen - {None}:
            result.categories[name].videos += 1
    lengths = [len(video.names) for video in content.videos]
    result.videos, result.frames = len(lengths), sum(lengths)
    result.sizes = dict(sorted(result.sizes.items(), key=lambda s: -s[1]))
    result.lengths = _spread(lengths)
    result.track_lengths = _spread(track_lengths)
    return result


def _count_track(
    track: CheckedTrack, names: Dict[int, str], result: DatasetCounts
) -> int:
    boxes = sum(not absent(box) for box in track.boxes or ())
    result.tracks += 1
    result.boxes += boxes
    if result.masks is not None:
        result.masks += sum(not absent(mask) for mask in track.masks or ())
    name = _category(track, names)
    if name is not None:
        result.categories[name].instances += 1
        result.categories[name].boxes += boxes
    return boxes


def _category(track: CheckedTrack, names: Dict[int, str]) -> Optional[str]:
    key = track.entry.get('category_id')
    return names.get(key) if isinstance(key, int) else None


def _spread(values: List[int]) -> Tuple[float, ...]:
    if not values:
        return ()
    return min(values), float(np.median(values)), max(values)
