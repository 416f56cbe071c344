"""Images of COCO as videos of one frame, to pre-train VIS models."""

from typing import Any, Dict, List, Mapping, Optional, Tuple, Union

from mmengine.logging import print_log

from ..registry import DATASETS
from ..structures import VideoInfo
from ..structures.video_annotations import parse_annotations
from ..utils.errors import AnnotationError, ConfigError
from ..utils.fileio import load_json
from .category_maps import map_categories
from .metainfo import resolve_categories
from .vis_dataset import VISDataset, _Track


@DATASETS.register_module()
class COCOClipDataset(VISDataset):
    """Images with boxes and masks; each is a video of one frame.

    Reads COCO's json of instances as it is. A clip sampled from such a
    video holds one image twice; augmented independently, its frames are the
    pseudo pairs that `IDOL <https://arxiv.org/abs/2207.10661>`_ is
    pre-trained with (section 3 there). Classes come from the file, in the
    order of their ids.

    Frames are described as in :class:`VISDataset`, but

    - ``video_id`` and ``img_id`` are the id of the image,
    - ``instance_id`` counts the annotations of an image from 1, in the
      order of the file,
    - ``mask`` is as the file has it: a list of polygons or RLE. Rasterising
      all of COCO would take minutes; ``LoadPseudoMasks`` does it per image.

    Boxes without width or height, of which COCO has a few, are left out.

    Args:
        ann_file (str): COCO json of instances.
        supervision (str): 'full': boxes and masks. 'box': boxes; masks are
            dropped when the file is read. Defaults to 'full'.
        version (str, optional): A key of ``metainfo.DATASET_CLASSES`` that
            the categories must agree with, such as 'coco'. None takes any.
        clip_boxes (bool): Clip boxes that stick out of the image by more
            than rounding instead of refusing them. Defaults to False.
        check_frames (bool): Look for all image files when the dataset is
            built. Defaults to True.
        category_map (str | Mapping[str, str], optional): Give the instances
            classes of a video dataset, to train on both. A key of
            ``category_maps.CATEGORY_MAPS`` such as 'youtube_vis_2019', or
            the name of a class for each name of a category; instances of
            other categories are left out. ``metainfo`` is then that of the
            video dataset, so that mmengine can concatenate them. With names
            of one's own, ``metainfo.classes`` has the classes and their
            order. Defaults to None: classes of the file.
        kwargs: Passed to ``BaseVideoDataset`` and, as ``video_fraction``
            (here of the images), to :class:`VISDataset`. ``filter_cfg`` may
            hold ``filter_empty_gt`` (drop images without instance, False by
            default) and ``min_size``.

    Raises:
        AnnotationError: If the file is malformed or nothing in it would
            train; names file, image (as video), annotation and the fix.
        FrameError: If an image file is missing.
        ConfigError: If an argument or a class is unknown.
    """

    def __init__(
        self,
        ann_file: str,
        supervision: str = 'full',
        version: Optional[str] = None,
        clip_boxes: bool = False,
        check_frames: bool = True,
        category_map: Optional[Union[str, Mapping[str, str]]] = None,
        **kwargs: Any,
    ) -> None:
        self.category_map = category_map
        if supervision not in ('full', 'box'):
            raise ConfigError(
                f'supervision={supervision!r} is unknown',
                fix="choose from ('full', 'box')",
            )
        super().__init__(
            ann_file=ann_file,
            supervision=supervision,
            version=version,
            clip_boxes=clip_boxes,
            check_frames=check_frames,
            **kwargs,
        )

    def _read(
        self,
    ) -> Tuple[
        Dict[int, VideoInfo], List[Dict[str, Any]], Dict[int, List[_Track]]
    ]:
        """Read images as videos, categories and, by image, the tracks."""
        data = load_json(self.ann_file)
        _check_layout(data, self.ann_file)
        annotations = data.get('annotations') or []
        if self.supervision == 'box':
            for annotation in annotations:
                annotation.pop('segmentation', None)
        videos = parse_annotations(
            dict(
                videos=[_as_video(image) for image in data['images']],
                categories=data.get('categories'),
                annotations=[_as_track(entry) for entry in annotations],
            ),
            self.ann_file,
            clip_boxes=self.clip_boxes,
        )
        flat = sum(track.boxes == [None] for track in videos)
        if flat:
            print_log(
                f'{flat} boxes without width or height are left out', 'current'
            )
        masks = {
            entry['id']: entry.get('segmentation') for entry in annotations
        }
        tracks: Dict[int, List[_Track]] = {}
        for video in videos.videos.values():
            tracks[video.id] = [
                (
                    number + 1,
                    track.category_id,
                    track.iscrowd,
                    track.boxes,
                    [self._check_mask(masks.get(track.id), track.id, video)],
                )
                for number, track in enumerate(videos.tracks[video.id])
            ]
        return videos.videos, videos.categories, tracks

    def _set_metainfo(self, categories: List[Dict[str, Any]]) -> None:
        if self.category_map is None:
            super()._set_metainfo(categories)
            return
        # For its checks: names, and that they are those of the version.
        resolve_categories(categories, None, self.version, self.ann_file)
        resolved, self.cat2label = map_categories(
            categories,
            self.category_map,
            self._metainfo.get('classes'),
            self.ann_file,
        )
        self._take_metainfo(resolved)
        self.cat_ids = list(self.cat2label)

    def _parse_video(
        self, video: VideoInfo, tracks: List[_Track], first_img_id: int
    ) -> List[dict]:
        # Results are compared with the file by the id of the image.
        return super()._parse_video(video, tracks, video.id)

    def _check_mask(self, mask: Any, annotation: int, image: VideoInfo) -> Any:
        """Check the form of a mask; its values are, when it is loaded."""
        problem = _mask_problem(mask, image)
        if problem is not None:
            raise AnnotationError(
                f'bad segmentation: {problem}',
                file=self.ann_file,
                video=image.id,
                frame=0,
                instance=annotation,
                fix='export the masks again at the size of the images',
            )
        return mask or None


def _mask_problem(mask: Any, image: VideoInfo) -> Optional[str]:
    """Say what is wrong with the form of a mask, if anything."""
    if mask is None:
        return None
    if isinstance(mask, dict):
        size = [image.height, image.width]
        if 'counts' not in mask:
            return 'an RLE needs "counts"'
        if list(mask.get('size', ())) != size:
            return (
                f'mask size {mask.get("size")} differs from the image size '
                f'{size} (height, width)'
            )
        return None
    if not isinstance(mask, list):
        return f'not a segmentation: {type(mask).__name__}'
    for polygon in mask:
        if not isinstance(polygon, list):
            return 'a segmentation list should hold polygons'
        if len(polygon) < 6 or len(polygon) % 2:
            return (
                'a polygon needs an even number of at least 6 coordinates, '
                f'got {len(polygon)}'
            )
    return None


def _check_layout(data: Any, file: str) -> None:
    """Refuse what is not a json of COCO, before it is rearranged."""
    fix = "use COCO's layout: images, categories, annotations"
    if not isinstance(data, dict):
        problem = f'expected a json object, got {type(data).__name__}'
        raise AnnotationError(problem, file=file, fix=fix)
    if 'videos' in data and 'images' not in data:
        raise AnnotationError(
            'this file is about videos, not images',
            file=file,
            fix='use VISDataset',
        )
    for key in ('images', 'annotations'):
        entries = data.get(key) or []
        if not isinstance(entries, list) or (key == 'images' and not entries):
            raise AnnotationError(
                f'"{key}" is missing, empty or no list', file=file, fix=fix
            )
        for number, entry in enumerate(entries):
            if not isinstance(entry, dict):
                problem = f'{key[:-1]} number {number} is {entry!r}'
                raise AnnotationError(problem, file=file, fix=fix)
    _check_references(data, file)


def _check_references(data: Dict[str, Any], file: str) -> None:
    """Refuse annotations without image or box."""
    images = {
        image['id']
        for image in data['images']
        if isinstance(image.get('id'), int)
    }
    for entry in data.get('annotations') or []:
        problem = ''
        image_id = entry.get('image_id')
        if not isinstance(image_id, int) or image_id not in images:
            problem = f'unknown image_id {image_id!r}'
        elif entry.get('bbox') in (None, []):
            problem = 'no "bbox"'
        if problem:
            raise AnnotationError(
                problem,
                file=file,
                video=image_id,
                instance=entry.get('id'),
                fix='correct or remove the annotation',
            )


def _as_video(image: Dict[str, Any]) -> Dict[str, Any]:
    """Rewrite an image as a video of one frame."""
    return dict(
        id=image.get('id'),
        width=image.get('width'),
        height=image.get('height'),
        file_names=[image.get('file_name')],
    )


def _as_track(annotation: Dict[str, Any]) -> Dict[str, Any]:
    """Rewrite an annotation as a track of one frame, without its mask."""
    box = annotation['bbox']
    return dict(
        id=annotation.get('id'),
        video_id=annotation['image_id'],
        category_id=annotation.get('category_id'),
        iscrowd=annotation.get('iscrowd', 0),
        bboxes=[None if _is_flat(box) else box],
    )


def _is_flat(box: Any) -> bool:
    """Whether a box has no width or no height; negative ones are errors."""
    if not isinstance(box, list) or len(box) != 4:
        return False
    sides = box[2:]
    return 0 in sides and all(
        isinstance(side, (int, float)) and side >= 0 for side in sides
    )
