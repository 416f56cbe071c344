"""Masks predicted by a trained video instance segmentation model."""

from typing import Any, Dict, List, Optional, Sequence, Tuple

import numpy as np
from mmengine.structures import InstanceData

from ...apis.inference import init_vis_model, iter_predictions
from ...registry import MODELS
from ...structures import RLE, MaskTrack
from ...structures.rle import area, box_rle
from ...utils.errors import ConfigError
from ..label_video import LabelResult, LabelVideo, TracksById
from ..selection.scm import (
    ASSIGNMENTS,
    BOX_RULES,
    BOX_TERMS,
    assign_predictions,
)
from .base import MaskSource

_ASSIGN: Dict[str, Any] = dict(
    method='hungarian',
    min_scm=0.0,
    require_label=False,
    box_term='iou',
    box_rule='half_open',
)
_CHOICES = dict(method=ASSIGNMENTS, box_term=BOX_TERMS, box_rule=BOX_RULES)


@MODELS.register_module()
class VISModelSource(MaskSource):
    """Lets a trained model segment its training videos.

    "IDOL-BoxInst-masks" of PM-VIS, section III-C2, with any video instance
    segmentation model: in every frame SCM with box-prompted masks tells
    which prediction belongs to which box. The score of a mask is that SCM;
    ids and, unless asked for, classes of the model play no part. Frames
    without boxes are shown to the model as well, for its tracks.

    Args:
        config (str): Config of the model.
        checkpoint (str, optional): Its weights; None only for tests.
        reference (str, optional): Earlier source, prompted by the boxes,
            that the predictions are compared with; an instance without a
            reference mask gets no mask. Without a source, the filled boxes
            stand in: good enough to assign, but SCM is then bounded by the
            share of its box that an object fills. Defaults to None.
        score_thr (float): Predictions need a higher score than this.
            Defaults to 0.05.
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
    ) -> None:
        super().__init__(name)
        self.reference = reference
        self.score_thr = score_thr
        self.clip_length = clip_length
        self.options = _check_assign(assign or {})
        self.require_label: bool = self.options.pop('require_label')
        self.model = init_vis_model(config, checkpoint)
        ids = category_ids or self.model.dataset_meta.get('category_ids')
        self.category_ids = None if ids is None else np.asarray(ids)
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
        prior: Optional[TracksById] = None
        if self.reference is not None:
            prior = video.prior(self.reference)
        for frame, found in iter_predictions(
            self.model, video.frames, self.clip_length
        ):
            present = [t for t in tracks if t.boxes[frame] is not None]
            if present:
                self._assign(present, frame, found, video, prior)
        return LabelResult(video.info, tracks)

    def _assign(
        self,
        tracks: Sequence[MaskTrack],
        frame: int,
        found: InstanceData,
        video: LabelVideo,
        prior: Optional[TracksById],
    ) -> None:
        """Give the masks of a frame to the instances that have a box."""
        masks, labels = self._predictions(found, video, frame)
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
            prediction_labels=labels,
            labels=[track.category_id for track in tracks],
            **self.options,
        )
        for track, (mask, scm) in zip(tracks, assigned):
            track.set(frame, mask, self.name, scm)

    def _predictions(
        self, found: InstanceData, video: LabelVideo, frame: int
    ) -> Tuple[List[RLE], Optional[List[int]]]:
        """Encode what is sure enough; with labels, their category ids."""
        scores = found.scores.numpy()
        masks = found.masks
        size = [video.info.height, video.info.width]
        for mask in masks:
            if list(mask['size']) != size:
                raise ConfigError(
                    f'the model predicts masks of size {mask["size"]}, the '
                    f'frames are {size} (height, width)',
                    video=video.info.id,
                    frame=frame,
                    fix='let the model rescale its masks to "ori_shape"',
                )
        kept = [
            i
            for i in np.flatnonzero(scores > self.score_thr)
            if area(masks[i])
        ]
        labels = None
        if self.require_label:
            labels = self._to_category_ids(found.labels.numpy()[kept])
        return [masks[i] for i in kept], labels

    def _to_category_ids(self, labels: np.ndarray) -> List[int]:
        known = self.category_ids
        if known is None or labels.max(initial=-1) >= len(known):
            raise ConfigError(
                f'the model predicts label {labels.max(initial=-1)}, which '
                'has no category id',
                fix='give category_ids, one for each label of the model',
            )
        return known[labels].tolist()


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
