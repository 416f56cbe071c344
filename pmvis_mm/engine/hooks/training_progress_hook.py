"""Tell models how far training has come."""

from typing import Any, List

from mmengine.hooks import Hook

from ...registry import HOOKS
from ...utils.errors import ConfigError


@HOOKS.register_module()
class TrainingProgressHook(Hook):
    """Sets the ``progress`` of a model before each iteration.

    Finished iterations by all iterations: 0 in the first one, just below 1
    in the last one. It follows from the runner's iteration, of which
    ``resume`` knows and ``load_from`` does not; nothing is stored.

    Raises:
        ConfigError: Before training, if nothing in the model has a
            ``progress``.
    """

    priority = 'NORMAL'

    def __init__(self) -> None:
        self._modules: List[Any] = []

    def before_train(self, runner: Any) -> None:
        """Find the modules that want to know."""
        self._modules = [
            module
            for module in runner.model.modules()
            if hasattr(module, 'progress')
        ]
        if not self._modules:
            raise ConfigError(
                'TrainingProgressHook finds no module with a progress in '
                'the model',
                fix='take the hook out; it is for DeAOTSegmentor',
            )

    def before_train_iter(
        self, runner: Any, batch_idx: int, data_batch: Any = None
    ) -> None:
        """Set the progress."""
        for module in self._modules:
            module.progress = runner.iter / runner.max_iters
