"""Tracks of formats that tell class and flags of every frame anew."""

import logging
from collections import Counter
from typing import Any, Dict, List, NamedTuple, Optional, Sequence, Tuple

from mmengine.logging import print_log

from ...structures.rle import RLE
from ...structures.video_annotations import Box
from ...utils.errors import AnnotationError
from .base import ImportedTrack
from .frame_index import frame_of_number
from .track_collector import TrackCollector, TrackId

# Of a video; 46 hours at 60 Hz. Beyond, a number is wrong.
MAX_FRAMES = 10_000_000


class Sighting(NamedTuple):
    """An instance in one frame.

    Attributes:
        id (int | str): Of the instance in the video.
        frame (int): 0-based.
        box (tuple[float]): Half-open xyxy, pixels.
        category (str, optional): Name of its class.
        iscrowd (bool): Whether it is a group or not to be judged.
        mask (RLE, optional): At the size of the video.
        score (float, optional): In [0, 1].
        where (str): Place in the file, such as 'line 7', for messages.
    """

    id: TrackId
    frame: int
    box: Box
    category: Optional[str] = None
    iscrowd: bool = False
    mask: Optional[RLE] = None
    score: Optional[float] = None
    where: str = ''


def join_sightings(
    sightings: Sequence[Sighting], file: Any, video: str
) -> List[ImportedTrack]:
    """Join what is said of single frames to tracks.

    - An instance that is a crowd in some frames only becomes two tracks:
      the crowd gets the id 'N (ignored)'.
    - A track has one class: the most frequent one, the earlier one of
      equals. A warning tells of others.

    Args:
        sightings (Sequence[Sighting]): Of one video, in any order.
        file (object): Where they are from, for messages.
        video (str): Name of the video, for messages.

    Returns:
        list[ImportedTrack]: In the order of their first appearance.

    Raises:
        AnnotationError: If a box is bad, or a frame has two objects with
            one id.
    """
    collector = TrackCollector(file, video)
    kinds: Dict[TrackId, set] = {}
    for seen in sightings:
        kinds.setdefault(seen.id, set()).add(seen.iscrowd)
    classes = _vote(sightings, file, video)
    crowds: Dict[Tuple[TrackId, int], bool] = {}
    for seen in sightings:
        place = (seen.id, seen.frame)
        if crowds.setdefault(place, seen.iscrowd) != seen.iscrowd:
            raise collector.error(
                'two objects with one id in a frame'
                + (f' ({seen.where})' if seen.where else ''),
                'give every object of a video an id of its own',
                seen.frame,
                seen.id,
            )
        mixed = seen.iscrowd and len(kinds[seen.id]) > 1
        collector.add(
            f'{seen.id} (ignored)' if mixed else seen.id,
            seen.frame,
            seen.box,
            classes.get((seen.id, seen.iscrowd)),
            seen.mask,
            seen.score,
            seen.iscrowd,
            where=seen.where,
        )
    return collector.tracks


def _vote(
    sightings: Sequence[Sighting], file: Any, video: str
) -> Dict[Tuple[TrackId, bool], str]:
    """Find the class of every track, crowds apart."""
    votes: Dict[Tuple[TrackId, bool], Counter] = {}
    for seen in sightings:
        if seen.category is not None:
            counter = votes.setdefault((seen.id, seen.iscrowd), Counter())
            counter[seen.category] += 1
    winners = {}
    for (key, iscrowd), counter in votes.items():
        # Equal numbers come in the order of their first appearance.
        winners[key, iscrowd] = best = counter.most_common(1)[0][0]
        if len(counter) > 1:
            found = ', '.join(f'{n} x {name}' for name, n in counter.items())
            print_log(
                f'{file}: track {key} of video {video} changes its class '
                f'({found}); it is taken for {best}',
                'current',
                logging.WARNING,
            )
    return winners


def frame_at(
    number: int,
    first_frame: int,
    length: Optional[int],
    where: str,
    file: Any,
    video: str,
) -> int:
    """Turn the number of a frame in a line of a file into its index.

    Args:
        number (int): As in the file.
        first_frame (int): Number of the first frame.
        length (int, optional): Of the video, frames, if known.
        where (str): Such as 'line 7', for the message.
        file (object): For the message.
        video (str): For the message.

    Returns:
        int: 0-based.

    Raises:
        AnnotationError: If the video has no such frame.
    """
    try:
        return frame_of_number(number, first_frame, length or MAX_FRAMES)
    except ValueError as reason:
        raise AnnotationError(
            f'{where}: {reason}',
            file=file,
            video=video,
            fix='set first_frame (--first-frame) to the number that the '
            'file gives to the first frame, 0 or 1; else see whether frames '
            'are missing',
        ) from None
