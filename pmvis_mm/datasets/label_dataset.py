"""Videos to label."""

from typing import Any, Dict, List, Mapping, Optional

from torch.utils.data import Dataset

from ..checking.automatic import load_checked_annotations
from ..labeling.label_video import LabelVideo, TracksById
from ..registry import DATASETS
from ..structures import PseudoMaskSet
from ..structures.frame_reader import FrameReader
from ..utils.errors import AnnotationError


@DATASETS.register_module()
class LabelVideoDataset(Dataset):
    """One item is one video with its boxes and earlier masks.

    Masks of the annotation file are never read: labelling starts from
    boxes.

    Args:
        ann_file (str): YouTube-VIS style json; boxes suffice.
        img_prefix (str): Folder that the frame names are relative to.
        priors (Mapping[str, str], optional): Masks of earlier sources, name
            to json file.
        clip_boxes (bool): Clip boxes that stick out of the frame instead of
            refusing them. Defaults to False.
        check_frames (bool): Check at once that every frame file exists.
            Defaults to True.
        check_annotations (bool): Check the file as a whole, as
            ``tools/analysis_tools/check_dataset.py --box-only`` does without
            images: errors are raised with their number, warnings are logged
            once. On the main process only. Defaults to True.
        backend_args (dict, optional): Of mmengine's file client.

    Raises:
        AnnotationError: If the file is malformed or holds no box.
        MaskSetError: If an earlier source is about other videos.
        FrameError: If a frame file is missing.
    """

    def __init__(
        self,
        ann_file: str,
        img_prefix: str,
        priors: Optional[Mapping[str, str]] = None,
        clip_boxes: bool = False,
        check_frames: bool = True,
        check_annotations: bool = True,
        backend_args: Optional[dict] = None,
    ) -> None:
        self.annotations = load_checked_annotations(
            ann_file, clip_boxes=clip_boxes, check=check_annotations
        )
        if not self.annotations.num_boxes:
            raise AnnotationError(
                'no box to label',
                file=ann_file,
                fix='name a file with boxes in "annotations"',
            )
        self.img_prefix = img_prefix
        self.backend_args = backend_args
        self.video_ids: List[int] = list(self.annotations.videos)
        self._priors: Dict[str, Dict[int, TracksById]] = {}
        for name, path in (priors or {}).items():
            masks = PseudoMaskSet.load(path, source=name)
            masks.validate(self.annotations)
            self._priors[name] = {
                video: {track.id: track for track in tracks}
                for video, tracks in masks.tracks.items()
            }
        if check_frames:
            for index in range(len(self)):
                self._reader(index).check_exists()

    @property
    def metainfo(self) -> Dict[str, Any]:
        """Class names in the order of the file."""
        names = [c['name'] for c in self.annotations.categories]
        return dict(classes=tuple(names))

    def __len__(self) -> int:
        return len(self.video_ids)

    def _reader(self, index: int) -> FrameReader:
        info = self.annotations.videos[self.video_ids[index]]
        return FrameReader(info, self.img_prefix, self.backend_args)

    def __getitem__(self, index: int) -> LabelVideo:
        key = self.video_ids[index]
        return LabelVideo(
            self.annotations.videos[key],
            self.annotations.tracks[key],
            self._reader(index),
            {name: masks[key] for name, masks in self._priors.items()},
        )
