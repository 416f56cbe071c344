"""Registered rules that choose one mask per instance and frame.

Not imported by the package itself, whose functions need no torch; the
registry does.
"""

from abc import ABCMeta, abstractmethod
from typing import Any, Dict, List, Mapping, Optional, Sequence

import numpy as np

from ...registry import TASK_UTILS
from ...structures import MaskTrack
from ...utils.errors import ConfigError
from ..label_video import LabelVideo
from .best_path import best_path
from .quality_model import QualityModel
from .quality_table import CueTable, collect_cues
from .quality_weights import QUALITY_MODEL
from .shqm import is_held_back, select_track


class MaskSelector(metaclass=ABCMeta):
    """Chooses among candidates; a subclass writes :meth:`select`."""

    @abstractmethod
    def select(
        self,
        video: LabelVideo,
        tracks: Sequence[MaskTrack],
        candidates: Sequence[Mapping[str, MaskTrack]],
        require: Sequence[str] = (),
    ) -> List[MaskTrack]:
        """Choose for all instances of a video.

        Args:
            video (LabelVideo): Gives the frames.
            tracks (Sequence[MaskTrack]): N instances: ids and boxes; their
                masks are not read.
            candidates (Sequence[Mapping[str, MaskTrack]]): Per instance its
                masks by name of the source; absent sources are left out.
            require (Sequence[str]): Sources without whose mask a frame gets
                none. Defaults to none.

        Returns:
            list[MaskTrack]: N new tracks; sources name the winners.
        """


@TASK_UTILS.register_module()
class SHQM(MaskSelector):
    """`PM-VIS <https://arxiv.org/abs/2404.13863>`_, Eq. 6-8.

    The candidate that agrees best with the others wins each frame; see
    :func:`pmvis_mm.labeling.selection.shqm`. Scores are the mean SCM with
    the others.

    Args:
        priority (Sequence[str], optional): Who wins ties, first wins.
            Defaults to the last candidate first.
        box_term (str): 'iou' or 'giou'. Defaults to 'iou'.
        box_rule (str): 'half_open' or 'inclusive'.
    """

    def __init__(
        self,
        priority: Optional[Sequence[str]] = None,
        box_term: str = 'iou',
        box_rule: str = 'half_open',
    ) -> None:
        self.priority = priority
        self.options = dict(box_term=box_term, box_rule=box_rule)

    def select(
        self,
        video: LabelVideo,
        tracks: Sequence[MaskTrack],
        candidates: Sequence[Mapping[str, MaskTrack]],
        require: Sequence[str] = (),
    ) -> List[MaskTrack]:
        """See the base class; frames are not read."""
        return [
            select_track(track, mine, require, self.priority, **self.options)
            for track, mine in zip(tracks, candidates)
        ]


@TASK_UTILS.register_module()
class QualitySelector(MaskSelector):
    """Takes the mask with the highest predicted IoU.

    SHQM judges each frame alone, and two weak sources that agree outvote a
    good one. Here a small linear model predicts the IoU of every candidate
    with the unknown truth from its contrast, its motion, its stability, its
    box fit as far as that is no gift, its agreement with sources that
    themselves look good, and the record of its source in the near frames.
    Scores are the predicted IoU.

    Every frame is read once; costs a few milliseconds per mask.

    Args:
        switch_cost (float): Predicted IoU that a change of the source from
            one frame to the next must gain; the best sequence of sources is
            found over the whole track (Viterbi). Estimates of single frames
            are noisy, and a good source is mostly good for longer. Defaults
            to 0.05.
        model (dict, optional): Arguments of a
            :class:`~.quality_model.QualityModel`, as printed by
            ``tools/labeling/fit_quality.py``. Defaults to the weights that
            come with the package.

    Raises:
        ConfigError: If ``switch_cost`` is negative or ``model`` malformed.
    """

    def __init__(
        self,
        switch_cost: float = 0.05,
        model: Optional[Dict[str, Any]] = None,
    ) -> None:
        if switch_cost < 0:
            raise ConfigError(
                f'switch_cost={switch_cost} is negative',
                fix='use 0 to choose every frame alone',
            )
        try:
            self.model = QualityModel(**(model or QUALITY_MODEL))
        except (TypeError, ValueError) as reason:
            raise ConfigError(
                f'the quality model is malformed: {reason}',
                fix='take it from tools/labeling/fit_quality.py',
            ) from None
        self.switch_cost = switch_cost

    def select(
        self,
        video: LabelVideo,
        tracks: Sequence[MaskTrack],
        candidates: Sequence[Mapping[str, MaskTrack]],
        require: Sequence[str] = (),
    ) -> List[MaskTrack]:
        """See the base class."""
        boxes = [track.boxes for track in tracks]
        tables = collect_cues(video.frames, candidates, boxes)
        qualities = self.model.predict(tables)
        return [
            self._choose(track, mine, table, quality, require)
            for track, mine, table, quality in zip(
                tracks, candidates, tables, qualities
            )
        ]

    def _choose(
        self,
        track: MaskTrack,
        candidates: Mapping[str, MaskTrack],
        table: CueTable,
        quality: np.ndarray,
        require: Sequence[str],
    ) -> MaskTrack:
        result = MaskTrack.empty_like(track)
        path = best_path(quality, table.present, self.switch_cost)
        for frame, row in enumerate(path):
            if row < 0 or is_held_back(candidates, require, frame):
                continue
            name = table.names[row]
            mask = candidates[name].masks[frame]
            result.set(frame, mask, name, quality[row, frame])
        return result
