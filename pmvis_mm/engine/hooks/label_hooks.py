"""Hooks of the labelling loop: they turn one stage into the next."""

from typing import Any, Dict, Optional, Sequence

from mmengine.hooks import Hook

from ...labeling.label_video import LabelResult, LabelVideo, TracksById
from ...labeling.selection import doob
from ...labeling.selection.selectors import MaskSelector
from ...registry import HOOKS, TASK_UTILS
from ...utils.errors import ConfigError

TRACKS = ('fused', 'all')


@HOOKS.register_module()
class DOOBHook(Hook):
    """Applies DOOB (PM-VIS, section III-D3) to every frame of a video.

    Args:
        crop_first (bool): See :func:`pmvis_mm.labeling.selection.doob`.
        margin (int): See there.
        overlap (str): See there.
        stage (str): Name of the result. Defaults to 'doob'.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        crop_first: bool = False,
        margin: int = 0,
        overlap: str = 'whole',
        stage: str = 'doob',
    ) -> None:
        self.options: Dict[str, Any] = dict(
            crop_first=crop_first, margin=margin, overlap=overlap
        )
        self.stage = stage

    def after_label(
        self, runner: Any, video: LabelVideo, result: LabelResult
    ) -> None:
        """Clean the current masks."""
        tracks = [track.copy() for track in result.tracks]
        for frame in range(result.video.length):
            boxes = [track.boxes[frame] for track in tracks]
            masks = [track.masks[frame] for track in tracks]
            for track, mask in zip(tracks, doob(masks, boxes, **self.options)):
                if mask is not track.masks[frame]:
                    source = track.sources[frame] or ''
                    track.set(frame, mask, source, track.scores[frame])
        result.commit(self.stage, tracks)


@HOOKS.register_module()
class SelectHook(Hook):
    """Selects one mask per instance and frame among several sources.

    The candidates are masks of earlier sources and, unless ``own`` is None,
    the current ones.

    Args:
        candidates (Sequence[str]): Names of priors of the dataset, in
            ascending order of trust (the last wins ties).
        own (str, optional): Name of the current masks among the candidates;
            None leaves them out. Defaults to 'track'.
        tracks (str): Whether the tracks of several keyframes compete as
            'all' or as the one 'fused'. Defaults to 'all': the paper gives
            no rule, but its text speaks of several sets.
        require (Sequence[str]): Candidates without whose mask a frame gets
            none; the current masks only as 'fused'. Defaults to none.
        selector (dict): Config of a
            :class:`~pmvis_mm.labeling.selection.selectors.MaskSelector`:
            ``dict(type='SHQM')`` or ``dict(type='QualitySelector')``.
            Defaults to SHQM.
        stage (str): Name of the result. Defaults to 'selected'.

    Raises:
        ConfigError: If there are fewer than two candidates, two of one
            name, or ``require`` names none of them.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        candidates: Sequence[str],
        own: Optional[str] = 'track',
        tracks: str = 'all',
        require: Sequence[str] = (),
        selector: Optional[Dict[str, Any]] = None,
        stage: str = 'selected',
    ) -> None:
        if tracks not in TRACKS:
            raise ValueError(
                f'tracks should be one of {TRACKS}, got {tracks!r}'
            )
        self.selector: MaskSelector = TASK_UTILS.build(
            selector or dict(type='SHQM')
        )
        _check_names(
            type(self.selector).__name__, candidates, own, tracks, require
        )
        self.candidates = list(candidates)
        self.own = own
        self.tracks = tracks
        self.require = list(require)
        self.stage = stage

    def after_label(
        self, runner: Any, video: LabelVideo, result: LabelResult
    ) -> None:
        """Select among the candidates."""
        sets = self._collect(video, result)
        mine = [
            {
                name: masks[track.id]
                for name, masks in sets.items()
                if track.id in masks
            }
            for track in result.tracks
        ]
        selected = self.selector.select(
            video, result.tracks, mine, self.require
        )
        result.commit(self.stage, selected)

    def _collect(
        self, video: LabelVideo, result: LabelResult
    ) -> Dict[str, TracksById]:
        sets = {name: video.prior(name) for name in self.candidates}
        if self.own is None:
            return sets
        if self.tracks == 'all' and len(result.candidates) > 1:
            for name, masks in result.candidates.items():
                sets[name] = masks
        else:
            sets[self.own] = {track.id: track for track in result.tracks}
        return sets


@HOOKS.register_module()
class SHQMHook(SelectHook):
    """Applies SHQM (PM-VIS, Eq. 6-8) to every instance and frame.

    Short for a :class:`SelectHook` with ``selector=dict(type='SHQM')``.

    Args:
        candidates (Sequence[str]): See :class:`SelectHook`.
        own (str, optional): See there.
        tracks (str): See there.
        require (Sequence[str]): See there.
        priority (Sequence[str], optional): Who wins ties, first wins.
        box_term (str): 'iou' or 'giou'. Defaults to 'iou'.
        box_rule (str): 'half_open' or 'inclusive'.
        stage (str): Name of the result. Defaults to 'shqm'.
    """

    def __init__(
        self,
        candidates: Sequence[str],
        own: Optional[str] = 'track',
        tracks: str = 'all',
        require: Sequence[str] = (),
        priority: Optional[Sequence[str]] = None,
        box_term: str = 'iou',
        box_rule: str = 'half_open',
        stage: str = 'shqm',
    ) -> None:
        selector = dict(
            type='SHQM',
            priority=priority,
            box_term=box_term,
            box_rule=box_rule,
        )
        super().__init__(candidates, own, tracks, require, selector, stage)


def _check_names(
    selector: str,
    candidates: Sequence[str],
    own: Optional[str],
    tracks: str,
    require: Sequence[str],
) -> None:
    names = [*candidates] if own is None else [*candidates, own]
    if len(names) < 2:
        raise ConfigError(
            f'{selector} needs two candidates or more, got {names}',
            fix='name earlier sources in "candidates"',
        )
    if len(set(names)) < len(names):
        raise ConfigError(
            f'two {selector} candidates have one name: {names}',
            fix='name the current masks otherwise in "own"',
        )
    # As 'all', the current masks compete under other names.
    fixed = names if tracks == 'fused' else candidates
    unknown = sorted(set(require) - set(fixed))
    if unknown:
        # They would silently remove every mask.
        raise ConfigError(
            f'{selector} requires {unknown}, which are no candidates',
            fix=f'choose from {list(fixed)}',
        )
