"""A table of instances for spreadsheets and data frames."""

import csv
from pathlib import Path
from typing import IO, Any, List, Sequence, Union

from ..structures.video_track import VideoTrack
from .base import RESULT_WRITERS
from .track_file import VideoPart, VideosFileWriter, class_name

COLUMNS = (
    'frame',
    'time',
    'track_id',
    'label',
    'class',
    'track_score',
    'score',
    'x0',
    'y0',
    'x1',
    'y1',
    'area',
)


@RESULT_WRITERS.register_module(name='csv')
class CSVWriter(VideosFileWriter):
    """Writes one row for each instance and frame, track by track.

    Comma-separated UTF-8 with a head line, ordered by track and frame:

    - ``video``: its name; only with ``video_column``.
    - ``frame``: 0-based.
    - ``time``: seconds, as the video tells it, else the frame by the mean
      frame rate; empty where there is no clock.
    - ``track_id``: number of the track, the same in all formats.
    - ``label``, ``class``: best class of the whole track, 0-based index and
      name.
    - ``track_score``, ``score``: of the track, and in this frame; the
      latter is empty where unknown.
    - ``x0``, ``y0``, ``x1``, ``y1``: tight box of the mask in pixels, half
      open: it covers columns x0 ... x1 - 1.
    - ``area``: of the mask, pixels; empty where only the box is known.

    Args:
        path (str | Path): File to write.
        id_offset (int): Added to ids of tracks. Defaults to 1.
        tight_boxes (bool): Whether boxes are the tight ones around the
            masks; else those of the tracks. Defaults to True.
        video_column (bool): Whether the first column is ``video``, for
            tables of several. Defaults to False.
    """

    suffix = '.csv'
    needs_masks = False

    def __init__(
        self,
        path: Union[str, Path],
        id_offset: int = 1,
        tight_boxes: bool = True,
        video_column: bool = False,
    ) -> None:
        super().__init__(path, id_offset, tight_boxes)
        self.video_column = video_column

    def _write_videos(self, file: IO[str], parts: Sequence[VideoPart]) -> None:
        table = csv.writer(file, lineterminator='\n')
        table.writerow([*(['video'] if self.video_column else ()), *COLUMNS])
        for part in map(self.begin, parts):
            for track in self.visible(part.tracks):
                self._write_track(table, track)

    def _write_track(self, table: Any, track: VideoTrack) -> None:
        label = int(track.labels[0])
        head: List[Any] = [self.video.name] if self.video_column else []
        verdict = (
            self.number(track.id),
            label,
            class_name(self.classes, label),
            float(track.scores[0]),
        )
        fps = self.video.fps
        for frame, _, box, score, pixels, time in self.shown(track):
            if time is None and fps is not None:
                time = frame / fps
            shown = '' if time is None else round(time, 6)
            corners = [_short(value) for value in box]
            table.writerow(
                [*head, frame, shown, *verdict, score, *corners, pixels]
            )


def _short(value: float) -> float:
    """Write whole numbers without a point, others to 0.0001 pixels."""
    return int(value) if value == int(value) else round(value, 4)
