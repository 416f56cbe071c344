"""What every format of results has in common."""

from abc import ABCMeta, abstractmethod
from pathlib import Path
from typing import Iterable, Optional, Sequence, Union

import numpy as np
from mmengine.registry import Registry
from mmengine.structures import InstanceData

from ..structures.video_track import StreamInfo, VideoTrack

RESULT_WRITERS = Registry(
    'result writer', scope='pmvis_mm', locations=['pmvis_mm.formats']
)


class ResultWriter(metaclass=ABCMeta):
    """Writes what a model found in one video.

    The life of a writer: :meth:`start`, :meth:`add_frame` for every frame in
    order, then :meth:`finish` with the tracks, or :meth:`abort`. Neither
    frames nor tracks are kept, so that memory does not grow with the video;
    files appear only when complete.

    Args:
        path (str | Path): File or folder to write, see the format.

    Attributes:
        needs_images (bool): Whether :meth:`add_frame` wants the image.
        suffix (str): What the name of the file or folder ends with.
        is_folder (bool): Whether :attr:`path` is a folder.
    """

    needs_images: bool = False
    suffix: str = ''
    is_folder: bool = False

    def __init__(self, path: Union[str, Path]) -> None:
        self.path = Path(path)

    @abstractmethod
    def start(self, video: StreamInfo, classes: Sequence[str]) -> None:
        """Begin a video.

        Args:
            video (StreamInfo): What is known of it.
            classes (Sequence[str]): Name of every label.

        Raises:
            OutputError: If the folder cannot be written.
        """

    def add_frame(  # noqa: B027 - may stay empty
        self,
        frame: int,
        instances: InstanceData,
        image: Optional[np.ndarray] = None,
    ) -> None:
        """Take what was found in a frame; nothing to do in some formats.

        Args:
            frame (int): 0-based; frames come in order, none left out.
            instances (InstanceData): See
                :class:`~pmvis_mm.apis.ClipPrediction`: ``bboxes``,
                ``scores``, ``labels``, ``instances_id``, ``masks`` (RLE).
            image (np.ndarray, optional): uint8, (H, W, 3), BGR; given if
                ``needs_images``.
        """

    @abstractmethod
    def finish(self, tracks: Iterable[VideoTrack], length: int) -> Path:
        """Complete the file.

        Args:
            tracks (Iterable[VideoTrack]): One at a time, by ascending id;
                made anew by each ``iter()``.
            length (int): Number of frames that the video turned out to
                have.

        Returns:
            Path: What was written.

        Raises:
            OutputError: If it cannot be written.
        """

    def abort(self) -> None:  # noqa: B027 - may stay empty
        """Remove what was begun; called instead of :meth:`finish`."""
