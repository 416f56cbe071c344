"""Videos with the instances painted in."""

from pathlib import Path
from typing import Iterable, Optional, Sequence, Union

import numpy as np
from mmengine.structures import InstanceData

from ..structures.video_track import StreamInfo, VideoTrack
from ..utils.errors import FrameError
from ..visualization.overlay import MIN_HEIGHT, draw_instances
from ..visualization.video_writer import VideoFile
from .base import RESULT_WRITERS
from .track_file import NumberedWriter, class_name


@RESULT_WRITERS.register_module(name='mp4')
class OverlayVideoWriter(NumberedWriter):
    """Writes an mp4 video, frame by frame: masks, boxes, classes, scores.

    What is seen in a frame was predicted up to that frame: its class and
    score may differ from the verdict about the whole track. A track has one
    colour in all frames, runs and videos, and its number in the text is
    that of the other formats.

    Args:
        path (str | Path): File to write.
        score_thr (float): Instances whose score in the frame is lower are
            not drawn. Defaults to 0.3.
        fps (float): Frames per second where the source has no clock.
            Defaults to 10.
        alpha (float): Opacity of the masks in [0, 1]. Defaults to 0.5.
        with_boxes (bool): Whether to draw the predicted boxes. Defaults to
            False.
        with_labels (bool): Whether to write class, number and score.
            Defaults to True.
        min_height (int): A lower video is enlarged by an integer factor, so
            that text is legible; 0 keeps the size. Defaults to 240.
        codecs (Sequence[str], optional): Four-character codes, tried in
            this order. Defaults to None: VP9, which browsers play, then
            MPEG-4 part 2. ``['mp4v']`` is encoded about 20 times as fast.
        id_offset (int): Added to ids of tracks to get their numbers.
            Defaults to 1.
    """

    needs_images = True
    suffix = '.mp4'

    def __init__(
        self,
        path: Union[str, Path],
        score_thr: float = 0.3,
        fps: float = 10.0,
        alpha: float = 0.5,
        with_boxes: bool = False,
        with_labels: bool = True,
        min_height: int = MIN_HEIGHT,
        codecs: Optional[Sequence[str]] = None,
        id_offset: int = 1,
    ) -> None:
        super().__init__(path, id_offset)
        self.score_thr = score_thr
        self.fps = fps
        self.alpha = alpha
        self.with_boxes = with_boxes
        self.with_labels = with_labels
        self.min_height = min_height
        self.codecs = codecs
        self._file: Optional[VideoFile] = None

    def start(self, video: StreamInfo, classes: Sequence[str]) -> None:
        """Begin a video, see :meth:`ResultWriter.start`."""
        self.abort()
        super().start(video, classes)
        fps = video.fps or self.fps
        self._file = VideoFile(self.path, fps, self.codecs, self.suffix)

    def add_frame(
        self,
        frame: int,
        instances: InstanceData,
        image: Optional[np.ndarray] = None,
    ) -> None:
        """Paint and write a frame, see the base class.

        Raises:
            FrameError: If there is no image, or of another size than the
                masks.
            OutputError: If no codec works.
        """
        if image is None:
            raise FrameError(
                'an overlay video needs the images',
                file=self.path,
                video=self.video.name,
                frame=frame,
                fix='give add_frame() the image, see "needs_images"',
            )
        try:
            picture = self._paint(instances, image)
        except FrameError as error:
            raise FrameError(
                error.problem,
                file=self.path,
                video=self.video.name,
                frame=frame,
                fix=error.fix,
            ) from None
        self._open_file().add(picture)

    def finish(self, tracks: Iterable[VideoTrack], length: int) -> Path:
        """Complete the file, see :meth:`ResultWriter.finish`."""
        self._open_file().finish()
        self._file = None
        return self.path

    def abort(self) -> None:
        """Remove the file that was begun."""
        if self._file is not None:
            self._file.abort()
            self._file = None

    def _open_file(self) -> VideoFile:
        if self._file is None:
            raise self.not_begun()
        return self._file

    def _paint(self, instances: InstanceData, image: np.ndarray) -> np.ndarray:
        scores = [float(score) for score in instances.scores]
        shown = [n for n, s in enumerate(scores) if s >= self.score_thr]
        ids = [int(key) for key in instances.instances_id]
        texts = boxes = None
        if self.with_labels:
            names = [class_name(self.classes, n) for n in instances.labels]
            texts = [
                f'{names[n]} {self.number(ids[n])} {scores[n]:.2f}'
                for n in shown
            ]
        if self.with_boxes:
            rows = instances.bboxes.tolist()
            boxes = [tuple(rows[n]) for n in shown]
        return draw_instances(
            image,
            [instances.masks[n] for n in shown],
            [ids[n] for n in shown],
            texts,
            boxes,
            alpha=self.alpha,
            min_height=self.min_height,
        )


@RESULT_WRITERS.register_module(name='webm')
class WebMVideoWriter(OverlayVideoWriter):
    """Writes a webm video, which browsers play; else as the base class.

    Its default codec, VP8, is encoded about five times as fast as VP9.
    """

    suffix = '.webm'
