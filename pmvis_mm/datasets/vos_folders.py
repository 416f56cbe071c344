"""Folders of video object segmentation and of images with masks."""

from typing import Any, Dict, List, Optional, Tuple

import mmengine.fileio as fileio
import numpy as np

from ..registry import DATASETS
from ..structures.label_image import missing_file, read_label_image
from ..utils.errors import AnnotationError, ConfigError
from ..utils.fileio import load_json
from .layouts import point_to_check
from .vos_sources import LabelImageSource, VOSVideo, list_folder

_IMAGE_SUFFIXES = ('.jpg', '.jpeg', '.png', '.bmp')


@DATASETS.register_module()
class YouTubeVOSSource(LabelImageSource):
    """A folder of `YouTube-VOS <https://arxiv.org/abs/1809.03327>`_.

    ``meta.json`` names, per video and object, the frames that show the
    object; these are the frames that clips are made of.

    Args:
        data_root (str): Folder with ``meta.json``,
            ``JPEGImages/<video>/<frame>.jpg`` and
            ``Annotations/<video>/<frame>.png``.
        meta_file (str): Name of the json there. Defaults to 'meta.json'.
        check_files (bool): Look for all files at once. Defaults to True.
        backend_args (dict, optional): Arguments of mmengine's file backend.
            Defaults to None.

    Raises:
        AnnotationError: If ``meta.json`` is missing or malformed; names the
            video.
        FrameError: If a frame or its label image is missing.
    """

    def __init__(
        self,
        data_root: str,
        meta_file: str = 'meta.json',
        check_files: bool = True,
        backend_args: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(_join(data_root, meta_file), backend_args)
        above = data_root.rstrip('/').rpartition('/')[0]
        with point_to_check('youtube_vos', above or '.'):
            self._load(data_root)
            if check_files:
                self.check_exists()

    def _load(self, data_root: str) -> None:
        meta = load_json(self.file)
        videos = meta.get('videos') if isinstance(meta, dict) else None
        if not isinstance(videos, dict) or not videos:
            raise AnnotationError(
                '"videos" is missing, empty or no json object',
                file=self.file,
                fix='use the meta.json of YouTube-VOS: {"videos": {name: '
                '{"objects": {id: {"frames": [...]}}}}}',
            )
        for name, entry in videos.items():
            self._add(data_root, name, _frames_of(entry, name, self.file))

    def _add(self, root: str, name: str, frames: List[str]) -> None:
        if not frames:
            return
        self.videos.append(
            VOSVideo(name, name, len(frames), tuple(range(len(frames))))
        )
        self.paths.append(
            [
                (
                    _join(root, 'JPEGImages', name, f'{frame}.jpg'),
                    _join(root, 'Annotations', name, f'{frame}.png'),
                )
                for frame in frames
            ]
        )


def _frames_of(entry: Any, video: str, file: str) -> List[str]:
    """List the frames of a video of meta.json in temporal order."""
    objects = entry.get('objects') if isinstance(entry, dict) else None
    if not isinstance(objects, dict):
        raise AnnotationError(
            '"objects" is missing or no json object',
            file=file,
            video=video,
            fix='use the meta.json of the training set; those of the other '
            'sets have no masks to train with',
        )
    names = set()
    for key, instance in objects.items():
        frames = instance.get('frames') if isinstance(instance, dict) else None
        if not isinstance(frames, list) or not all(
            isinstance(frame, str) for frame in frames
        ):
            raise AnnotationError(
                '"frames" is missing or no list of names',
                file=file,
                video=video,
                instance=key,
                fix='list the frames that show the object: ["00000", ...]',
            )
        names.update(frames)
    return sorted(names)


@DATASETS.register_module()
class DAVISSource(LabelImageSource):
    """A folder of `DAVIS 2017 <https://arxiv.org/abs/1704.00675>`_.

    Args:
        data_root (str): Folder with ``JPEGImages/<resolution>/<video>``,
            ``Annotations/<resolution>/<video>`` and the list of videos.
        split (str): The list, relative to ``data_root``, one video a line.
            Defaults to 'ImageSets/2017/train.txt'.
        resolution (str): '480p' or 'Full-Resolution'. Defaults to '480p'.
        backend_args (dict, optional): Arguments of mmengine's file backend.
            Defaults to None.

    Raises:
        AnnotationError: If the list is missing or empty.
        FrameError: If a video has no frames, or a frame no label image.
    """

    def __init__(
        self,
        data_root: str,
        split: str = 'ImageSets/2017/train.txt',
        resolution: str = '480p',
        backend_args: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(_join(data_root, split), backend_args)
        with point_to_check('davis', data_root):
            self._load(data_root, resolution)
            self.check_exists()

    def _load(self, data_root: str, resolution: str) -> None:
        backend_args = self.backend_args
        for name in _read_list(self.file, backend_args):
            images = _join(data_root, 'JPEGImages', resolution, name)
            labels = _join(data_root, 'Annotations', resolution, name)
            frames = [
                (_join(images, file), _join(labels, f'{_stem(file)}.png'))
                for file in list_folder(images, backend_args)
                if file.lower().endswith(_IMAGE_SUFFIXES)
            ]
            if not frames:
                raise missing_file('frame', images, name, 0)
            count = len(frames)
            self.videos.append(
                VOSVideo(name, name, count, tuple(range(count)))
            )
            self.paths.append(frames)


@DATASETS.register_module()
class ImageFolderSource(LabelImageSource):
    """Images with one mask each: videos of one frame.

    For the stage on static images: saliency sets have black and white
    masks, PASCAL VOC has a palette. Images without mask are left out.

    Args:
        img_dir (str): Folder of the images.
        mask_dir (str): Folder of the masks, PNG files named as the images;
            may be the same folder.
        mask_format (str): 'binary': brighter than 127 is the one object.
            'labels': values are objects, 255 is not to be judged. Defaults
            to 'binary'.
        backend_args (dict, optional): Arguments of mmengine's file backend.
            Defaults to None.

    Raises:
        ConfigError: If ``mask_format`` is unknown.
        AnnotationError: If there is no mask.
        FrameError: If a mask has no image.
    """

    def __init__(
        self,
        img_dir: str,
        mask_dir: str,
        mask_format: str = 'binary',
        backend_args: Optional[Dict[str, Any]] = None,
    ) -> None:
        super().__init__(img_dir, backend_args)
        if mask_format not in ('binary', 'labels'):
            raise ConfigError(
                f'mask_format={mask_format!r} is unknown',
                fix="choose from ('binary', 'labels')",
            )
        self.mask_format = mask_format
        images = {
            _stem(file): file
            for file in list_folder(img_dir, backend_args)
            if file.lower().endswith(_IMAGE_SUFFIXES)
            # Some sets keep the masks beside the images.
            and not (img_dir == mask_dir and file.endswith('.png'))
        }
        for file in list_folder(mask_dir, backend_args):
            if not file.endswith('.png'):
                continue
            name = _stem(file)
            image = _join(img_dir, images.get(name, f'{name}.jpg'))
            self.videos.append(VOSVideo(name, name, 1, (0,)))
            self.paths.append([(image, _join(mask_dir, file))])
        if not self.videos:
            raise AnnotationError(
                'no mask in this folder',
                file=mask_dir,
                fix='name a folder of .png files',
            )
        self.check_exists()

    def read_labels(self, video: int, t: int) -> np.ndarray:
        """See :meth:`VOSSource.read_labels`."""
        if self.mask_format == 'labels':
            return super().read_labels(video, t)
        mask = read_label_image(
            self.paths[video][t][1],
            self.videos[video].name,
            t,
            self.backend_args,
        )
        # Two-valued files hold 0 and 1.
        limit = 127 if mask.max() > 1 else 0
        return (mask > limit).astype(np.int32)


def read_names(file: str) -> Tuple[str, ...]:
    """Read names or ids of videos.

    Args:
        file (str): Text with one a line ('#' starts a comment), a json
            list, or the json of a dataset: with ``videos``, either by name
            (YouTube-VOS) or as a list with ids and file names
            (YouTube-VIS; their folders count, not their ids).

    Returns:
        tuple[str]: The names.

    Raises:
        AnnotationError: If the file is missing or of another form.
    """
    if not file.lower().endswith('.json'):
        return tuple(_read_list(file))
    data = load_json(file)
    if isinstance(data, dict):
        data = data.get('videos')
    if isinstance(data, dict):
        return tuple(data)
    if isinstance(data, list):
        names = [_name_of(entry) for entry in data]
        if all(name is not None for name in names):
            return tuple(str(name) for name in names)
    raise AnnotationError(
        'no list of videos',
        file=file,
        fix='write a json list of names, a text file with one name a line, '
        'or name the json of a dataset with "videos"',
    )


def _name_of(entry: Any) -> Optional[str]:
    if isinstance(entry, (str, int)):
        return str(entry)
    try:
        return str(entry['file_names'][0]).rpartition('/')[0] or None
    except (TypeError, KeyError, IndexError):
        return None


def _read_list(
    file: str, backend_args: Optional[Dict[str, Any]] = None
) -> List[str]:
    """Read the lines of a text file, without comments and empty ones."""
    try:
        text = fileio.get_text(file, backend_args=backend_args)
    except (OSError, UnicodeDecodeError) as reason:
        raise AnnotationError(
            f'list of videos cannot be read ({reason})',
            file=file,
            fix='check the path; one name a line',
        ) from None
    text = text.lstrip('\ufeff')  # as Windows writes it
    lines = [line.split('#')[0].strip() for line in text.splitlines()]
    names = [line for line in lines if line]
    if not names:
        raise AnnotationError(
            'list of videos is empty', file=file, fix='write one name a line'
        )
    return names


def _join(*parts: str) -> str:
    return str(fileio.join_path(*parts))


def _stem(file: str) -> str:
    return file.rpartition('.')[0]
