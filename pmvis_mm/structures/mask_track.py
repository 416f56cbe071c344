"""Pseudo masks of one instance, with their source and score."""

import sys
from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

from ..utils.errors import MaskSetError
from .rle import RLE, area
from .video_annotations import Box, BoxTrack, VideoInfo


@dataclass
class MaskTrack:
    """Pseudo masks of one annotated instance.

    Id, video and category are always those of the box annotation; a
    predicted category is never a label (PM-VIS, section III-C).

    Attributes:
        id (int): Id of the annotation.
        video_id (int): Video it belongs to.
        category_id (int): As in the annotation file.
        masks (list): Per frame an RLE, or None where there is no mask.
        boxes (list): Per frame the annotated box (half-open xyxy, pixels),
            or None.
        sources (list): Per frame the name of the source, None without mask.
        scores (list): Per frame the agreement (SCM) or quality in [0, 1];
            None where unknown.
        iscrowd (bool): Whether the annotation stands for a group.
        interpolated (list[int], optional): Per frame 1 if the annotated box
            was interpolated, else 0; None if the annotations do not tell.
    """

    id: int
    video_id: int
    category_id: int
    masks: List[Optional[RLE]]
    boxes: List[Optional[Box]]
    sources: List[Optional[str]]
    scores: List[Optional[float]]
    iscrowd: bool = False
    interpolated: Optional[List[int]] = None

    @classmethod
    def empty_like(cls, track: Union[BoxTrack, 'MaskTrack']) -> 'MaskTrack':
        """Start without any mask, with the boxes of an annotation."""
        length = len(track.boxes)
        return cls(
            track.id,
            track.video_id,
            track.category_id,
            masks=[None] * length,
            boxes=list(track.boxes),
            sources=[None] * length,
            scores=[None] * length,
            iscrowd=track.iscrowd,
            interpolated=track.interpolated and list(track.interpolated),
        )

    @property
    def num_masks(self) -> int:
        """Number of frames with a mask."""
        return sum(mask is not None for mask in self.masks)

    def set(
        self,
        frame: int,
        mask: Optional[RLE],
        source: str,
        score: Optional[float] = None,
    ) -> None:
        """Store a mask; None or an empty mask removes it."""
        if mask is None or area(mask) == 0:
            self.masks[frame] = self.sources[frame] = None
            self.scores[frame] = None
            return
        self.masks[frame] = mask
        self.sources[frame] = source
        # Rounded, so that a file read and written again stays the same.
        self.scores[frame] = None if score is None else round(float(score), 5)

    def copy(self) -> 'MaskTrack':
        """Copy the lists; the masks themselves are shared."""
        return MaskTrack(
            self.id,
            self.video_id,
            self.category_id,
            list(self.masks),
            list(self.boxes),
            list(self.sources),
            list(self.scores),
            self.iscrowd,
            self.interpolated and list(self.interpolated),
        )

    def to_json(self, video: VideoInfo) -> Dict[str, Any]:
        """Write as an entry of ``annotations``.

        Masks, boxes and areas are null together (a loader that finds a box
        expects a mask); the annotated boxes of such frames are not lost:
        they stay in ``annotated_bboxes``.
        """
        shown = [
            box if mask is not None else None
            for box, mask in zip(self.boxes, self.masks)
        ]
        return dict(
            id=self.id,
            video_id=self.video_id,
            category_id=self.category_id,
            iscrowd=int(self.iscrowd),
            width=video.width,
            height=video.height,
            length=video.length,
            bboxes=[to_xywh(box) for box in shown],
            segmentations=self.masks,
            areas=[None if m is None else area(m) for m in self.masks],
            sources=self.sources,
            scores=self.scores,
            annotated_bboxes=[to_xywh(box) for box in self.boxes],
            **(
                {'interpolated': self.interpolated}
                if self.interpolated
                else {}
            ),
        )


def to_xywh(box: Optional[Sequence[float]]) -> Optional[List[float]]:
    """Turn a half-open xyxy box into [x, y, width, height].

    Args:
        box (Sequence[float], optional): Pixels.

    Returns:
        list[float], optional: Rounded to 0.0001 pixels; None for None.
    """
    if box is None:
        return None
    # Corners are rounded before they are subtracted, so that boxes survive
    # any number of round trips and never leave the frame.
    x0, y0, x1, y1 = (round(v, 4) for v in box)
    return [x0, y0, round(x1 - x0, 4), round(y1 - y0, 4)]


def read_mask_track(
    box_track: BoxTrack, entry: Dict[str, Any], name: str, source: str
) -> MaskTrack:
    """Add what only a set of pseudo masks has to a parsed annotation.

    Args:
        box_track (BoxTrack): The annotation with its masks.
        entry (dict): Its json, which may have ``sources`` and ``scores``.
        name (str): File, for messages.
        source (str): Source of masks that name none.

    Returns:
        MaskTrack: The masks.

    Raises:
        MaskSetError: If ``sources`` or ``scores`` are malformed.
    """
    track = MaskTrack.empty_like(box_track)
    sources = _per_frame(entry, 'sources', str, name)
    scores = _per_frame(entry, 'scores', (int, float), name)
    for frame, mask in enumerate(box_track.segmentations or ()):
        track.set(frame, mask, sources[frame] or source, scores[frame])
    return track


def _per_frame(
    entry: Dict[str, Any],
    key: str,
    kind: Union[type, Tuple[type, ...]],
    name: str,
) -> List[Any]:
    """Read one value or None for every frame."""
    length = len(entry['bboxes'])
    values = entry.get(key) or [None] * length
    where = dict(file=name, video=entry['video_id'], instance=entry['id'])
    if not isinstance(values, list) or len(values) != length:
        got = len(values) if isinstance(values, list) else repr(values)
        raise MaskSetError(
            f'"{key}" has length {got}, expected {length}',
            fix='one entry for every frame',
            **where,
        )
    for frame, value in enumerate(values):
        if value is None or (isinstance(value, str) and kind is str):
            continue
        number = isinstance(value, (int, float)) and kind is not str
        # Integers may be too long for a float.
        if number and abs(value) <= sys.float_info.max:
            continue
        raise MaskSetError(
            f'"{key}" holds {value!r}',
            frame=frame,
            fix='sources are names, scores are finite numbers, both may be '
            'null',
            **where,
        )
    return values
