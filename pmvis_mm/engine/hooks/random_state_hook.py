"""Let a resumed run draw the random numbers of an unbroken one."""

from typing import Any, Dict, List, Optional

import torch
from mmengine.hooks import Hook
from mmengine.logging import print_log
from torch import Tensor

from ...registry import HOOKS

_KEY = 'random_state'


@HOOKS.register_module()
class RandomStateHook(Hook):
    """Keeps the state of torch's random generators in the checkpoints.

    Dropout and sampled negatives of a resumed run are then those of an
    unbroken one, validated or not. Order and augmentation of the data are
    mmengine's business: with ``randomness.seed`` and at least one loader
    process it repeats them when it skips the batches that were seen.

    The checkpoint is the first process' and holds its state. Of several
    processes only this one goes on exactly; the others start from the same
    state, as they do with one ``randomness.seed`` for all.
    """

    # After the batch was fetched, before the model sees it.
    priority = 'VERY_LOW'

    def __init__(self) -> None:
        self._pending: Optional[Dict[str, Any]] = None
        self._before_val: Optional[Tensor] = None

    def before_save_checkpoint(
        self, runner: Any, checkpoint: Dict[str, Any]
    ) -> None:
        """Add the states.

        Args:
            runner (Runner): Not used.
            checkpoint (dict): Gets ``random_state``: ``cpu``, a ByteTensor,
                and ``cuda``, a list of one or none.
        """
        cuda: List[Tensor] = []
        if torch.cuda.is_available():
            cuda.append(torch.cuda.get_rng_state())
        checkpoint[_KEY] = dict(cpu=torch.get_rng_state(), cuda=cuda)

    def after_load_checkpoint(
        self, runner: Any, checkpoint: Dict[str, Any]
    ) -> None:
        """Take the states out; they count only where a run is resumed."""
        self._pending = checkpoint.get(_KEY)

    def before_train(self, runner: Any) -> None:
        """Forget states of a checkpoint that a run merely starts from."""
        if runner.iter == 0:
            self._pending = None
        elif self._pending is None:
            print_log(
                'the checkpoint has no random_state: dropout and sampling '
                'differ from those of an unbroken run',
                'current',
            )

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Set the states before the first resumed iteration."""
        if self._pending is None:
            return
        state, self._pending = self._pending, None
        # The loader may have moved them to a GPU.
        torch.set_rng_state(state['cpu'].cpu())
        if state['cuda'] and torch.cuda.is_available():
            torch.cuda.set_rng_state(state['cuda'][0].cpu())

    def before_val(self, runner: Any) -> None:
        """Remember the state: a loader that starts takes a number."""
        self._before_val = torch.get_rng_state()

    def after_val(self, runner: Any) -> None:
        """Go on as if there had been no validation."""
        if self._before_val is not None:
            torch.set_rng_state(self._before_val)
            self._before_val = None
