"""Painted frames of videos while a model is tested."""

import os
from typing import Any, Dict, Optional, Sequence

import numpy as np
from mmengine.hooks import Hook
from mmengine.visualization import Visualizer

from ...registry import HOOKS
from ...structures.frame_path import split_frame_path
from ...structures.frame_reader import read_frame
from ...utils.errors import ConfigError
from ...visualization.frame_truth import FrameTruth


@HOOKS.register_module()
class VISVisualizationHook(Hook):
    """Paints predictions on the frames of videos.

    Other than mmdet's ``TrackVisualizationHook`` it takes batches of any
    number of clips, counts frames within their video, and keeps videos apart
    in the folder that it writes to: a frame has the path there that it has
    below the ``img_path`` prefix of the dataset.

    Args:
        draw (bool): Whether to paint at all; ``tools/test.py --show-dir``
            sets it. Defaults to False.
        frame_interval (int): Paint frames 0, n, 2 n ... of a video.
            Defaults to 1.
        score_thr (float): Instances of a lower score in the frame are left
            out. Defaults to 0.3.
        test_out_dir (str, optional): Folder of the frames painted in tests.
            Defaults to None: they go to the visual backends, as those of
            validation do.
        backend_args (dict, optional): Storage backend of the frames.
            Defaults to None.
        draw_gt (bool): Whether to paint what the dataset has of a frame,
            boxes and masks, on the left, and the prediction on the right.
            Defaults to False: the prediction alone.

    Raises:
        ConfigError: If ``frame_interval`` is not positive.
    """

    def __init__(
        self,
        draw: bool = False,
        frame_interval: int = 1,
        score_thr: float = 0.3,
        test_out_dir: Optional[str] = None,
        backend_args: Optional[dict] = None,
        draw_gt: bool = False,
    ) -> None:
        if frame_interval < 1:
            raise ConfigError(
                f'VISVisualizationHook has frame_interval={frame_interval}',
                fix='use 1 or more',
            )
        self.draw = draw
        self.frame_interval = frame_interval
        self.score_thr = score_thr
        self.test_out_dir = test_out_dir
        self.backend_args = backend_args
        self.draw_gt = draw_gt
        self._painted = 0
        self._truths: Dict[str, FrameTruth] = {}

    def after_val_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[Sequence[Any]] = None,
    ) -> None:
        """Paint frames of validation for the visual backends."""
        if self.draw:
            truth = self._truth(runner, 'val')
            self._paint_clips(outputs or (), runner.iter, None, '', truth)

    def after_test_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[Sequence[Any]] = None,
    ) -> None:
        """Paint frames of a test."""
        if self.draw:
            prefix = _frame_folder(runner.test_dataloader.dataset)
            truth = self._truth(runner, 'test')
            self._paint_clips(
                outputs or (), 0, self.test_out_dir, prefix, truth
            )

    def _truth(self, runner: Any, phase: str) -> Optional[FrameTruth]:
        """Annotations of a dataset, listed when first asked for."""
        if not self.draw_gt:
            return None
        if phase not in self._truths:
            loader = getattr(runner, f'{phase}_dataloader')
            self._truths[phase] = FrameTruth(loader.dataset)
        return self._truths[phase]

    def _paint_clips(
        self,
        clips: Sequence[Any],
        first_step: int,
        out_dir: Optional[str],
        prefix: str,
        truth: Optional[FrameTruth],
    ) -> None:
        for clip in clips:
            for sample in clip:
                if sample.frame_id % self.frame_interval == 0:
                    self._paint(sample, first_step, out_dir, prefix, truth)

    def _paint(
        self,
        sample: Any,
        first_step: int,
        out_dir: Optional[str],
        prefix: str,
        truth: Optional[FrameTruth],
    ) -> None:
        path = sample.img_path
        if truth is not None:
            sample = sample.new()
            sample.gt_instances = truth.find(path)
        image = read_frame(path, backend_args=self.backend_args)
        out_file = None
        if out_dir is not None:
            out_file = os.path.join(out_dir, _place(path, prefix))
        Visualizer.get_current_instance().add_datasample(
            'test_img' if first_step == 0 else 'val_img',
            np.ascontiguousarray(image[..., ::-1]),
            data_sample=sample,
            draw_gt=truth is not None,
            pred_score_thr=self.score_thr,
            out_file=out_file,
            step=first_step + self._painted,
        )
        self._painted += 1


def _frame_folder(dataset: Any) -> str:
    """Folder that holds the videos of a dataset; empty if unknown."""
    while hasattr(dataset, 'dataset'):
        dataset = dataset.dataset
    prefix = getattr(dataset, 'data_prefix', None) or {}
    return prefix.get('img_path') or ''


def _place(path: str, prefix: str) -> str:
    """Path of a frame below the folder of the videos."""
    in_video = split_frame_path(path)
    if in_video is not None:
        stem = os.path.splitext(in_video[0])[0]
        path = os.path.join(stem, f'{in_video[1]:05d}.jpg')
    if prefix:
        inside = os.path.relpath(path, prefix)
        if not inside.startswith(os.pardir):
            return inside
    # Elsewhere, in storage for example: the folder tells videos apart.
    return os.path.join(*path.replace('\\', '/').split('/')[-2:])
