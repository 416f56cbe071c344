"""Ramp losses up over the first iterations."""

from typing import Any, Dict, List, Optional, Sequence

from mmengine.hooks import Hook

from ...registry import HOOKS
from ...utils.errors import ConfigError
from ...utils.warmup import linear_warmup


@HOOKS.register_module()
class LossWarmupHook(Hook):
    """Sets the ``warmup_factor`` of losses before each iteration.

    The factor grows from ``1 / n`` in the first iteration to 1 in iteration
    ``n``, see :func:`~pmvis_mm.utils.warmup.linear_warmup`. It follows from
    the runner's iteration, of which ``resume`` knows and ``load_from`` does
    not; nothing is stored. With gradient accumulation iterations are those
    of the runner, as for learning rates.

    Args:
        num_iters (int, optional): Iterations ``n`` of the ramp, for all
            losses; 0 for none. Defaults to None: the ``warmup_iters`` of
            each loss.
        losses (Sequence[str], optional): Names of the classes of losses to
            set. Defaults to None: all that have a ``warmup_factor``.

    Raises:
        ConfigError: If ``num_iters`` is negative. Before training: if
            ``num_iters`` or ``losses`` is given and no such loss is there.
    """

    priority = 'NORMAL'

    def __init__(
        self,
        num_iters: Optional[int] = None,
        losses: Optional[Sequence[str]] = None,
    ) -> None:
        if num_iters is not None and num_iters < 0:
            raise ConfigError(
                f'LossWarmupHook has num_iters={num_iters}',
                fix='use the number of iterations, or 0 for no warm-up',
            )
        self.num_iters = num_iters
        self.losses = None if losses is None else list(losses)
        self._modules: List[Any] = []

    def before_train(self, runner: Any) -> None:
        """Find the losses."""
        found: Dict[str, List[Any]] = {}
        for module in runner.model.modules():
            if hasattr(module, 'warmup_factor'):
                found.setdefault(type(module).__name__, []).append(module)
        wanted = list(found) if self.losses is None else self.losses
        missing = [name for name in wanted if name not in found]
        asked = self.losses is not None or self.num_iters is not None
        if missing or (asked and not found):
            raise ConfigError(
                f'LossWarmupHook finds no {missing or "loss"} with a '
                f'warmup_factor in the model, which has {list(found)}',
                fix='name losses of mask_losses, or take the hook out',
            )
        self._modules = [m for name in wanted for m in found[name]]

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Set the factors."""
        for module in self._modules:
            num_iters = self.num_iters
            if num_iters is None:
                num_iters = getattr(module, 'warmup_iters', 0)
            # runner.iter counts finished iterations.
            module.warmup_factor = linear_warmup(runner.iter + 1, num_iters)
