"""Masks in the PNG folders of DAVIS and YouTube-VOS."""

from pathlib import Path
from typing import TYPE_CHECKING, Any, Dict, List, Optional, Tuple, Union

import numpy as np

from ...structures.label_image import encode_labels, read_label_image
from ...utils.errors import AnnotationError
from .base import ANNOTATION_READERS, ImportedVideo
from .files import read_json
from .label_folders import LabelFolderReader, Region

if TYPE_CHECKING:
    from .frame_folders import FrameFolders

_META = 'meta.json'


@ANNOTATION_READERS.register_module(name='davis')
class DAVISReader(LabelFolderReader):
    """Reads masks from indexed or grey images, one for each frame.

    The value of a pixel is the number of its object, 0 is background, 255
    is not to be judged (in images of 8 bits; the PNG writer fills 16 bits
    where it needs numbers beyond 255). Sources: Pont-Tuset et al., `DAVIS
    2017 <https://arxiv.org/abs/1704.00675>`_, and Xu et al., `YouTube-VOS
    <https://arxiv.org/abs/1809.03327>`_, whose ``meta.json`` names the
    class of every object; DAVIS has no classes.

    Files belong to the frames of the same name, see
    :class:`LabelFolderReader`; masks of every fifth frame are fine. Boxes
    are the tight ones of the masks, half-open xyxy in pixels.

    Args:
        source (str | Path): Root of the dataset, ``Annotations``,
            ``Annotations/480p``, any folder of such folders, or the folder
            of one video, such as the PNG writer makes it. Of several
            resolutions '480p' is taken.
        frames (FrameFolders, optional): See :class:`AnnotationReader`.
        first_frame (int, optional): Number of the first frame of a video
            file. Defaults to None: 0.
        ignore_index (int, optional): Value that is not to be judged, in
            images of 8 bits; None if all values are objects, as in DAVIS
            2016, where the only object is 255. Defaults to 255.
    """

    title = 'DAVIS PNG folder'
    inner = ('Annotations',)
    frame_suffix = '.jpg'
    example = 'Annotations/<video>/<frame>.png'

    def __init__(
        self,
        source: Union[str, Path],
        frames: Optional['FrameFolders'] = None,
        first_frame: Optional[int] = None,
        ignore_index: Optional[int] = 255,
    ) -> None:
        super().__init__(source, frames, first_frame)
        self.ignore_index = ignore_index
        self._categories: Dict[str, Dict[int, str]] = {}

    def folders(self) -> Dict[str, Path]:
        """Find the folders, see :meth:`LabelFolderReader.folders`."""
        folders = super().folders()
        self._categories = {}
        root = next(iter(folders.values())).parent
        for folder in dict.fromkeys((self.source, root, root.parent)):
            if (folder / _META).is_file():
                self._categories = _read_meta(folder / _META)
                break
        return folders

    def regions(
        self, path: Path, name: str, frame: int
    ) -> Tuple[Tuple[int, int], List[Region]]:
        """Split an image, see :meth:`LabelFolderReader.regions`."""
        labels = read_label_image(str(path), name, frame, allow_16_bit=True)
        ignored = self.ignore_index if labels.dtype == np.uint8 else None
        names = self._categories.get(name, {})
        found = [
            Region(key, mask, names.get(key), key == ignored)
            for key, mask in encode_labels(labels).items()
        ]
        height, width = labels.shape
        return (height, width), found

    def finish(self, video: ImportedVideo) -> None:
        """Refuse a video that seems to be black and white."""
        if video.tracks and all(track.iscrowd for track in video.tracks):
            raise AnnotationError(
                f'the only object is {self.ignore_index}, which means "not '
                'to be judged"',
                file=video.file,
                video=video.name,
                fix='for black and white masks, as those of DAVIS 2016, set '
                'ignore_index=None',
            )


def _read_meta(path: Path) -> Dict[str, Dict[int, str]]:
    """Read the classes of all objects of YouTube-VOS."""
    data = read_json(path, 'meta.json of YouTube-VOS')
    videos = data.get('videos') if isinstance(data, dict) else None
    if not isinstance(videos, dict):
        raise _bad_meta(path, None, '"videos" is missing or no json object')
    return {
        name: {
            _number(key, path, name): _category(entry, path, name)
            for key, entry in _objects(video, path, name).items()
        }
        for name, video in videos.items()
    }


def _objects(video: Any, path: Path, name: str) -> Dict[str, Any]:
    objects = video.get('objects') if isinstance(video, dict) else None
    if not isinstance(objects, dict):
        raise _bad_meta(path, name, '"objects" is missing or no json object')
    return objects


def _number(key: str, path: Path, video: str) -> int:
    try:
        return int(key)
    except ValueError:
        raise _bad_meta(path, video, f'object {key!r} is no number') from None


def _category(entry: Any, path: Path, video: str) -> Any:
    name = entry.get('category') if isinstance(entry, dict) else None
    if name is not None and not isinstance(name, str):
        raise _bad_meta(path, video, f'category {name!r} is no name')
    return name


def _bad_meta(
    path: Path, video: Optional[str], problem: str
) -> AnnotationError:
    return AnnotationError(
        problem,
        file=path,
        video=video,
        fix='use the meta.json of YouTube-VOS: {"videos": {name: '
        '{"objects": {number: {"category": ...}}}}}, or remove it',
    )
