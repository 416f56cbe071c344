"""Mixed precision where mmengine's wrapper wants a GPU."""

from contextlib import contextmanager
from typing import Iterator

import torch
from mmengine.optim import OptimWrapper
from mmengine.runner.amp import autocast
from torch import nn

from ..registry import OPTIM_WRAPPERS
from ..utils.errors import ConfigError


@OPTIM_WRAPPERS.register_module()
class BFloat16OptimWrapper(OptimWrapper):
    """Computes losses with ``bfloat16`` autocast, on the CPU too.

    ``AmpOptimWrapper`` refuses to run without a GPU. ``bfloat16`` has the
    range of ``float32``, so that no loss is scaled. Parameters and their
    gradients stay ``float32``.

    Args:
        kwargs: Passed to ``OptimWrapper``.
    """

    @contextmanager
    def optim_context(self, model: nn.Module) -> Iterator[None]:
        """Compute the losses of one iteration with autocast.

        Args:
            model (nn.Module): The model in training.

        Raises:
            ConfigError: If an operation of the model has no ``bfloat16``.
        """
        with super().optim_context(model), autocast(dtype=torch.bfloat16):
            try:
                yield
            except RuntimeError as error:
                if 'BFloat16' not in str(error):
                    raise
                # On the CPU: mmcv's RoIAlign, for one.
                raise ConfigError(
                    f'{type(model).__name__} has an operation without '
                    f'bfloat16: {error}',
                    fix='leave --amp out',
                ) from error
