"""The writers of one video: files, a window, pictures in memory."""

import inspect
import os
from pathlib import Path
from typing import (
    Any,
    Dict,
    Iterable,
    List,
    Mapping,
    Optional,
    Sequence,
    Tuple,
    Union,
)

import cv2
import numpy as np
from mmengine.structures import InstanceData

from ..formats import RESULT_WRITERS, ResultWriter
from ..formats.export_names import make_unique
from ..formats.overlay_video import OverlayVideoWriter
from ..structures.video_track import StreamInfo, VideoTrack
from ..utils.errors import ConfigError, OutputError

Format = Union[str, Mapping[str, Any]]


class PictureSink(OverlayVideoWriter):
    """Paints frames as the overlay video does, but writes no file.

    Args:
        show (bool): Whether to show them in a window; 'q' or Escape there
            sets :attr:`closed`.
        keep (bool): Whether to keep them in memory.
        kwargs: See :class:`OverlayVideoWriter`.

    Attributes:
        pictures (list[np.ndarray]): uint8, (H, W, 3), BGR.
        closed (bool): Whether the user wants to stop.
    """

    def __init__(self, show: bool, keep: bool, **kwargs: Any) -> None:
        super().__init__('window', **kwargs)
        self.show = show
        self.keep = keep
        self.pictures: List[np.ndarray] = []
        self.closed = False

    def start(self, video: StreamInfo, classes: Sequence[str]) -> None:
        """Begin a video, see the base class."""
        self._video, self.classes = video, tuple(classes)

    def add_frame(
        self,
        frame: int,
        instances: InstanceData,
        image: Optional[np.ndarray] = None,
    ) -> None:
        """Paint a frame, see the base class.

        Raises:
            OutputError: If there is no screen.
        """
        assert image is not None
        picture = self._paint(instances, image)
        if self.keep:
            self.pictures.append(picture)
        if self.show:
            try:
                cv2.imshow(self.video.name, picture)
                self.closed = cv2.waitKey(1) & 0xFF in (ord('q'), 27)
            except cv2.error as reason:
                raise OutputError(
                    'no window can be opened: there is no screen, or OpenCV '
                    'was built without windows',
                    video=self.video.name,
                    fix='set show=False, or install opencv-python instead of '
                    'opencv-python-headless',
                ) from reason

    def finish(self, tracks: Iterable[VideoTrack], length: int) -> Path:
        """Close the window."""
        self.abort()
        return self.path

    def abort(self) -> None:
        """Close the window."""
        if self.show:
            try:
                cv2.destroyWindow(self.video.name)
            except cv2.error:  # the user was faster
                pass


def build_writers(
    formats: Union[Format, Sequence[Format]],
    out_dir: Union[str, Path],
    name: str,
    defaults: Mapping[str, Any],
    source: Any = None,
) -> List[ResultWriter]:
    """Build the writers of a video.

    Args:
        formats (str | Mapping | Sequence): Names in ``RESULT_WRITERS``, or
            configs with ``type`` and arguments; one or several.
        out_dir (str | Path): Folder of the files.
        name (str): Of the video, their stem.
        defaults (Mapping): Arguments for those writers that take them and
            do not set them.
        source (object): The video, which is never written over. Defaults to
            None.

    Returns:
        list[ResultWriter]: In the order of the formats.

    Raises:
        ConfigError: If a format or an option is unknown, or two write one
            file, or one the video itself.
    """
    writers: List[ResultWriter] = []
    if isinstance(formats, (str, Mapping)):
        formats = [formats]
    for item in formats:
        cfg: Dict[str, Any] = (
            dict(type=item) if isinstance(item, str) else dict(item)
        )
        found = RESULT_WRITERS.get(cfg.get('type', ''))
        if found is None:
            known = sorted(RESULT_WRITERS.module_dict)
            raise ConfigError(
                f'format {cfg.get("type")!r} is unknown',
                fix=f'choose from {known}',
            )
        cfg.setdefault('path', Path(out_dir) / f'{name}{found.suffix}')
        allowed = _arguments(found)
        for key, value in defaults.items():
            if key in allowed:
                cfg.setdefault(key, value)
        unknown = sorted({*cfg} - {'type', *allowed})
        if unknown:
            raise ConfigError(
                f'format {cfg["type"]!r} has no options {unknown}',
                fix=f'choose from {allowed}',
            )
        writers.append(RESULT_WRITERS.build(cfg))
    _check_paths([writer.path for writer in writers], source)
    return writers


def _check_paths(paths: Sequence[Path], source: Any) -> None:
    """Refuse to write a file twice, or over the video."""
    twice = [str(path) for path in paths if paths.count(path) > 1]
    if twice:
        raise ConfigError(
            f'several formats write {twice[0]}',
            fix='give each its own path: formats=[dict(type=..., path=...)]',
        )
    if not isinstance(source, (str, os.PathLike)):
        return
    for path in paths:
        if path.resolve() == Path(source).resolve():
            raise ConfigError(
                'the result would replace the video itself',
                file=path,
                fix='choose another output folder',
            )


def _arguments(writer: type) -> List[str]:
    """Names of the arguments of a class, also those passed to its base."""
    return list(inspect.signature(writer).parameters)


def unique_names(names: Sequence[str]) -> Tuple[str, ...]:
    """Make names of videos unique by appending numbers, for their files."""
    return tuple(make_unique(names))
