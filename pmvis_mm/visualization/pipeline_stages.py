"""What every transform of a pipeline makes of a sample."""

from dataclasses import dataclass, field
from typing import Any, Callable, Dict, List, Sequence, Tuple

from mmcv.transforms import BaseTransform, Compose, TransformBroadcaster

from ..utils.errors import ConfigError

# A clip, or one of its frames where a TransformBroadcaster runs.
Snapshot = Callable[[Any, bool], Any]


@dataclass
class Stage:
    """A sample after a transform.

    Attributes:
        number (int): Order of the stages, from 1; stages of other datasets
            and of branches that were not taken leave gaps.
        name (str): Path of classes, such as
            'TransformBroadcaster/RandomFlip'.
        snapshots (list): One of the whole clip; inside a
            ``TransformBroadcaster`` one per frame, None for a frame that
            the transform was not applied to.
        per_frame (bool): Whether ``snapshots`` are of frames.
        applied (bool): False for a wrapper such as ``RandomApply`` that let
            the sample pass.
    """

    number: int
    name: str
    snapshots: List[Any]
    per_frame: bool = False
    applied: bool = True


class StageRecorder:
    """Runs a dataset and keeps what each transform returns.

    The dataset runs as it does in training, with its wrappers, retries and
    second samples (``MultiImageMixDataset``). Transforms that record are
    put between its own, so that it is changed for good: use one that was
    built to be looked at.

    Args:
        dataset (Dataset): Built; also wrapped or concatenated.
        snapshot (Callable): Called with the results after a transform and
            whether they are of a single frame; must copy what it keeps.
    """

    def __init__(self, dataset: Any, snapshot: Snapshot) -> None:
        self._dataset = dataset
        self._snapshot = snapshot
        self._taps: List[_Tap] = []
        self._outer: _Run = _Run()
        self._runs: List[_Run] = []
        self._tap_dataset(dataset)

    @property
    def names(self) -> List[str]:
        """Names of all stages in their order, each once."""
        return list(dict.fromkeys(tap.name for tap in self._taps))

    def record(self, index: int) -> Tuple[Any, List[Stage]]:
        """Make a sample.

        Args:
            index (int): Of the sample.

        Returns:
            tuple: The sample as the dataset returns it, and its stages in
            their order.
        """
        self._outer, self._runs = _Run(), []
        sample = self._dataset[index]
        # A pipeline that gave up was run again, for another sample.
        runs = [run for run in self._runs if run.finished] or [_Run()]
        stages = self._stages(runs[0])
        for other in runs[1:]:
            stages += self._stages(other, 'mixed in: ')[-1:]
        return sample, stages + self._stages(self._outer)

    def _stages(self, run: '_Run', prefix: str = '') -> List[Stage]:
        stages = []
        for tap in self._taps:
            frames = run.found.get(tap.number)
            inside = any(tap.number in self._taps[n].above for n in run.found)
            # What a wrapper returns is what its last transform made.
            if frames is None or inside:
                continue
            count = run.frames if tap.per_frame else 1
            stages.append(
                Stage(
                    tap.number + 1,
                    prefix + tap.name,
                    [frames.get(t) for t in range(count)],
                    tap.per_frame,
                    not tap.wraps,
                )
            )
        return stages

    # ------------------------------------------------------------- tapping
    def _tap_dataset(self, dataset: Any) -> None:
        """Tap a dataset; what it wraps comes first, as its stages do."""
        parts = getattr(dataset, 'datasets', None)
        if parts is None:
            parts = [dataset.dataset] if hasattr(dataset, 'dataset') else []
        for part in parts:
            self._tap_dataset(part)
        pipeline: Any = getattr(dataset, 'pipeline', None)
        if isinstance(pipeline, list):  # of MultiImageMixDataset
            types = {
                id(transform): name
                for transform, name in zip(pipeline, dataset.pipeline_types)
            }
            dataset.pipeline = self._tap(pipeline, '', False, ())
            # What is skipped by its type takes its tap along.
            kind, kinds = '', []
            for transform in dataset.pipeline:
                kind = types.get(id(transform), kind)
                kinds.append(kind)
            dataset.pipeline_types = kinds
        elif hasattr(pipeline, 'transforms'):
            start, end = _Call(self._start), _Call(self._finish)
            tapped = self._tap(pipeline.transforms, '', False, ())
            pipeline.transforms = [start, *tapped, end]

    def _tap(
        self,
        transforms: Sequence[Any],
        path: str,
        per_frame: bool,
        above: Tuple[int, ...],
    ) -> List[Any]:
        """Put a tap after each transform, also inside of wrappers."""
        tapped: List[Any] = []
        for transform in transforms:
            name = path + type(transform).__name__
            inner = _inner_pipelines(transform)
            broadcasts = isinstance(transform, TransformBroadcaster)
            # Wrappers are numbered before what they hold, to be named by it.
            tap = _Tap(self, len(self._taps), name, per_frame, above)
            tap.wraps = bool(inner)
            self._taps.append(tap)
            for pipeline in inner:
                pipeline.transforms = self._tap(
                    pipeline.transforms,
                    f'{name}/',
                    per_frame or broadcasts,
                    (*above, tap.number),
                )
                if broadcasts:
                    begin = _Call(self._next_frame)
                    pipeline.transforms.insert(0, begin)
            if broadcasts:
                tapped.append(_Call(self._first_frame))
            tapped += [transform, tap]
        return tapped

    def _start(self) -> None:
        self._runs.append(_Run())

    def _finish(self) -> None:
        self._current.finished = True

    def _first_frame(self) -> None:
        self._current.frame = -1

    def _next_frame(self) -> None:
        run = self._current
        run.frame += 1
        run.frames = max(run.frames, run.frame + 1)

    @property
    def _current(self) -> '_Run':
        if self._runs and not self._runs[-1].finished:
            return self._runs[-1]
        return self._outer

    def take(self, tap: '_Tap', results: Any) -> None:
        """Keep results; called by the taps."""
        run = self._current
        frame = run.frame if tap.per_frame else 0
        found = run.found.setdefault(tap.number, {})
        found[frame] = self._snapshot(results, tap.per_frame)


@dataclass
class _Run:
    """One way through a pipeline: snapshots by stage and frame."""

    found: Dict[int, Dict[int, Any]] = field(default_factory=dict)
    frame: int = -1
    frames: int = 0
    finished: bool = False


class _Tap(BaseTransform):
    """Hands results to the recorder and on."""

    wraps = False

    def __init__(
        self,
        recorder: StageRecorder,
        number: int,
        name: str,
        per_frame: bool,
        above: Tuple[int, ...],
    ) -> None:
        self.recorder = recorder
        self.number = number
        self.name = name
        self.per_frame = per_frame
        self.above = above

    def transform(self, results: Any) -> Any:
        self.recorder.take(self, results)
        return results


class _Call(BaseTransform):
    """Calls a function and hands results on."""

    def __init__(self, function: Callable[[], None]) -> None:
        self.function = function

    def transform(self, results: Any) -> Any:
        self.function()
        return results


def _inner_pipelines(transform: Any) -> List[Any]:
    """Pipelines that a wrapper runs: of RandomApply, RandomChoice, ..."""
    inner = getattr(transform, 'transforms', None)
    inner = inner if isinstance(inner, (list, tuple)) else [inner]
    return [each for each in inner if isinstance(each, Compose)]


def choose_stages(
    names: Sequence[str], wanted: Sequence[str]
) -> Callable[[Stage], bool]:
    """Read which stages are asked for.

    Args:
        names (Sequence[str]): Of all stages, see ``StageRecorder.names``.
        wanted (Sequence[str]): 'all', classes of transforms, or the end of
            a path such as 'RandomApply/RandomCrop'.

    Returns:
        Callable: Tells whether a stage was asked for.

    Raises:
        ConfigError: If a name fits no stage.
    """

    def fits(name: str, word: str) -> bool:
        return word == 'all' or f'/{name}'.endswith(f'/{word}')

    for word in wanted:
        if not any(fits(name, word) for name in names):
            known = list(dict.fromkeys(n.split('/')[-1] for n in names))
            raise ConfigError(
                f'no stage {word!r} in this pipeline',
                fix=f'choose "last", "all" or some of {", ".join(known)}',
            )
    return lambda stage: any(
        fits(stage.name.split(': ')[-1], word) for word in wanted
    )


def last_frames(stages: Sequence[Stage], number: int) -> Dict[int, Any]:
    """Find the state of each frame before a stage.

    Args:
        stages (Sequence[Stage]): Of one sample.
        number (int): Of the stage.

    Returns:
        dict: By frame the newest snapshot of an earlier per-frame stage.
    """
    found: Dict[int, Any] = {}
    for stage in stages:
        if stage.number < number and stage.per_frame:
            for t, snapshot in enumerate(stage.snapshots):
                if snapshot is not None:
                    found[t] = snapshot
    return found
