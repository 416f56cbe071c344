"""What would fail after hours, found before anything runs."""

from pathlib import Path
from typing import Any, Callable, Dict, List, Optional, Sequence, Set

from ...structures import VideoAnnotations, VideoInfo
from ...structures.frame_reader import FrameReader
from ...utils.errors import (
    AnnotationError,
    ConfigError,
    FrameError,
    PMVISError,
)
from ...utils.fileio import ensure_writable
from .config import Stage, find_config
from .data import PipelineData
from .launcher import Launcher

_SHOWN = 5


class PipelineError(ConfigError):
    """Several things are wrong; the message lists all of them.

    Args:
        problems (Sequence[PMVISError]): Two or more.
    """

    def __init__(self, problems: Sequence[PMVISError]) -> None:
        self.problems = list(problems)
        lines = [f'\n  {n}. {p}' for n, p in enumerate(problems, 1)]
        super().__init__(f'{len(lines)} problems:' + ''.join(lines))


class Problems(List[PMVISError]):
    """Collects errors instead of stopping at the first."""

    def attempt(self, check: Callable[..., Any], *arguments: Any) -> Any:
        """Call a check and keep its error.

        Args:
            check (Callable): Raises a PMVISError if something is wrong.
            *arguments: Its arguments.

        Returns:
            Any: What the check returns; None if it failed.
        """
        try:
            return check(*arguments)
        except PMVISError as error:
            if str(error) not in map(str, self):
                self.append(error)
        return None

    def raise_all(self) -> None:
        """Raise what was found: one error as it is, several as a list."""
        if len(self) == 1:
            raise self[0]
        if self:
            raise PipelineError(self)


def check_pipeline(
    stages: Sequence[Stage],
    data: PipelineData,
    work_dir: Path,
    launcher: Launcher,
    check_classes: bool = True,
) -> Problems:
    """Check output folder, data, configs, weights and processes.

    Args:
        stages (Sequence[dict]): Stages to run; references to other stages
            are not resolved.
        data (PipelineData): Data.
        work_dir (Path): Folder of the results; created.
        launcher (Launcher): Starts the processes.
        check_classes (bool): Whether a checkpoint that is only used to
            label must know the classes of the data. Defaults to True.

    Returns:
        Problems: All that was found.
    """
    problems = Problems()
    problems.attempt(ensure_writable, work_dir)
    problems.attempt(launcher.check)
    _check_data(data, problems)
    if any('annotations' in stage for stage in stages):
        problems.attempt(_check_pixel, data)
    readable = not any(isinstance(p, AnnotationError) for p in problems)
    usable = [s for s in stages if problems.attempt(_find_config, s)]
    if usable:
        from .model_checks import check_models  # imports compiled ops

        check_models(usable, data, problems, readable, check_classes)
    return problems


def _find_config(stage: Stage) -> bool:
    """Tell whether the stage runs a config; it must exist."""
    if 'config' not in stage:
        return False
    if stage['config'] is None or not find_config(stage['config']).is_file():
        raise ConfigError(
            f'config of stage {stage["name"]!r} not found',
            file=stage['config'] and find_config(stage['config']),
            fix='paths of configs are relative to configs/',
        )
    return True


# ------------------------------------------------------------------- data
def _check_data(data: PipelineData, problems: Problems) -> None:
    boxes = problems.attempt(_read_boxes, data)
    listed: Dict[str, Set[str]] = {}
    if boxes is not None:
        _check_frames(boxes, data.img_prefix, listed, problems)
    if data.truth_file is not None:
        problems.attempt(_check_truth, data, boxes)
    if data.val_ann_file is not None:
        val = problems.attempt(data.read, data.val_ann_file, True)
        if val is not None and data.val_img_prefix is not None:
            _check_frames(val, data.val_img_prefix, listed, problems)


def _read_boxes(data: PipelineData) -> VideoAnnotations:
    boxes = data.read(data.ann_file)
    if not boxes.num_boxes:
        raise AnnotationError(
            'no box in this file', file=data.ann_file, fix='add annotations'
        )
    return boxes


def _check_frames(
    annotations: VideoAnnotations,
    prefix: str,
    listed: Dict[str, Set[str]],
    problems: Problems,
) -> None:
    """Name the first missing frame of some videos, and count the others."""
    found = Problems()
    for video in annotations.videos.values():
        found.attempt(FrameReader(video, prefix).check_exists, listed)
    known = [str(problem) for problem in problems]
    problems += [e for e in found[:_SHOWN] if str(e) not in known]
    if len(found) > _SHOWN:
        problems.append(
            FrameError(
                f'frames are missing in {len(found) - _SHOWN} more of '
                f'{len(annotations.videos)} videos',
                file=prefix,
                fix='check the image folder and that all frames were '
                'extracted',
            )
        )


def _check_truth(
    data: PipelineData, boxes: Optional[VideoAnnotations]
) -> None:
    truth = data.read(str(data.truth_file), with_masks=True)
    tracks = {track.id: track for track in truth}
    if not any(track.segmentations for track in tracks.values()):
        raise AnnotationError(
            'no masks in the file of real masks',
            file=data.truth_file,
            fix='leave it out if there are none',
        )
    for track in boxes or ():
        other = tracks.get(track.id)
        video: VideoInfo = boxes.videos[track.video_id]  # type: ignore[union-attr]
        if other is None or truth.videos[other.video_id] != video:
            raise AnnotationError(
                f'other videos or instances than {data.ann_file}',
                file=data.truth_file,
                video=track.video_id,
                instance=track.id,
                fix='real masks and boxes must have the same videos, frames '
                'and annotation ids',
            )


def _check_pixel(data: PipelineData) -> None:
    if data.truth_file is None:
        raise ConfigError(
            'training on real masks needs some',
            fix='give --truth-file, or train with supervision="box"',
        )
