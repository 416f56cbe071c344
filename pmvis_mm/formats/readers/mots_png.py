"""Masks in the PNG folders of MOTS."""

from pathlib import Path
from typing import TYPE_CHECKING, List, Optional, Tuple, Union

from ...structures.label_image import encode_labels, read_label_image
from ...utils.errors import AnnotationError
from .base import ANNOTATION_READERS
from .label_folders import LabelFolderReader, Region
from .mots import ClassNames, declared, is_ignored, mots_name, mots_names
from .sequences import number_names, read_labels

if TYPE_CHECKING:
    from .frame_folders import FrameFolders

_PER_CLASS = 1000  # id = class * 1000 + number


@ANNOTATION_READERS.register_module(name='mots_png')
class MOTSPNGReader(LabelFolderReader):
    """Reads masks from images of 16 bits, one for each frame.

    The value of a pixel is class * 1000 + number of the instance, 0 is
    background, class 10 (10000) is not to be judged. Source: Voigtlaender
    et al., `MOTS <https://arxiv.org/abs/1902.03604>`_, and the format of
    its data page.

    Files belong to the frames of the same name, see
    :class:`LabelFolderReader`. Boxes are the tight ones of the masks,
    half-open xyxy in pixels.

    Args:
        source (str | Path): Folder ``instances``, the folder around it, or
            the folder of one video.
        frames (FrameFolders, optional): See :class:`AnnotationReader`.
        first_frame (int, optional): Number of the first frame of a video
            file. Defaults to None: 0.
        class_names (Mapping[int, str] | Sequence[str], optional): Names of
            the class ids; a sequence names 1, 2, ... without 10. Defaults
            to None: those of ``labels.txt`` beside the images (CVAT and
            Datumaro write it), else 1 is 'car' and 2 'pedestrian'.
    """

    title = 'MOTS PNG folder'
    inner = ('instances',)

    def __init__(
        self,
        source: Union[str, Path],
        frames: Optional['FrameFolders'] = None,
        first_frame: Optional[int] = None,
        class_names: ClassNames = None,
    ) -> None:
        super().__init__(source, frames, first_frame)
        self._given = class_names
        self._names = mots_names(class_names)
        self._declared = class_names is not None

    def classes(self) -> Optional[Tuple[str, ...]]:
        """Tell the classes of ``class_names`` or ``labels.txt``."""
        return declared(self._names) if self._declared else None

    def begin(self, name: str, folder: Path) -> None:
        """Look for names of classes."""
        if self._given is not None:
            return
        listed = read_labels(folder) or read_labels(folder.parent)
        if listed is not None:
            # Without a gap for class 10, other than in our own files.
            self._names = number_names(listed) or {}
            self._declared = True

    def regions(
        self, path: Path, name: str, frame: int
    ) -> Tuple[Tuple[int, int], List[Region]]:
        """Split an image, see :meth:`LabelFolderReader.regions`."""
        labels = read_label_image(str(path), name, frame, allow_16_bit=True)
        found = []
        for key, mask in encode_labels(labels).items():
            class_id = key // _PER_CLASS
            try:
                category = mots_name(class_id, self._names)
            except ValueError as reason:
                raise AnnotationError(
                    f'value {key}: {reason}',
                    file=path,
                    video=name,
                    frame=frame,
                    fix='give class_names={number: name}; images whose '
                    'values are plain numbers of objects are read as '
                    '"davis"',
                ) from None
            found.append(Region(key, mask, category, is_ignored(category)))
        height, width = labels.shape
        return (height, width), found
