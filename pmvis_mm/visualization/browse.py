"""Looking at the samples of a config, at every stage of its pipeline."""

import random
from dataclasses import replace
from pathlib import Path
from typing import Any, Iterator, List, NamedTuple, Optional, Sequence

import cv2
import numpy as np
import torch
from mmengine.config import Config

from ..registry import DATASETS
from ..utils.errors import ConfigError
from ..utils.fileio import atomic_write
from .overlay import MIN_HEIGHT
from .pipeline_stages import (
    Stage,
    StageRecorder,
    choose_stages,
    last_frames,
)
from .pipeline_view import ClipView, FrameView, draw_clip, view_sample

PHASES = ('train', 'val', 'test')


class StagePicture(NamedTuple):
    """A sample at a stage.

    Attributes:
        sample (int): Its index.
        number (int): Of the stage; 0 for the sample as it is at last.
        title (str): Sample and stage.
        image (np.ndarray, optional): uint8, (H, W, 3), BGR; None where no
            frame is loaded.
        summary (list[str]): Keys, shapes and types.
    """

    sample: int
    number: int
    title: str
    image: Optional[np.ndarray]
    summary: List[str]

    @property
    def stem(self) -> str:
        """Name of its files."""
        stage = f'_{self.number:02d}' if self.number else ''
        return f'{self.sample:06d}{stage}'


def build_phase(cfg: Config, phase: str = 'train') -> Any:
    """Build the dataset of a config.

    Args:
        cfg (Config): Names of classes resolve in the default scope.
        phase (str): 'train', 'val' or 'test'. Defaults to 'train'.

    Returns:
        Dataset: With at least one sample.

    Raises:
        ConfigError: If the config has none for this phase, or it is empty.
    """
    loader = cfg.get(f'{phase}_dataloader')
    if not loader:
        known = [p for p in PHASES if cfg.get(f'{p}_dataloader')]
        raise ConfigError(
            f'the config has no {phase}_dataloader',
            file=cfg.filename,
            fix=f'choose a phase that it has: {", ".join(known) or "none"}',
        )
    dataset = DATASETS.build(loader.dataset)
    dataset.full_init()
    if not len(dataset):
        raise ConfigError(
            f'the dataset of {phase}_dataloader is empty',
            file=cfg.filename,
            fix='check ann_file, classes and filter_cfg',
        )
    return dataset


def browse(
    dataset: Any,
    indices: Optional[Sequence[int]] = None,
    stages: Sequence[str] = ('last',),
    seed: int = 0,
    alpha: float = 0.5,
    min_height: int = MIN_HEIGHT,
    max_frames: int = 10,
) -> Iterator[StagePicture]:
    """Draw samples of a dataset.

    Args:
        dataset (Dataset): As from :func:`build_phase`; changed if ``stages``
            are others than 'last'.
        indices (Sequence[int], optional): Of the samples. Defaults to None:
            all.
        stages (Sequence[str]): 'last': as a model gets it; 'all': after
            every transform; or names, see ``choose_stages``. Defaults to
            ('last', ).
        seed (int): With the index it decides all that is random in a
            sample. Defaults to 0.
        alpha (float): Opacity of masks. Defaults to 0.5.
        min_height (int): Smaller frames are enlarged. Defaults to 240.
        max_frames (int): Of longer clips, as in tests, only so many frames,
            evenly spread, are drawn. Defaults to 10.

    Yields:
        StagePicture: Samples in order, stages of each in order.

    Raises:
        ConfigError: If a stage or a sample is not there, or no frame is to
            be drawn.
    """
    if max_frames < 1:
        raise ConfigError(f'max_frames={max_frames}', fix='use 1 or more')
    chosen = choose_samples(dataset, indices)
    look = Look(alpha, min_height, max_frames)
    if list(stages) == ['last']:
        for index in chosen:
            look.classes = classes_of(dataset, index)
            _set_seed(seed, index)
            clip = look.view(dataset[index], False)
            yield look.draw(index, 0, 'as a model gets it', clip)
        return
    recorder = StageRecorder(dataset, look.view)
    is_chosen = choose_stages(recorder.names, stages)
    for index in chosen:
        look.classes = classes_of(dataset, index)
        _set_seed(seed, index)
        _, found = recorder.record(index)
        shown = [stage for stage in found if is_chosen(stage)]
        for stage in shown:
            yield look.draw_stage(index, stage, found)
        if not shown:  # such as inside of a RandomApply that let it pass
            title = f'sample {index}, none of the chosen stages was applied'
            yield StagePicture(index, 0, title, None, [])


def choose_samples(
    dataset: Any,
    indices: Optional[Sequence[int]] = None,
    num: Optional[int] = None,
) -> Sequence[int]:
    """Choose samples of a dataset.

    Args:
        dataset (Dataset): Has a length.
        indices (Sequence[int], optional): The samples. Defaults to None:
            from the first on.
        num (int, optional): Only so many. Defaults to None: all.

    Returns:
        Sequence[int]: Their indices.

    Raises:
        ConfigError: If a sample is not there, or none is left.
    """
    chosen = range(len(dataset)) if indices is None else indices
    for index in chosen:
        if not 0 <= index < len(dataset):
            raise ConfigError(
                f'there is no sample {index}',
                fix=f'the dataset has samples 0 to {len(dataset) - 1}',
            )
    if num is not None and num < 1:
        raise ConfigError(
            f'{num} samples are nothing to look at', fix='use 1 or more'
        )
    return chosen[:num]


def classes_of(dataset: Any, index: int) -> Optional[Sequence[str]]:
    """Find the names of a sample's classes.

    Args:
        dataset (Dataset): Also mmdet's ``ConcatDataset``, of which each part
            may have classes of its own.
        index (int): Of the sample.

    Returns:
        Sequence[str], optional: By label; None if the dataset has none.
    """
    metainfo = getattr(dataset, 'metainfo', None) or {}
    if isinstance(metainfo, list):
        part, _ = dataset._get_ori_dataset_idx(index)
        metainfo = metainfo[part]
    return metainfo.get('classes')


class Look:
    """How samples are drawn; see :func:`browse` for the arguments."""

    def __init__(self, alpha: float, min_height: int, max_frames: int) -> None:
        self.classes: Optional[Sequence[str]] = None
        self.alpha = alpha
        self.min_height = min_height
        self.max_frames = max_frames

    def view(self, results: Any, single: bool) -> ClipView:
        """Look at a sample, see ``view_sample``."""
        return view_sample(results, self.classes, single)

    def draw(
        self, index: int, number: int, name: str, clip: ClipView
    ) -> StagePicture:
        """Draw a sample at a stage."""
        count = len(clip.frames)
        shown = clip.frames
        if count > self.max_frames:
            places = np.linspace(0, count - 1, self.max_frames)
            shown = [clip.frames[t] for t in np.rint(places).astype(int)]
        title = f'sample {index}, {f"{number} " if number else ""}{name}'
        if len(shown) < count:
            title += f', {len(shown)} of {count} frames'
        image = draw_clip(shown, title, self.alpha, self.min_height)
        return StagePicture(index, number, title, image, clip.summary)

    def draw_stage(
        self, index: int, stage: Stage, stages: Sequence[Stage]
    ) -> StagePicture:
        """Draw a stage; a frame that it let pass looks as before."""
        name = stage.name if stage.applied else f'{stage.name} (not applied)'
        if not stage.per_frame:
            return self.draw(index, stage.number, name, stage.snapshots[0])
        before = last_frames(stages, stage.number)
        frames: List[FrameView] = []
        summary: List[str] = []
        for t, clip in enumerate(stage.snapshots):
            if clip is not None:
                frames += clip.frames
                summary = summary or clip.summary
            elif t in before:
                frames += [
                    replace(frame, title=f'{frame.title}, not applied')
                    for frame in before[t].frames
                ]
        summary = [f'each of {len(stage.snapshots)} frames:', *summary]
        return self.draw(index, stage.number, name, ClipView(frames, summary))


def write_picture(picture: StagePicture, out_dir: str) -> List[Path]:
    """Write a picture as PNG, if there is one, and its summary as text.

    Args:
        picture (StagePicture): To be written.
        out_dir (str): Folder, made if missing.

    Returns:
        list[Path]: The files: ``<index>_<stage>.png`` and ``.txt``.

    Raises:
        OutputError: If the folder cannot be written.
    """
    base = Path(out_dir) / picture.stem
    files = []
    if picture.image is not None:
        files.append(base.with_suffix('.png'))
        with atomic_write(files[0], binary=True) as file:
            file.write(cv2.imencode('.png', picture.image)[1].tobytes())
    files.append(base.with_suffix('.txt'))
    with atomic_write(files[-1]) as file:
        file.write('\n'.join([picture.title, *picture.summary, '']))
    return files


def _set_seed(seed: int, index: int) -> None:
    """Make a sample the same whichever others are looked at."""
    value = (seed * 1000003 + index) % 2**32
    random.seed(value)
    np.random.seed(value)
    torch.manual_seed(value)
