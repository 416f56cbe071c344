"""What can be used of an annotation file that may be broken."""

from dataclasses import dataclass, field
from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

# Lists of an annotation with one entry per frame that others read.
EXTRA_LISTS = ('annotated_bboxes', 'sources', 'scores', 'interpolated')


@dataclass
class CheckedVideo:
    """An entry of ``videos`` with an id of its own.

    Attributes:
        id (int): Its id.
        entry (dict): As in the file.
        names (list[str]): Names of its frames; '' where one is no string.
        size (tuple[int], optional): (height, width), pixels, if known.
        tracks (list[CheckedTrack]): Its annotations.
    """

    id: int
    entry: Dict[str, Any]
    names: List[str]
    size: Optional[Tuple[int, int]]
    tracks: List['CheckedTrack'] = field(default_factory=list)

    @property
    def name(self) -> str:
        """str: Folder of the first frame, or the id."""
        first = self.names[0].replace('\\', '/') if self.names else ''
        if '#' in first:
            return first.rpartition('#')[0]
        return first.rpartition('/')[0] or str(self.id)


@dataclass
class CheckedTrack:
    """An entry of ``annotations`` that belongs to a known video.

    Attributes:
        id (Any): As in the file.
        entry (dict): As in the file.
        video (CheckedVideo): Its video.
        boxes (list, optional): ``bboxes``, if there is one per frame.
        masks (list, optional): ``segmentations``, if there is one per frame
            and masks may be looked at.
    """

    id: Any
    entry: Dict[str, Any]
    video: CheckedVideo
    boxes: Optional[List[Any]] = None
    masks: Optional[List[Any]] = None


@dataclass
class Content:
    """The usable part of a file.

    Attributes:
        videos (list[CheckedVideo]): In the order of the file.
        categories (list[dict]): Those with an integer id.
    """

    videos: List[CheckedVideo] = field(default_factory=list)
    categories: List[Dict[str, Any]] = field(default_factory=list)

    @property
    def tracks(self) -> Iterator[CheckedTrack]:
        """Walk over the tracks of all videos."""
        for video in self.videos:
            yield from video.tracks


def is_integer(value: Any) -> bool:
    """Whether it is an integer, and no boolean."""
    return isinstance(value, int) and not isinstance(value, bool)


def is_number(value: Any) -> bool:
    """Whether it is a number, and no boolean."""
    return isinstance(value, (int, float)) and not isinstance(value, bool)


def looks_systematic(number: int, total: int) -> bool:
    """Whether values of a video are wrong in a way of their own.

    A few are slips, each with its repair.

    Args:
        number (int): Values that a repair would take away.
        total (int): All such values of the video.
    """
    return number >= 10 and number > 0.1 * total


def absent(box: Any) -> bool:
    """Whether a box says that there is none."""
    return box is None or (isinstance(box, (list, tuple)) and not box)


def listed(values: Sequence[Any], limit: int = 5) -> str:
    """Write the first of several values, and how many more there are."""
    text = ', '.join(repr(value) for value in values[:limit])
    more = len(values) - limit
    return f'{text} and {more} more' if more > 0 else text
