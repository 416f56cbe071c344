"""Warn of videos that are trained on and validated with."""

import logging
from typing import Any, Dict, Optional

from mmengine.dist import master_only
from mmengine.hooks import Hook
from mmengine.logging import print_log

from ...checking.splits import shared_videos
from ...registry import HOOKS
from .check_supervision_hook import dataset_leaves


@HOOKS.register_module()
class SplitOverlapHook(Hook):
    """Compares the frames of the training and validation data.

    One warning is logged before training if videos are in both: results
    would be too good. Nothing is read for it; frames are the same if their
    paths are.
    """

    priority = 'VERY_LOW'

    @master_only
    def before_train(self, runner: Any) -> None:
        """Compare all training sets with all validation sets."""
        validation = getattr(runner.val_loop, 'dataloader', None)
        if validation is None:
            return
        for tested in dataset_leaves(validation.dataset):
            for trained in dataset_leaves(runner.train_dataloader.dataset):
                text = _overlap(trained, tested)
                if text is not None:
                    print_log(text, 'current', logging.WARNING)


def _overlap(trained: Any, tested: Any) -> Optional[str]:
    """Say which videos are in both, if any are."""
    keys: Dict[str, Any] = {
        name: getattr(dataset, 'frame_keys', None)
        for name, dataset in (('train', trained), ('test', tested))
    }
    if keys['train'] is None or keys['test'] is None:
        return None
    shared = shared_videos(keys['test'], keys['train'])
    if not shared:
        return None
    text = (
        f'{len(shared)} of {len(keys["test"])} videos of {tested.ann_file} '
        f'have frames that are trained on ({trained.ann_file}), such as '
        f'video {shared[0]}: results of the validation will be too good. '
        'Keep a video in one split only'
    )
    if trained.ann_file != tested.ann_file:
        text += (
            '; to see all: python tools/analysis_tools/check_dataset.py '
            f'{trained.ann_file} {tested.ann_file}'
        )
    return text
