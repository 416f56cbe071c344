"""Where clips for training a mask propagator come from."""

from dataclasses import dataclass
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import mmengine.fileio as fileio
import numpy as np

from ..registry import DATASETS
from ..structures import rle
from ..structures.frame_reader import read_frame
from ..structures.label_image import missing_file, read_label_image
from ..utils.errors import AnnotationError

IGNORED = -1


@dataclass(frozen=True)
class VOSVideo:
    """What a source tells of one video without reading its frames.

    Attributes:
        id (int | str): Id in the annotation, else the name.
        name (str): Folder of its frames, or what stands for it.
        length (int): Number of annotated frames.
        candidates (tuple[int]): Frames that may start a clip: those that
            hold an object, as far as this is known without reading masks.
    """

    id: Union[int, str]
    name: str
    length: int
    candidates: Tuple[int, ...]


class VOSSource:
    """Base of all sources: videos with a label map for every frame.

    Attributes:
        file (str): Annotation file or folder, for messages.
        videos (list[VOSVideo]): The videos.
    """

    file: str
    videos: List[VOSVideo]

    def read_frame(self, video: int, t: int) -> np.ndarray:
        """Read a frame.

        Args:
            video (int): Index into ``videos``.
            t (int): 0-based index of the frame.

        Returns:
            np.ndarray: uint8, (H, W, 3), BGR.

        Raises:
            FrameError: If it is missing or broken.
        """
        raise NotImplementedError

    def read_labels(self, video: int, t: int) -> np.ndarray:
        """Read which pixels belong to which object.

        Args:
            video (int): Index into ``videos``.
            t (int): 0-based index of the frame.

        Returns:
            np.ndarray: int32, (H, W), the size of the frame: 0 background,
            -1 not to be judged, else the number of an object, the same in
            all frames of the video.

        Raises:
            FrameError: If a file is missing or broken.
            AnnotationError: If a mask is malformed.
        """
        raise NotImplementedError

    def label_file(self, video: int, t: int) -> str:
        """Name the file that holds the labels of a frame, for messages."""
        return self.file


@DATASETS.register_module()
class InstanceSource(VOSSource):
    """Videos or images of a dataset with masks of instances.

    Any annotation that :class:`VISDataset` or :class:`COCOClipDataset`
    reads, real or pseudo masks. Where masks of a frame overlap the smaller
    one is in front. Not to be judged are crowds, and the boxes of instances
    that lack their mask in a frame.

    Args:
        dataset (dict): Config of such a dataset, without pipeline.

    Raises:
        PMVISError: As the dataset does.
    """

    def __init__(self, dataset: Dict[str, Any]) -> None:
        self.dataset = DATASETS.build(dict(dataset, pipeline=[]))
        self.file = str(self.dataset.ann_file)
        self.videos = [
            _describe(self.dataset.get_data_info(index))
            for index in range(len(self.dataset))
        ]

    def _image(self, video: int, t: int) -> Dict[str, Any]:
        image: Dict[str, Any] = self.dataset.get_data_info(video)['images'][t]
        return image

    def read_frame(self, video: int, t: int) -> np.ndarray:
        """See :meth:`VOSSource.read_frame`."""
        image = self._image(video, t)
        return read_frame(
            image['img_path'],
            (image['height'], image['width']),
            image['video_id'],
            t,
            self.dataset.backend_args,
        )

    def read_labels(self, video: int, t: int) -> np.ndarray:
        """See :meth:`VOSSource.read_labels`."""
        info = self.dataset.get_data_info(video)
        image = info['images'][t]
        numbers = _numbers(info)
        masks: List[Tuple[int, np.ndarray]] = []
        labels = np.zeros((image['height'], image['width']), np.int32)
        for instance in image['instances']:
            mask = _mask_of(instance, image)
            if mask is None:
                _ignore_box(labels, instance['bbox'])
                continue
            ignored = instance['ignore_flag']
            number = IGNORED if ignored else numbers[instance['instance_id']]
            masks.append((number, mask))
        # Crowds at the bottom, then from large to small.
        masks.sort(key=lambda item: (item[0] != IGNORED, -item[1].sum()))
        for number, mask in masks:
            labels[mask] = number
        return labels


def _describe(info: Dict[str, Any]) -> VOSVideo:
    images = info['images']
    name = str(images[0]['file_name'])
    folder, _, last = name.rpartition('/')
    # An image of COCO is a video of its own.
    name = folder if images[0]['is_video_data'] and folder else last
    candidates = tuple(
        t
        for t, image in enumerate(images)
        if any(
            instance.get('mask') and not instance['ignore_flag']
            for instance in image['instances']
        )
    )
    return VOSVideo(info['video_id'], name, len(images), candidates)


def _numbers(info: Dict[str, Any]) -> Dict[int, int]:
    """Number the instances of a video from 1."""
    ids = {
        instance['instance_id']
        for image in info['images']
        for instance in image['instances']
    }
    return {key: number for number, key in enumerate(sorted(ids), 1)}


def _mask_of(
    instance: Dict[str, Any], image: Dict[str, Any]
) -> Optional[np.ndarray]:
    try:
        mask = rle.from_any(
            instance.get('mask'), image['height'], image['width']
        )
    except (ValueError, TypeError) as reason:
        raise AnnotationError(
            f'bad segmentation: {reason}',
            video=image['video_id'],
            frame=image['frame_id'],
            instance=instance['instance_id'],
            fix='export the masks again at the size of the frames',
        ) from None
    return None if mask is None else rle.decode(mask)


def _ignore_box(labels: np.ndarray, box: Sequence[float]) -> None:
    x0, y0 = (max(0, int(v)) for v in box[:2])
    x1, y1 = (int(np.ceil(v)) for v in box[2:])
    labels[y0:y1, x0:x1] = IGNORED


class LabelImageSource(VOSSource):
    """Base of sources with an image of labels beside every frame.

    Args:
        file (str): Annotation file or folder, for messages.
        backend_args (dict, optional): Arguments of mmengine's file backend.
            Defaults to None.
    """

    def __init__(
        self, file: str, backend_args: Optional[Dict[str, Any]] = None
    ) -> None:
        self.file = file
        self.backend_args = backend_args
        self.videos = []
        # Per video and frame: paths of the image and of its labels.
        self.paths: List[List[Tuple[str, str]]] = []

    def read_frame(self, video: int, t: int) -> np.ndarray:
        """See :meth:`VOSSource.read_frame`."""
        return read_frame(
            self.paths[video][t][0],
            None,
            self.videos[video].name,
            t,
            self.backend_args,
        )

    def read_labels(self, video: int, t: int) -> np.ndarray:
        """See :meth:`VOSSource.read_labels`; 255 is not to be judged."""
        indices = read_label_image(
            self.paths[video][t][1],
            self.videos[video].name,
            t,
            self.backend_args,
        )
        labels = indices.astype(np.int32)
        labels[indices == 255] = IGNORED
        return labels

    def label_file(self, video: int, t: int) -> str:
        """See :meth:`VOSSource.label_file`."""
        return self.paths[video][t][1]

    def check_exists(self) -> None:
        """Look for all files.

        Raises:
            FrameError: For the first one that is missing.
        """
        listed: Dict[str, set] = {}
        for video, paths in zip(self.videos, self.paths):
            for t, pair in enumerate(paths):
                for kind, path in zip(('frame', 'label image'), pair):
                    if not _is_listed(path, listed, self.backend_args):
                        raise missing_file(kind, path, video.name, t)


def _is_listed(
    path: str,
    listed: Dict[str, set],
    backend_args: Optional[Dict[str, Any]],
) -> bool:
    """Whether a file exists, with one listing per folder."""
    folder, _, name = path.rpartition('/')
    if folder not in listed:
        listed[folder] = set(list_folder(folder, backend_args))
    return name in listed[folder]


def list_folder(
    folder: str, backend_args: Optional[Dict[str, Any]] = None
) -> List[str]:
    """List the files of a folder, sorted; none if it does not exist."""
    if not fileio.isdir(folder, backend_args=backend_args):
        return []
    return sorted(
        fileio.list_dir_or_file(
            folder, list_dir=False, backend_args=backend_args
        )
    )
