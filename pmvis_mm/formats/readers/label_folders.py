"""Folders with an image of labels for every frame."""

import os
from abc import abstractmethod
from pathlib import Path
from typing import Dict, Iterator, List, NamedTuple, Optional, Tuple

from ...structures.frame_sources import natural_key
from ...structures.rle import RLE, tight_boxes
from ...utils.errors import AnnotationError
from .base import AnnotationReader, ImportedVideo
from .files import check_source, wrong_format
from .frame_folders import VideoFrames
from .frame_index import FrameIndex
from .sightings import Sighting, join_sightings

_RESOLUTION = '480p'  # where DAVIS offers several
_DEPTH = 3


class Region(NamedTuple):
    """An instance in an image.

    Attributes:
        id (int): In the video.
        mask (RLE): At least a pixel, at the size of the image.
        category (str, optional): Name of its class.
        iscrowd (bool): Whether it is a group or not to be judged.
    """

    id: int
    mask: RLE
    category: Optional[str] = None
    iscrowd: bool = False


class LabelFolderReader(AnnotationReader):
    """Reads a folder of PNG files for each video; subclasses read one file.

    The source is the folder of one video, the folder of several, or one
    that holds it, such as the root of a dataset. Only one image is in
    memory at a time.

    With ``frames`` an image belongs to the frame of the same name, else to
    that of the same number ('5.png' to '00005.jpg'); frames of a video file
    have numbers only, from ``first_frame`` on. Not every frame needs an
    image. Without ``frames`` the images are all frames of the video.

    Attributes:
        inner (tuple[str]): Folders that may be around those of the videos,
            in the root of a dataset.
        frame_suffix (str, optional): Of the frames in this format; None if
            it is not known.
        example (str): Where the images are, for messages.
    """

    inner: Tuple[str, ...] = ()
    frame_suffix: Optional[str] = None
    example: str = '<video>/<frame>.png'

    def videos(self) -> Iterator[ImportedVideo]:
        """Read the videos, see :meth:`AnnotationReader.videos`."""
        folders = self.folders()
        for name, folder in folders.items():
            yield self._read(name, folder, len(folders) == 1)

    def folders(self) -> Dict[str, Path]:
        """Find the folders of the videos.

        Returns:
            dict[str, Path]: By name of the video, in order.

        Raises:
            AnnotationError: If there is none, or more than one set of them.
        """
        if not self.source.is_dir():
            raise wrong_format(
                self.source, self.title, 'this is no folder of PNG files'
            )
        folder = self.source.absolute()
        for _ in range(_DEPTH):
            inner = [n for n in self.inner if (folder / n).is_dir()]
            if inner:
                folder = folder / inner[0]
            if _images(folder):
                return {self._name(folder): folder}
            below = _subfolders(folder)
            videos = {n: folder / n for n in below if _images(folder / n)}
            if videos:
                return videos
            deeper = [n for n in below if _has_images(folder / n)]
            if _RESOLUTION in deeper:
                deeper = [_RESOLUTION]
            if len(deeper) > 1:
                raise AnnotationError(
                    f'several sets of videos: {", ".join(deeper[:5])}',
                    file=folder,
                    fix=f'name one of them, such as {folder / deeper[0]}',
                )
            if not deeper:
                break
            folder = folder / deeper[0]
        raise wrong_format(self.source, self.title, f'no {self.example}')

    def begin(self, name: str, folder: Path) -> None:
        """Prepare for a video.

        Args:
            name (str): Of the video.
            folder (Path): Of its images.
        """

    @abstractmethod
    def regions(
        self, path: Path, name: str, frame: int
    ) -> Tuple[Tuple[int, int], List[Region]]:
        """Split an image into instances.

        Args:
            path (Path): The image.
            name (str): Of the video, for messages.
            frame (int): 0-based, for messages.

        Returns:
            tuple: Height and width, pixels, and the instances.

        Raises:
            FrameError: If it is broken or of another kind.
            AnnotationError: If a value is wrong.
        """

    def finish(self, video: ImportedVideo) -> None:
        """Judge what was read of a video.

        Args:
            video (ImportedVideo): May be changed.
        """

    def _name(self, folder: Path) -> str:
        """Name a video whose images lie in ``folder`` itself."""
        return (folder.parent if folder.name in self.inner else folder).name

    def _read(self, name: str, folder: Path, alone: bool) -> ImportedVideo:
        self.begin(name, folder)
        paths = [folder / file for file in _images(folder)]
        found = self._find(name, folder, alone)
        places = self._places(paths, name, found)
        video = ImportedVideo(name, file=str(folder))
        sightings = []
        size: Optional[Tuple[int, int]] = None
        for frame in sorted(places):
            path = places[frame]
            check_source(path)
            current, regions = self.regions(path, name, frame)
            if size is not None and current != size:
                raise AnnotationError(
                    f'label image is {current[1]}x{current[0]} pixels, but '
                    f'those before {size[1]}x{size[0]}',
                    file=path,
                    video=name,
                    frame=frame,
                    fix='export all frames of a video at one size',
                )
            size = current
            boxes = tight_boxes([region.mask for region in regions]).tolist()
            for region, (x0, y0, x1, y1) in zip(regions, boxes):
                sightings.append(
                    Sighting(
                        region.id,
                        frame,
                        (x0, y0, x1, y1),
                        region.category,
                        region.iscrowd,
                        region.mask,
                        where=path.name,
                    )
                )
        if size is not None:
            video.height, video.width = size
        video.tracks = join_sightings(sightings, folder, name)
        video.file_names = self._file_names(paths, name, found)
        video.length = len(paths if found is None else found.file_names)
        self.finish(video)
        return video

    def _find(
        self, name: str, folder: Path, alone: bool
    ) -> Optional[VideoFrames]:
        if self.frames is None:
            return None
        # The PNG writer names its folders '<video>_masks'.
        names = [name]
        if name.endswith('_masks'):
            names.append(name[: -len('_masks')])
        for candidate in names + ([''] if alone else []):
            found = self.frames.find(candidate)
            if found is not None:
                return found
        raise AnnotationError(
            'no frames of this video below the folder of frames '
            f'{self.frames.root}',
            file=folder,
            video=name,
            fix=f'it should hold a folder {name!r} of images, or a video '
            f'file {name}.mp4',
        )

    def _places(
        self, paths: List[Path], name: str, found: Optional[VideoFrames]
    ) -> Dict[int, Path]:
        """Tell which frame every image belongs to."""
        if found is None:
            return dict(enumerate(paths))
        index = FrameIndex(found.file_names, self.first_frame)
        places: Dict[int, Path] = {}
        for path in paths:
            problem = None
            try:
                frame = index.find(path.stem)
                if frame in places:
                    problem = (
                        f'{places[frame].name} and {path.name} belong to '
                        'one frame'
                    )
            except ValueError as reason:
                problem = f'label image of no frame ({reason})'
            if problem is not None:
                raise AnnotationError(
                    problem,
                    file=path,
                    video=name,
                    fix='name label images as the frames; for frames of a '
                    'video file, set first_frame (--first-frame) to the '
                    'number of the first one, 0 or 1',
                )
            places[frame] = path
        return places

    def _file_names(
        self, paths: List[Path], name: str, found: Optional[VideoFrames]
    ) -> Optional[List[str]]:
        if found is not None:
            return list(found.file_names)
        if self.frame_suffix is None:
            return None
        return [f'{name}/{path.stem}{self.frame_suffix}' for path in paths]


def _images(folder: Path) -> List[str]:
    """List the PNG files of a folder, numbers in order."""
    names = [
        name
        for name in os.listdir(folder)
        # '._x.png' is what archives of macOS bring along.
        if name.lower().endswith('.png') and not name.startswith('.')
    ]
    return sorted(names, key=natural_key)


def _subfolders(folder: Path) -> List[str]:
    names = [
        entry.name
        for entry in os.scandir(folder)
        if entry.is_dir() and not entry.name.startswith(('.', '__MACOSX'))
    ]
    return sorted(names, key=natural_key)


def _has_images(folder: Path) -> bool:
    """Whether folders of a folder, or of those, hold PNG files."""
    below = [folder / name for name in _subfolders(folder)]
    return any(_images(path) for path in below) or any(
        _images(path / name) for path in below for name in _subfolders(path)
    )
