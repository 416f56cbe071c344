"""Masks in the PNG folders of BDD100K MOTS."""

from pathlib import Path
from typing import Dict, List, Tuple

import numpy as np

from ...structures.label_image import encode_labels, read_image_as_is
from ...utils.class_names import BDD100K_MOTS_CLASSES
from ...utils.errors import AnnotationError, FrameError
from .base import ANNOTATION_READERS
from .label_folders import LabelFolderReader, Region

_CROWD_OR_IGNORED = 0b0011  # above them: truncated << 3, occluded << 2


@ANNOTATION_READERS.register_module(name='bdd100k_bitmasks')
class BDD100KBitmaskReader(LabelFolderReader):
    """Reads masks from images of four channels, one for each frame.

    R is the category (1 pedestrian ... 8 bicycle, 0 background), G holds
    the attributes ``truncated << 3 | occluded << 2 | crowd << 1 |
    ignored``, and ``B << 8 | A`` is the id of the instance. What is crowd
    or ignored becomes ``iscrowd``, frame by frame. Source: Yu et al.,
    `BDD100K <https://arxiv.org/abs/1805.04687>`_, and the label format in
    its documentation.

    Files belong to the frames of the same name, see
    :class:`LabelFolderReader`. Boxes are the tight ones of the masks,
    half-open xyxy in pixels.

    Args:
        source (str | Path): ``labels/seg_track_20/bitmasks/train``, or the
            folder of one video.
        frames (FrameFolders, optional): ``images/seg_track_20/train``, see
            :class:`AnnotationReader`.
        first_frame (int, optional): Number of the first frame of a video
            file. Defaults to None: 1.
    """

    title = 'BDD100K MOTS bitmasks'
    default_first_frame = 1
    inner = ('bitmasks',)
    frame_suffix = '.jpg'
    example = 'bitmasks/<split>/<video>/<video>-0000001.png'

    def classes(self) -> Tuple[str, ...]:
        """Tell the classes of BDD100K MOTS."""
        return BDD100K_MOTS_CLASSES

    def regions(
        self, path: Path, name: str, frame: int
    ) -> Tuple[Tuple[int, int], List[Region]]:
        """Split an image, see :meth:`LabelFolderReader.regions`."""
        mode, values = read_image_as_is(str(path), name, frame)
        if mode != 'RGBA':
            raise FrameError(
                f'bitmask has mode {mode}, not four channels of 8 bits',
                file=path,
                video=name,
                frame=frame,
                fix='use the folder "bitmasks", neither "colormaps" nor '
                'another format',
            )
        # The four channels as one number: an instance with its class.
        keys = np.ascontiguousarray(values).view('<u4')[..., 0]
        found: Dict[int, Region] = {}
        for key, mask in encode_labels(keys).items():
            red, green, blue, alpha = key.to_bytes(4, 'little')
            if red == 0:
                continue
            number = blue << 8 | alpha
            if red > len(BDD100K_MOTS_CLASSES) or number in found:
                raise AnnotationError(
                    f'two objects with id {number} in one frame: class or '
                    'attributes differ'
                    if number in found
                    else f'category {red} is not in 1 ... 8',
                    file=path,
                    video=name,
                    frame=frame,
                    instance=number,
                    fix='see whether these are bitmasks of BDD100K MOTS',
                )
            ignored = bool(green & _CROWD_OR_IGNORED)
            category = BDD100K_MOTS_CLASSES[red - 1]
            found[number] = Region(number, mask, category, ignored)
        height, width = keys.shape
        return (height, width), list(found.values())
