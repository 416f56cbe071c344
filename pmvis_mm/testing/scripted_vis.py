"""A model that predicts what it is told, and videos to show it."""

from pathlib import Path
from typing import Any, List, Optional, Sequence, Tuple, Union

import numpy as np
import torch
from mmdet.structures import TrackDataSample
from mmengine.model import BaseDataPreprocessor, BaseModel
from mmengine.structures import InstanceData

from ..labeling.label_video import LabelVideo, TracksById
from ..registry import MODELS
from ..structures import BoxTrack, MaskTrack, VideoInfo
from ..structures.rle import encode

SIZE = (8, 10)
VIDEO_ID = 4


@MODELS.register_module()
class ScriptedVIS(BaseModel):
    """Emits the masks it was told, frame by frame.

    Args:
        script (list): Per frame a list of (score, label, box) or (score,
            label, box, id); the mask fills the box, half-open xyxy.
        size (tuple[int]): Height and width of the masks.
        verdict (list, optional): Rows (id, first frame, label, score) that
            come with the last frame as ``pred_tracks``; None for a model
            that judges no tracks.
        with_ids (bool): Whether frames have ``instances_id``.
    """

    def __init__(
        self,
        script: Sequence[Sequence[Sequence[Any]]],
        size: Tuple[int, int] = SIZE,
        verdict: Optional[Sequence[Sequence[Any]]] = None,
        with_ids: bool = True,
    ) -> None:
        super().__init__(BaseDataPreprocessor())
        self.script, self.size = script, size
        self.verdict, self.with_ids = verdict, with_ids
        self.scale = torch.nn.Parameter(torch.ones(1))
        self.seen: List[int] = []

    def forward(
        self, inputs: Any, data_samples: Any, mode: str
    ) -> List[TrackDataSample]:
        """Predict one clip, whatever its pixels are."""
        (clip,) = data_samples
        for sample in clip.video_data_samples:
            self.seen.append(sample.frame_id)
            sample.pred_track_instances = self._emit(
                self.script[sample.frame_id]
            )
        result = TrackDataSample(video_data_samples=clip.video_data_samples)
        is_last = self.seen[-1] == len(self.script) - 1
        if self.verdict is not None and is_last:
            columns = list(zip(*self.verdict)) or [()] * 4
            result.pred_tracks = InstanceData(
                instances_id=torch.tensor(columns[0], dtype=torch.long),
                start_frames=torch.tensor(columns[1], dtype=torch.long),
                labels=torch.tensor(columns[2], dtype=torch.long),
                scores=torch.tensor(columns[3], dtype=torch.float),
            )
        return [result]

    def _emit(self, rows: Sequence[Sequence[Any]]) -> InstanceData:
        masks = np.zeros((len(rows), *self.size), bool)
        for mask, (_, _, (x0, y0, x1, y1), *_) in zip(masks, rows):
            mask[y0:y1, x0:x1] = True
        found = InstanceData(
            scores=torch.tensor([row[0] for row in rows]),
            labels=torch.tensor([row[1] for row in rows]).long(),
            masks=torch.from_numpy(masks),
        )
        if self.with_ids:
            ids = [(*row, n)[3] for n, row in enumerate(rows)]
            found.instances_id = torch.tensor(ids, dtype=torch.long)
        return found


def scripted_config(path: Union[str, Path], script: Any, **kwargs: Any) -> str:
    """Write a config of a :class:`ScriptedVIS`.

    Args:
        path (str | Path): File to write.
        script (list): See there.
        kwargs: Further arguments of it.

    Returns:
        str: The path.
    """
    Path(path).write_text(
        "default_scope = 'pmvis_mm'\n"
        f"model = dict(type='ScriptedVIS', script={script!r}, **{kwargs!r})\n"
        'test_dataloader = dict(dataset=dict(pipeline=[\n'
        "    dict(type='LoadImageFromFile'),\n"
        "    dict(type='PackVISInputs')]))\n"
    )
    return str(path)


def make_video(
    boxes: Sequence[Sequence[Any]], size: Tuple[int, int] = SIZE
) -> LabelVideo:
    """Make a video of noise.

    Args:
        boxes (Sequence[Sequence[tuple | None]]): Per instance, per frame a
            box. Instance 0 is of category 7, the others of category 3.
        size (tuple[int]): Height and width.

    Returns:
        LabelVideo: Without earlier masks.
    """
    length = len(boxes[0])
    names = tuple(f'{t}.png' for t in range(length))
    tracks = [
        BoxTrack(i, VIDEO_ID, 7 if i == 0 else 3, list(own))
        for i, own in enumerate(boxes)
    ]
    rng = np.random.default_rng(0)
    frames: Any = list(rng.integers(0, 255, (length, *size, 3), np.uint8))
    info = VideoInfo(VIDEO_ID, size[1], size[0], names)
    return LabelVideo(info, tracks, frames)


def prior_of(
    video: LabelVideo, masks: Sequence[Sequence[Optional[np.ndarray]]]
) -> TracksById:
    """Make the masks of an earlier source.

    Args:
        video (LabelVideo): Of which video.
        masks (Sequence[Sequence[np.ndarray | None]]): Per instance, per
            frame a bool mask (H, W).

    Returns:
        dict: Tracks by annotation id, as ``video.priors`` holds them.
    """
    tracks: TracksById = {}
    for track, own in zip(video.tracks, masks):
        tracks[track.id] = MaskTrack.empty_like(track)
        for frame, mask in enumerate(own):
            if mask is not None:
                tracks[track.id].set(frame, encode(mask), 'prompted')
    return tracks
