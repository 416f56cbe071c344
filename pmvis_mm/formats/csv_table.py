"""A table of instances for spreadsheets and data frames."""

import csv
from typing import IO, Iterable

from ..structures.video_track import VideoTrack
from .base import RESULT_WRITERS
from .track_file import TrackFileWriter, class_name

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
class CSVWriter(TrackFileWriter):
    """Writes one row for each instance and frame, track by track.

    Comma-separated UTF-8 with a head line, ordered by track and frame:

    - ``frame``: 0-based.
    - ``time``: seconds, as the video tells it, else the frame by the mean
      frame rate; empty where there is no clock.
    - ``track_id``: number of the track, the same in all formats.
    - ``label``, ``class``: best class of the whole track, 0-based index and
      name.
    - ``track_score``, ``score``: of the track, and in this frame.
    - ``x0``, ``y0``, ``x1``, ``y1``: tight box of the mask in pixels, half
      open: it covers columns x0 ... x1 - 1.
    - ``area``: of the mask, pixels.

    Args:
        path (str | Path): File to write.
        id_offset (int): Added to ids of tracks. Defaults to 1.
    """

    suffix = '.csv'

    def _write(
        self, file: IO[str], tracks: Iterable[VideoTrack], length: int
    ) -> None:
        table = csv.writer(file, lineterminator='\n')
        table.writerow(COLUMNS)
        for track in tracks:
            self._write_track(table, track)

    def _write_track(self, table, track: VideoTrack) -> None:
        label = int(track.labels[0])
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
            table.writerow([frame, shown, *verdict, score, *box, pixels])
