"""Collecting the tracks of a video from entries in any order."""

import collections
import math
from typing import Any, Counter, Dict, List, Optional, Sequence, Union

from ...structures.rle import RLE
from ...structures.video_annotations import Box
from ...utils.errors import AnnotationError
from .base import ImportedTrack

TrackId = Union[int, str]


class TrackCollector:
    """Puts entries of (track, frame) together and checks them.

    An entry that comes twice with the same content counts once. Where one
    says that an instance is out of view and another one shows it, it is
    shown.

    Args:
        file (object): Where the entries are from, for messages.
        video (object): Name of the video, for messages.

    Attributes:
        dropped (Counter): What was left out, see :class:`ImportedVideo`;
            counted by the reader.
    """

    def __init__(self, file: Any, video: Any) -> None:
        self.file, self.video = file, video
        self.dropped: Counter[str] = collections.Counter()
        self._tracks: Dict[TrackId, ImportedTrack] = {}

    @property
    def tracks(self) -> List[ImportedTrack]:
        """Those with at least one entry, in the order of the source."""
        return list(self._tracks.values())

    def add(
        self,
        track_id: TrackId,
        frame: int,
        box: Optional[Sequence[float]],
        category: Optional[str] = None,
        mask: Optional[RLE] = None,
        score: Optional[float] = None,
        iscrowd: bool = False,
        interpolated: bool = False,
        where: str = '',
    ) -> None:
        """Take an entry.

        Args:
            track_id (int | str): Of the instance.
            frame (int): 0-based.
            box (Sequence[float], optional): Half-open xyxy, pixels; None
                where the instance is out of view.
            category (str, optional): Name of its class.
            mask (RLE, optional): At the size of the video.
            score (float, optional): In [0, 1].
            iscrowd (bool): See :class:`ImportedTrack`. Defaults to False.
            interpolated (bool): Whether a tool interpolated it. Defaults to
                False.
            where (str): Place in the file, such as 'line 7', for messages.

        Raises:
            AnnotationError: If a number is bad, the class changes, or the
                track has another entry in this frame.
        """
        place = f' ({where})' if where else ''
        checked = (
            None if box is None else self._box(track_id, frame, box, place)
        )
        if score is not None and not 0 <= score <= 1:
            raise self.error(
                f'score {score:g} is not in [0, 1]{place}',
                'bring the scores into this range, or leave them out',
                frame,
                track_id,
            )
        track = self._tracks.setdefault(track_id, ImportedTrack(track_id))
        self._set_category(track, category, frame, place)
        track.iscrowd |= iscrowd
        if not self._is_new(track, frame, checked, mask, place):
            return
        track.boxes[frame] = checked
        if mask is not None:
            track.masks[frame] = mask
        if score is not None:
            track.scores[frame] = float(score)
        if interpolated and checked is not None:
            track.interpolated.add(frame)

    def error(
        self,
        problem: str,
        fix: str,
        frame: Optional[int] = None,
        instance: Any = None,
    ) -> AnnotationError:
        """Make an error about this video."""
        return AnnotationError(
            problem,
            file=self.file,
            video=self.video,
            frame=frame,
            instance=instance,
            fix=fix,
        )

    def _box(
        self, track_id: TrackId, frame: int, box: Sequence[float], place: str
    ) -> Box:
        x0, y0, x1, y1 = (float(value) for value in box)
        shown = f'box ({x0:g}, {y0:g}, {x1:g}, {y1:g}) (x0, y0, x1, y1)'
        if not all(map(math.isfinite, (x0, y0, x1, y1))):
            raise self.error(
                f'{shown} has a coordinate that is no finite number{place}',
                'correct or remove it',
                frame,
                track_id,
            )
        if x1 <= x0 or y1 <= y0:
            raise self.error(
                f'{shown} has no positive width and height{place}',
                'correct or remove it',
                frame,
                track_id,
            )
        return x0, y0, x1, y1

    def _set_category(
        self,
        track: ImportedTrack,
        category: Optional[str],
        frame: int,
        place: str,
    ) -> None:
        if category is None or category == track.category:
            return
        if track.category is not None:
            raise self.error(
                f'the class changes from {track.category!r} to '
                f'{category!r}{place}',
                'give every instance one class, or other ids',
                frame,
                track.id,
            )
        track.category = category

    def _is_new(
        self,
        track: ImportedTrack,
        frame: int,
        box: Optional[Box],
        mask: Optional[RLE],
        place: str,
    ) -> bool:
        """Tell whether an entry is to be kept."""
        known = track.boxes.get(frame)
        if known is None:
            return True
        if box is None or (
            box == known and (mask is None or mask == track.masks.get(frame))
        ):
            return False
        raise self.error(
            f'two objects with one id in a frame{place}',
            'give every object of a video an id of its own',
            frame,
            track.id,
        )
