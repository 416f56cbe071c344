"""Masks predicted by a trained video instance segmentation model."""

import logging
from dataclasses import dataclass
from typing import Any, Collection, Dict, List, Optional, Sequence, Set, Tuple

import numpy as np
from mmengine.logging import print_log
from mmengine.structures import InstanceData

from ...models.vis.inference import init_vis_model, iter_clips
from ...registry import MODELS
from ...structures import RLE, MaskTrack
from ...structures.rle import areas, box_rle
from ...utils.errors import ConfigError
from ..label_video import LabelResult, LabelVideo, TracksById
from ..selection.duplicates import merge_duplicates
from ..selection.scm import (
    ASSIGNMENTS,
    BOX_RULES,
    BOX_TERMS,
    assign_predictions,
)
from .base import MaskSource

MODES = ('auto', 'tracks', 'per_frame')
_ASSIGN: Dict[str, Any] = dict(
    method='hungarian',
    min_scm=0.0,
    require_label=False,
    box_term='iou',
    box_rule='half_open',
)
_CHOICES = dict(method=ASSIGNMENTS, box_term=BOX_TERMS, box_rule=BOX_RULES)


@dataclass
class _Found:
    """Predictions of a frame: N masks, none of them empty, and their facts."""

    masks: List[RLE]
    scores: List[float]
    labels: List[int]
    ids: Optional[List[int]]

    def sure(self, score_thr: float) -> '_Labelled':
        """Take what is sure enough in this frame."""
        return [
            (mask, {label})
            for mask, label, score in zip(self.masks, self.labels, self.scores)
            if score > score_thr
        ]

    def of_tracks(self, frame: int, tracks: '_Tracks') -> '_Labelled':
        """Take what belongs to a track that has begun by then."""
        return [
            (mask, tracks[key][1])
            for mask, key in zip(self.masks, self.ids or ())
            if key in tracks and frame >= tracks[key][0]
        ]


# Masks of a frame with their labels; several where a track has several.
_Labelled = List[Tuple[RLE, Set[int]]]
# By id of the model: the first frame that counts, and the labels.
_Tracks = Dict[int, Tuple[int, Set[int]]]


@MODELS.register_module()
class VISModelSource(MaskSource):
    """Lets a trained model segment its training videos.

    "IDOL-BoxInst-masks" of PM-VIS, section III-C2, with any video instance
    segmentation model: in every frame SCM with box-prompted masks tells
    which prediction belongs to which box. The score of a mask is that SCM;
    unless asked for, classes of the model play no part, and they never
    become labels. A mask that is listed under several classes is one
    prediction. Frames without boxes are shown to the model as well, for its
    tracks; a video without any box is not.

    Masks are kept as RLE, those of frames with boxes only, until the video
    is over ('per_frame': until the clip is).

    Args:
        config (str): Config of the model.
        checkpoint (str, optional): Its weights; None only for tests.
        reference (str, optional): Earlier source, prompted by the boxes,
            that the predictions are compared with; an instance without a
            reference mask gets no mask. Without a source, the filled boxes
            stand in: good enough to assign, but SCM is then bounded by the
            share of its box that an object fills. Defaults to None.
        score_thr (float): Predictions need a higher score than this: that
            of a class of the whole track in mode 'tracks', else that of the
            frame. Defaults to 0.05.
        clip_length (int, optional): Frames per forward; None for the whole
            video. See :func:`pmvis_mm.apis.iter_predictions`. Defaults
            to 1.
        assign (dict, optional): ``method``, ``min_scm``, ``box_term`` and
            ``box_rule`` of :func:`assign_predictions`, and
            ``require_label``: only predictions of the annotated class are
            considered. Defaults to the Hungarian method without threshold
            and without classes.
        category_ids (Sequence[int], optional): Category id of each label of
            the model, for ``require_label``; by default what the checkpoint
            says of its training dataset.
        name (str): Source name. Defaults to 'ibm'.
        mode (str): Which predictions count. 'tracks': masks of tracks that
            stand at the end of the video, under all classes of the track,
            as the authors of PM-VIS did with IDOL: flickers that the model
            itself gives up are no masks. 'per_frame': what is sure enough
            in the frame. 'auto': 'tracks' for models that judge tracks
            (``pred_tracks``), else 'per_frame'. Defaults to 'auto'.

    Raises:
        ConfigError: If the config does not exist or an option is unknown.
        CheckpointError: If the checkpoint is missing or does not fit.
    """

    def __init__(
        self,
        config: str,
        checkpoint: Optional[str] = None,
        reference: Optional[str] = None,
        score_thr: float = 0.05,
        clip_length: Optional[int] = 1,
        assign: Optional[Dict[str, Any]] = None,
        category_ids: Optional[Sequence[int]] = None,
        name: str = 'ibm',
        mode: str = 'auto',
    ) -> None:
        super().__init__(name)
        if mode not in MODES:
            raise ConfigError(
                f'mode={mode!r} is unknown', fix=f'choose from {MODES}'
            )
        self.mode = mode
        self.reference = reference
        self.score_thr = score_thr
        self.clip_length = clip_length
        self.options = _check_assign(assign or {})
        self.require_label: bool = self.options.pop('require_label')
        self.model = init_vis_model(config, checkpoint)
        ids = category_ids or self.model.dataset_meta.get('category_ids')
        self.category_ids = None if ids is None else np.asarray(ids)
        self._warned: Set[int] = set()
        if self.require_label and self.category_ids is None:
            raise ConfigError(
                'require_label=True, but the checkpoint does not say which '
                'category ids its labels stand for',
                file=checkpoint,
                fix='give category_ids, one for each label of the model',
            )

    def init_weights(self) -> None:
        """Keep the weights of the checkpoint."""

    def label(self, video: LabelVideo) -> LabelResult:
        """See the base class."""
        tracks = [MaskTrack.empty_like(track) for track in video.tracks]
        result = LabelResult(video.info, tracks)
        boxed = {
            t
            for track in tracks
            for t, box in enumerate(track.boxes)
            if box is not None
        }
        if not boxed:
            return result
        prior: Optional[TracksById] = None
        if self.reference is not None:
            prior = video.prior(self.reference)
        if self.require_label:
            self._warn_of_unknown(tracks)
        kept: Dict[int, _Found] = {}
        verdict: Optional[InstanceData] = None
        for clip in iter_clips(self.model, video.frames, self.clip_length):
            for frame, found in enumerate(clip.frames, clip.start):
                if frame in boxed:
                    kept[frame] = self._compact(found, video, frame)
            if clip.tracks is not None:
                verdict = clip.tracks
            if self.mode == 'per_frame':
                self._assign_kept(tracks, kept, None, video, prior)
        survivors = self._survivors(verdict, kept, video)
        self._assign_kept(tracks, kept, survivors, video, prior)
        return result

    # --------------------------------------------------------- predictions
    def _compact(
        self, found: InstanceData, video: LabelVideo, frame: int
    ) -> _Found:
        """Keep what is needed of a frame; no tensors, no empty masks."""
        size = [video.info.height, video.info.width]
        for mask in found.masks:
            if list(mask['size']) != size:
                raise ConfigError(
                    f'the model predicts masks of size {mask["size"]}, the '
                    f'frames are {size} (height, width)',
                    video=video.info.id,
                    frame=frame,
                    fix='let the model rescale its masks to "ori_shape"',
                )
        rows = np.flatnonzero(areas(found.masks))
        ids = found.get('instances_id')
        return _Found(
            [found.masks[i] for i in rows],
            found.scores.numpy()[rows].tolist(),
            found.labels.numpy()[rows].tolist(),
            None if ids is None else ids.numpy()[rows].tolist(),
        )

    def _survivors(
        self,
        verdict: Optional[InstanceData],
        kept: Dict[int, _Found],
        video: LabelVideo,
    ) -> Optional[_Tracks]:
        """Read what the model says of its tracks; None: by frame instead."""
        if self.mode == 'per_frame' or (
            self.mode == 'auto' and verdict is None
        ):
            return None
        if verdict is None or any(f.ids is None for f in kept.values()):
            raise ConfigError(
                "mode='tracks', but the model judges no tracks: it gives no "
                '"pred_tracks" with the last frame, or frames have no '
                '"instances_id"',
                video=video.info.id,
                fix="set mode='per_frame' or 'auto'",
            )
        tracks: _Tracks = {}
        for key, start, label, score in zip(
            verdict.instances_id.tolist(),
            verdict.start_frames.tolist(),
            verdict.labels.tolist(),
            verdict.scores.tolist(),
        ):
            if score > self.score_thr:
                tracks.setdefault(key, (start, set()))[1].add(label)
        return tracks

    # ---------------------------------------------------------- assignment
    def _assign_kept(
        self,
        tracks: Sequence[MaskTrack],
        kept: Dict[int, _Found],
        survivors: Optional[_Tracks],
        video: LabelVideo,
        prior: Optional[TracksById],
    ) -> None:
        """Use up the predictions that were kept."""
        for frame in sorted(kept):
            found = kept.pop(frame)
            if survivors is None:
                chosen = found.sure(self.score_thr)
            else:
                chosen = found.of_tracks(frame, survivors)
            present = [t for t in tracks if t.boxes[frame] is not None]
            self._assign(present, frame, chosen, video, prior)

    def _assign(
        self,
        tracks: Sequence[MaskTrack],
        frame: int,
        chosen: _Labelled,
        video: LabelVideo,
        prior: Optional[TracksById],
    ) -> None:
        """Give the masks of a frame to the instances that have a box."""
        masks, labels = merge_duplicates(
            [mask for mask, _ in chosen], [own for _, own in chosen]
        )
        boxes = [track.boxes[frame] for track in tracks]
        size = (video.info.height, video.info.width)
        references: List[Optional[RLE]] = [
            box_rle(box, *size)  # type: ignore[arg-type]
            if prior is None
            else prior[track.id].masks[frame]
            if track.id in prior
            else None
            for track, box in zip(tracks, boxes)
        ]
        assigned = assign_predictions(
            masks,
            references,
            boxes,  # type: ignore[arg-type]
            prediction_labels=[self._to_category_ids(own) for own in labels]
            if self.require_label
            else None,
            labels=[track.category_id for track in tracks],
            **self.options,
        )
        for track, (mask, scm) in zip(tracks, assigned):
            track.set(frame, mask, self.name, scm)

    # ------------------------------------------------------------- classes
    def _to_category_ids(self, labels: Collection[int]) -> List[int]:
        known = self.category_ids
        highest = max(labels, default=-1)
        if known is None or highest >= len(known):
            raise ConfigError(
                f'the model predicts label {highest}, which has no category '
                'id',
                fix='give category_ids, one for each label of the model',
            )
        return known[list(labels)].tolist()

    def _warn_of_unknown(self, tracks: Sequence[MaskTrack]) -> None:
        """Say once that the model does not know a class at all."""
        wanted = {track.category_id for track in tracks} - self._warned
        known = () if self.category_ids is None else self.category_ids
        unknown = sorted(wanted.difference(int(key) for key in known))
        self._warned.update(wanted)
        if unknown:
            print_log(
                f'require_label=True, but the model knows no categories '
                f'{unknown}: their instances get no mask',
                'current',
                logging.WARNING,
            )


def _check_assign(assign: Dict[str, Any]) -> Dict[str, Any]:
    unknown = sorted(set(assign) - set(_ASSIGN))
    if unknown:
        raise ConfigError(
            f'assign has unknown options {unknown}',
            fix=f'choose from {sorted(_ASSIGN)}',
        )
    options = dict(_ASSIGN, **assign)
    for key, choices in _CHOICES.items():
        if options[key] not in choices:
            raise ConfigError(
                f'assign.{key}={options[key]!r} is unknown',
                fix=f'choose from {choices}',
            )
    return options
