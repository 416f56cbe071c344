"""What became of the annotations of another tool."""

from dataclasses import dataclass, field
from typing import Dict, List, Tuple

Rows = List[Tuple[str, int]]


@dataclass
class ImportReport:
    """Counts of an import.

    Attributes:
        videos (int): In the result.
        frames (int): Of these videos.
        tracks (int): In the result.
        boxes (int): In the result, with interpolated ones.
        interpolated (int): Boxes that were interpolated, here or by the tool
            they come from.
        clipped (int): Boxes that were clipped to the frame.
        masks (int): In the result.
        masks_left_out (int): That the source has but the result has not,
            because only boxes were asked for.
        invented_names (int): Videos whose names of frames were made up.
        dropped (dict[str, int]): Number of things left out, by reason.
        unused_names (list[str]): Old names of ``class_map`` that no class
            has.
        categories (dict[str, int]): Tracks of every class, in the order of
            their ids.
    """

    videos: int = 0
    frames: int = 0
    tracks: int = 0
    boxes: int = 0
    interpolated: int = 0
    clipped: int = 0
    masks: int = 0
    masks_left_out: int = 0
    invented_names: int = 0
    dropped: Dict[str, int] = field(default_factory=dict)
    unused_names: List[str] = field(default_factory=list)
    categories: Dict[str, int] = field(default_factory=dict)

    def drop(self, reason: str, number: int = 1) -> None:
        """Count something that is left out.

        Args:
            reason (str): What it is and why, such as 'boxes outside the
                frame'.
            number (int): How many. Defaults to 1.
        """
        self.dropped[reason] = self.dropped.get(reason, 0) + number

    def rows(self) -> Rows:
        """List the counts for a table.

        Returns:
            list[tuple]: Name and number; rows that are seldom of interest
            only if they are not 0.
        """
        rows: Rows = [
            ('videos', self.videos),
            ('frames', self.frames),
            ('tracks', self.tracks),
            ('boxes', self.boxes),
        ]
        seldom = (
            ('boxes interpolated', self.interpolated),
            ('boxes clipped to the frame', self.clipped),
            ('masks', self.masks),
            ('masks left out (boxes only)', self.masks_left_out),
            ('videos with made-up names of frames', self.invented_names),
            *((f'dropped: {k}', n) for k, n in sorted(self.dropped.items())),
        )
        return rows + [row for row in seldom if row[1]]
