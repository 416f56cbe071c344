"""MOTChallenge text files: boxes of tracks."""

from pathlib import Path
from typing import IO, Iterable, Mapping, Optional, Union

from ..structures.video_track import VideoTrack
from ..utils.errors import ConfigError
from .base import RESULT_WRITERS
from .track_file import ShownMask, TrackFileWriter


@RESULT_WRITERS.register_module(name='mot')
class MOTWriter(TrackFileWriter):
    """Writes a line for each instance and frame, track by track.

    As ground truth, which is nine columns:
    ``frame,id,left,top,width,height,consider,class,visibility``. ``consider``
    is 0 for crowds, else 1; the visibility is not known and always 1. As
    results, ten: ``frame,id,left,top,width,height,score,-1,-1,-1``. Source:
    Milan et al., MOT16, section 3.2, and the format of the challenge's page.

    Coordinates are pixels from 0, not from 1 as the challenge once defined
    them: so do the tools that are in use, and none of them converts.

    Args:
        path (str | Path): File to write; TrackEval wants
            '<sequence>/gt/gt.txt', or '<sequence>.txt' for results.
        style (str): 'gt' or 'results'. Defaults to 'results'.
        first_frame (int): Number of the first frame. Defaults to 1.
        class_ids (Mapping[str, int], optional): Class ids by name of the
            class; tracks of other classes are left out. ``dict(person=1)``
            suits the public benchmarks. Defaults to None: label + 1.
        id_offset (int): Added to ids of tracks. Defaults to 1.
        tight_boxes (bool): See :class:`TrackFileWriter`. Defaults to True.

    Raises:
        ConfigError: If ``style`` is unknown.
    """

    suffix = '_mot.txt'
    needs_masks = False

    def __init__(
        self,
        path: Union[str, Path],
        style: str = 'results',
        first_frame: int = 1,
        class_ids: Optional[Mapping[str, int]] = None,
        id_offset: int = 1,
        tight_boxes: bool = True,
    ) -> None:
        super().__init__(path, id_offset, tight_boxes)
        if style not in ('gt', 'results'):
            raise ConfigError(
                f'style={style!r} is unknown',
                fix='choose from "gt" and "results"',
            )
        self.style = style
        self.first_frame = first_frame
        self.class_ids = None if class_ids is None else dict(class_ids)

    def _write(
        self, file: IO[str], tracks: Iterable[VideoTrack], length: int
    ) -> None:
        for track in self.visible(tracks):
            label = int(track.labels[0])
            class_id: Optional[int] = label + 1
            if self.class_ids is not None:
                known = 0 <= label < len(self.classes)
                name = self.classes[label] if known else ''
                class_id = self.class_ids.get(name)
            if class_id is None:
                self.lost['tracks of classes without a class id'] += 1
                continue
            for shown in self.shown(track):
                file.write(self._line(track, shown, class_id))

    def _line(self, track: VideoTrack, shown: ShownMask, class_id: int) -> str:
        x0, y0, x1, y1 = (round(value, 4) for value in shown.box)
        sides = (x0, y0, x1 - x0, y1 - y0)
        numbers = [f'{side:.4f}'.rstrip('0').rstrip('.') for side in sides]
        if self.style == 'gt':
            tail = [str(int(not track.iscrowd)), str(class_id), '1']
        else:
            score = 1.0 if shown.score is None else shown.score
            tail = [f'{score:.6g}', '-1', '-1', '-1']
        frame = str(shown.frame + self.first_frame)
        head = [frame, str(self.number(track.id))]
        return ','.join([*head, *numbers, *tail]) + '\n'
