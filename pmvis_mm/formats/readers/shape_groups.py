"""Objects that were drawn as several shapes in one frame."""

from typing import Dict, List, NamedTuple, Optional, Sequence

from .shapes import Shape, merge_shapes
from .track_collector import TrackCollector, TrackId


class Drawn(NamedTuple):
    """A shape of an object in a frame.

    Attributes:
        id (int | str): Of the object in the video.
        category (str, optional): Name of its class.
        shape (Shape): What was drawn.
        score (float, optional): In [0, 1].
        iscrowd (bool): See :class:`ImportedTrack`.
        interpolated (bool): Whether a tool interpolated it.
    """

    id: TrackId
    category: Optional[str]
    shape: Shape
    score: Optional[float] = None
    iscrowd: bool = False
    interpolated: bool = False


def add_frame(
    collector: TrackCollector, frame: int, drawn: Sequence[Drawn]
) -> None:
    """Add all shapes of a frame to the tracks of a video.

    Polygons and masks of one object are united. A rectangle beside them is
    the box of the object; otherwise that is the box around all of them.

    Args:
        collector (TrackCollector): Of the video.
        frame (int): 0-based.
        drawn (Sequence[Drawn]): All of this frame.

    Raises:
        AnnotationError: If an object has two different rectangles or two
            classes.
    """
    groups: Dict[TrackId, List[Drawn]] = {}
    for one in drawn:
        groups.setdefault(one.id, []).append(one)
    for key, group in groups.items():
        _check_one(collector, frame, key, group)
        shape = merge_shapes([one.shape for one in group])
        for one in group:
            collector.add(
                key,
                frame,
                shape.box,
                one.category or None,
                shape.mask,
                one.score,
                one.iscrowd,
                one.interpolated,
            )


def _check_one(
    collector: TrackCollector,
    frame: int,
    key: TrackId,
    group: Sequence[Drawn],
) -> None:
    rectangles = {one.shape.box for one in group if one.shape.is_rectangle}
    if len(rectangles) > 1:
        raise collector.error(
            'two objects with one id in a frame',
            'give every object of a video an id of its own',
            frame,
            key,
        )
