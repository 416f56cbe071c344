"""Video instance segmentation datasets from raw YouTube-VIS json."""

from typing import Any, Dict, Iterable, List, Optional, Set, Tuple, Union

import mmengine.fileio as fileio
from mmdet.datasets import BaseVideoDataset
from mmengine.logging import print_log
from mmengine.utils import is_abs

from ..checking.automatic import load_checked_annotations, load_checked_masks
from ..checking.splits import frame_keys
from ..registry import DATASETS
from ..structures import (
    RLE,
    Box,
    PseudoMaskSet,
    VideoAnnotations,
    VideoInfo,
)
from ..structures.frame_reader import FrameReader
from ..utils.errors import AnnotationError, ConfigError
from .fractions import check_fraction, choose_videos, spread_frames
from .layouts import point_to_check
from .metainfo import resolve_categories

# One instance in the frames of its video: id, category, crowd, boxes, masks.
_Track = Tuple[
    int, int, bool, List[Optional[Box]], Optional[List[Optional[RLE]]]
]

_SUPERVISIONS = ('full', 'box', 'pseudo')


@DATASETS.register_module()
class VISDataset(BaseVideoDataset):
    """Videos with tracked boxes and, depending on ``supervision``, masks.

    Reads YouTube-VIS 2019/2021/2022, OVIS and any json of that layout as it
    is. Classes come from the file and are told in ``metainfo`` as
    ``classes``, ``palette`` and ``category_ids``, all indexed by label.
    Frames keep the order of the file and frames without annotation are kept;
    an id of 0 is an id like any other.

    Every frame has ``img_id`` (counted from 1 over the dataset),
    ``img_path``, ``file_name``, ``height``, ``width``, ``frame_id``
    (0-based), ``video_id``, ``is_video_data`` and ``instances``: dicts of
    ``bbox`` (half-open xyxy, pixels), ``bbox_label``, ``instance_id``,
    ``ignore_flag`` (1 for a crowd) and, only if there is one, ``mask``
    (compressed RLE).

    Args:
        ann_file (str): YouTube-VIS style json.
        supervision (str): What annotations may be seen. 'full': boxes and
            masks of ``ann_file``. 'box': boxes; masks are dropped when the
            file is read. 'pseudo': boxes of ``ann_file`` and masks of
            ``pseudo_ann_file``. Defaults to 'full'.
        pseudo_ann_file (str, optional): Json of a :class:`PseudoMaskSet`
            made for ``ann_file``. If None, with 'pseudo', ``ann_file``
            itself is such a json.
        version (str, optional): A key of ``metainfo.DATASET_CLASSES`` that
            the categories must agree with. None takes any.
        clip_boxes (bool): Clip boxes that stick out of the frame by more
            than rounding instead of refusing them. Defaults to False.
        drop_unmasked (bool): Drop an instance from frames where it has no
            mask, box included, as the public PM-VIS loader does and as
            mmdet's own models need. Not for 'box'. Defaults to False.
        check_frames (bool): Look for all frame files when the dataset is
            built. Defaults to True.
        check_annotations (bool): Check the files as a whole, as
            ``tools/analysis_tools/check_dataset.py`` does without images:
            errors are raised with their number, warnings are logged once.
            On the main process only; with 'box', no mask is looked at.
            Defaults to True.
        frame_fraction (float): Share of the frames of each video to train
            with, in (0, 1], spread evenly, at least one. Frames keep their
            ``frame_id``; ``video_length`` counts those that are left.
            Defaults to 1.0.
        video_fraction (float): Share of the videos to train with, in
            (0, 1], drawn at random. Defaults to 1.0.
        fraction_seed (int): Of that draw. Defaults to 0.
        kwargs: Passed to ``BaseVideoDataset``. ``metainfo.classes`` chooses
            classes and their order. ``filter_cfg`` may hold
            ``filter_empty_gt`` (drop frames without instance, False by
            default, other than mmdet's) and ``min_size`` (drop frames with a
            shorter side below, pixels).

    Raises:
        AnnotationError: If a file is malformed or nothing in a training set
            would train; names file, video, frame and the fix.
        MaskSetError: If the pseudo masks do not fit the annotations.
        FrameError: If a frame file is missing.
        ConfigError: If arguments contradict, or a class is unknown.
    """

    def __init__(
        self,
        ann_file: str,
        supervision: str = 'full',
        pseudo_ann_file: Optional[str] = None,
        version: Optional[str] = None,
        clip_boxes: bool = False,
        drop_unmasked: bool = False,
        check_frames: bool = True,
        check_annotations: bool = True,
        frame_fraction: float = 1.0,
        video_fraction: float = 1.0,
        fraction_seed: int = 0,
        **kwargs: Any,
    ) -> None:
        _check_arguments(supervision, pseudo_ann_file, drop_unmasked)
        test_mode = bool(kwargs.get('test_mode', False))
        check_fraction('frame_fraction', frame_fraction, test_mode)
        check_fraction('video_fraction', video_fraction, test_mode)
        self.frame_fraction = frame_fraction
        self.video_fraction = video_fraction
        self.fraction_seed = fraction_seed
        self.supervision = supervision
        self.pseudo_ann_file = pseudo_ann_file
        self.version = version
        self.clip_boxes = clip_boxes
        self.drop_unmasked = drop_unmasked
        self.check_frames = check_frames
        self.check_annotations = check_annotations
        super().__init__(ann_file=ann_file, **kwargs)

    def _join_prefix(self) -> None:
        super()._join_prefix()
        path = self.pseudo_ann_file
        if path and self.data_root and not is_abs(path):
            self.pseudo_ann_file = fileio.join_path(self.data_root, path)

    # ------------------------------------------------------------ loading
    def load_data_list(self) -> List[dict]:
        """Read the annotation files.

        Returns:
            list[dict]: Per video ``video_id``, ``video_length`` and
            ``images``, a list with one dict per frame.
        """
        with point_to_check(self.version, self.data_root):
            videos, categories, tracks = self._read()
            self._set_metainfo(categories)
            if self.check_frames:
                self._check_frames_exist(videos.values())
        data_list: List[dict] = []
        img_id = 1
        for video in videos.values():
            images = self._parse_video(video, tracks[video.id], img_id)
            img_id += len(images)
            data_list.append(
                dict(
                    video_id=video.id,
                    video_length=len(images),
                    images=images,
                )
            )
        if not self.test_mode:
            data_list = self._take_fractions(data_list)
            self._check_trainable(data_list)
        self.frame_keys = frame_keys(data_list)
        return data_list

    def _take_fractions(self, data_list: List[dict]) -> List[dict]:
        """Keep the chosen shares of videos and frames."""
        if self.frame_fraction == self.video_fraction == 1:
            return data_list
        kept = []
        for index in choose_videos(
            len(data_list), self.video_fraction, self.fraction_seed
        ):
            images = data_list[index]['images']
            images = [
                images[t]
                for t in spread_frames(len(images), self.frame_fraction)
            ]
            kept.append(
                dict(data_list[index], images=images, video_length=len(images))
            )
        print_log(
            f'training with {len(kept)} of {len(data_list)} videos and '
            f'{sum(v["video_length"] for v in kept)} of '
            f'{sum(v["video_length"] for v in data_list)} frames',
            'current',
        )
        return kept

    def _check_frames_exist(self, videos: Iterable[VideoInfo]) -> None:
        listed: Dict[str, Set[str]] = {}
        for video in videos:
            self._reader(video).check_exists(listed)

    def _reader(self, video: VideoInfo) -> FrameReader:
        prefix = self.data_prefix.get('img_path') or ''
        return FrameReader(video, prefix, self.backend_args)

    def _read(
        self,
    ) -> Tuple[
        Dict[int, VideoInfo], List[Dict[str, Any]], Dict[int, List[_Track]]
    ]:
        """Read videos, categories and, by video, the tracks."""
        masks: Optional[PseudoMaskSet] = None
        boxes: Union[PseudoMaskSet, VideoAnnotations]
        if self.supervision == 'pseudo' and self.pseudo_ann_file is None:
            boxes = masks = self._read_masks(self.ann_file)
        else:
            boxes = load_checked_annotations(
                self.ann_file,
                with_masks=self.supervision == 'full',
                clip_boxes=self.clip_boxes,
                check=self.check_annotations,
            )
            if self.pseudo_ann_file is not None:
                masks = self._read_masks(self.pseudo_ann_file)
                masks.validate(boxes)
        masks_by_id = {track.id: track.masks for track in masks or ()}
        tracks: Dict[int, List[_Track]] = {key: [] for key in boxes.videos}
        for track in boxes:
            tracks[track.video_id].append(
                (
                    track.id,
                    track.category_id,
                    getattr(track, 'iscrowd', False),
                    track.boxes,
                    masks_by_id.get(track.id)
                    or getattr(track, 'segmentations', None),
                )
            )
        return boxes.videos, boxes.categories, tracks

    def _read_masks(self, path: str) -> PseudoMaskSet:
        return load_checked_masks(path, self.check_annotations)

    def _set_metainfo(self, categories: List[Dict[str, Any]]) -> None:
        resolved = resolve_categories(
            categories,
            self._metainfo.get('classes'),
            self.version,
            self.ann_file,
        )
        self._take_metainfo(resolved)
        # Names that mmdet's own tools look for.
        self.cat_ids = list(resolved['category_ids'])
        self.cat2label = {key: i for i, key in enumerate(self.cat_ids)}

    def _take_metainfo(self, resolved: Dict[str, Any]) -> None:
        """Tell the classes, in the colours that the user may have set."""
        if 'palette' in self._metainfo:
            del resolved['palette']
        self._metainfo.update(resolved)

    def _parse_video(
        self, video: VideoInfo, tracks: List[_Track], first_img_id: int
    ) -> List[dict]:
        reader = self._reader(video)
        return [
            dict(
                img_id=first_img_id + t,
                img_path=reader.path(t),
                file_name=name,
                height=video.height,
                width=video.width,
                frame_id=t,
                video_id=video.id,
                is_video_data=True,
                instances=self._parse_instances(tracks, t),
            )
            for t, name in enumerate(video.file_names)
        ]

    def _parse_instances(self, tracks: List[_Track], t: int) -> List[dict]:
        instances = []
        for track_id, category_id, iscrowd, boxes, masks in tracks:
            box = boxes[t]
            mask = None if masks is None else masks[t]
            if box is None or category_id not in self.cat2label:
                continue
            if mask is None and self.drop_unmasked:
                continue
            instance: Dict[str, Any] = dict(
                bbox=list(box),
                bbox_label=self.cat2label[category_id],
                instance_id=track_id,
                ignore_flag=int(iscrowd),
            )
            if mask is not None:
                instance['mask'] = mask
            instances.append(instance)
        return instances

    def _check_trainable(self, data_list: List[dict]) -> None:
        """Refuse a training set in which nothing would train."""
        instances = [
            instance
            for video in data_list
            for image in video['images']
            for instance in image['instances']
        ]
        if not instances and not self.drop_unmasked:
            raise AnnotationError(
                'no box to train with',
                file=self.ann_file,
                fix='name a file with boxes of the chosen classes '
                f'{list(self._metainfo["classes"])[:5]}, or set '
                'test_mode=True for videos without labels',
            )
        has_mask = any('mask' in instance for instance in instances)
        if self.supervision != 'box' and not has_mask:
            raise AnnotationError(
                f'no mask to train with supervision={self.supervision!r}',
                file=self.pseudo_ann_file or self.ann_file,
                fix='set supervision="box" if there are boxes only, or name '
                'a file with masks (pseudo_ann_file with '
                'supervision="pseudo")',
            )

    # ---------------------------------------------------------- filtering
    def filter_data(self) -> List[dict]:
        """Apply ``filter_cfg``; videos left without a frame are dropped.

        Returns:
            list[dict]: As from :meth:`load_data_list`.

        Raises:
            AnnotationError: If nothing is left.
        """
        if self.test_mode or not self.filter_cfg:
            return self.data_list
        drop_empty = self.filter_cfg.get('filter_empty_gt', False)
        min_size = self.filter_cfg.get('min_size', 0)
        kept = []
        for video in self.data_list:
            images = [
                image
                for image in video['images']
                if min(image['width'], image['height']) >= min_size
                and (image['instances'] or not drop_empty)
            ]
            if images:
                kept.append(
                    dict(video, images=images, video_length=len(images))
                )
        if not kept:
            raise AnnotationError(
                f'filter_cfg={self.filter_cfg} leaves no frame',
                file=self.ann_file,
                fix='loosen filter_cfg',
            )
        print_log(
            f'{len(kept)} of {len(self.data_list)} videos and '
            f'{sum(v["video_length"] for v in kept)} of '
            f'{sum(v["video_length"] for v in self.data_list)} frames are '
            'left after filtering',
            'current',
        )
        return kept


def _check_arguments(
    supervision: str, pseudo_ann_file: Optional[str], drop_unmasked: bool
) -> None:
    if supervision not in _SUPERVISIONS:
        raise ConfigError(
            f'supervision={supervision!r} is unknown',
            fix=f'choose from {_SUPERVISIONS}',
        )
    if pseudo_ann_file is not None and supervision != 'pseudo':
        raise ConfigError(
            f'pseudo_ann_file={pseudo_ann_file!r} has no meaning with '
            f'supervision={supervision!r}',
            fix='set supervision="pseudo", or pseudo_ann_file=None',
        )
    if drop_unmasked and supervision == 'box':
        raise ConfigError(
            'drop_unmasked=True would drop every box with supervision="box"',
            fix='set drop_unmasked=False',
        )
