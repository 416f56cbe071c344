"""Stop before a loss that is no number ruins what was learned."""

from typing import Any, Dict, Iterator, List, Optional

import torch
from mmengine.hooks import Hook

from ...registry import HOOKS
from ...utils.errors import ConfigError, TrainingError

_SHOWN = 8


@HOOKS.register_module()
class NonFiniteLossHook(Hook):
    """Ends training when a loss is infinite or NaN.

    The step with this loss was taken already, but it never reaches a
    checkpoint: losses are also looked at before one is saved.

    Args:
        interval (int): Look every so many iterations; on a GPU each look
            waits for the iteration to end. Defaults to 1.

    Raises:
        ConfigError: If ``interval`` is not positive.
        TrainingError: In training, names iteration, losses, videos, frames
            and what helps.
    """

    priority = 'NORMAL'

    def __init__(self, interval: int = 1) -> None:
        if interval < 1:
            raise ConfigError(
                f'NonFiniteLossHook has interval={interval}',
                fix='use 1 or more',
            )
        self.interval = interval
        self._unseen: Optional[tuple] = None

    def after_train_iter(
        self,
        runner: Any,
        batch_idx: int,
        data_batch: Any = None,
        outputs: Optional[Dict[str, Any]] = None,
    ) -> None:
        """Look at the losses of this iteration."""
        self._unseen = (runner.iter + 1, outputs or {}, data_batch)
        if self.every_n_inner_iters(batch_idx, self.interval):
            self._look()

    def before_save_checkpoint(
        self, runner: Any, checkpoint: Dict[str, Any]
    ) -> None:
        """Look at the losses of the last iteration."""
        self._look()

    def _look(self) -> None:
        if self._unseen is None:
            return
        iteration, outputs, data_batch = self._unseen
        self._unseen = None
        losses = {key: v for key, v in outputs.items() if 'loss' in key}
        if not losses or _all_finite(losses):
            return
        numbers = {key: float(_mean(v)) for key, v in losses.items()}
        bad = [
            f'{key} is {number}'
            for key, number in numbers.items()
            if not torch.isfinite(torch.tensor(number))
        ]
        metas = [sample.metainfo for sample in _samples(data_batch)]
        raise TrainingError(
            f'iteration {iteration}: {", ".join(bad)}',
            video=_join([meta.get('video_id') for meta in metas]),
            frame=_join([_frame(meta) for meta in metas]),
            fix='look at these frames and their boxes, lower the learning '
            'rate, or train without --amp; the last checkpoint is not '
            'touched, go on from it with --resume',
        )


def _mean(value: Any) -> torch.Tensor:
    return torch.as_tensor(value).detach().float().mean()


def _all_finite(losses: Dict[str, Any]) -> bool:
    """Check all at once: on a GPU one look is one wait."""
    values = [_mean(value) for value in losses.values()]
    return bool(torch.isfinite(torch.stack(values)).all())


def _samples(value: Any) -> Iterator[Any]:
    """Find the samples of single frames in a batch of any nesting."""
    if isinstance(value, dict):
        for child in value.values():
            yield from _samples(child)
    elif isinstance(value, (list, tuple)):
        for child in value:
            yield from _samples(child)
    elif hasattr(value, 'video_data_samples'):
        yield from _samples(value.video_data_samples)
    elif hasattr(value, 'metainfo'):
        yield value


def _frame(meta: Dict[str, Any]) -> Any:
    path = meta.get('img_path')
    return meta.get('frame_id', meta.get('img_id')) if path is None else path


def _join(values: List[Any]) -> Optional[str]:
    """List different values once, the first of them; None if none."""
    known = list(dict.fromkeys(str(v) for v in values if v is not None))
    more = [f'and {len(known) - _SHOWN} more'] if len(known) > _SHOWN else []
    return ', '.join(known[:_SHOWN] + more) or None
