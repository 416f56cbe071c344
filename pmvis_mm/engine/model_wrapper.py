"""Model wrappers."""

from typing import Any

from mmengine.model import BaseModel
from torch import nn

from ..registry import MODEL_WRAPPERS


@MODEL_WRAPPERS.register_module()
class NoGradModelWrapper(nn.Module):
    """Lets a model without trainable parameters run in several processes.

    ``DistributedDataParallel`` refuses a module that has no parameter to
    synchronise, such as most mask sources.

    Args:
        module (BaseModel): The model.
        **kwargs: Ignored; what mmengine passes to every wrapper.
    """

    def __init__(self, module: BaseModel, **kwargs: Any) -> None:
        super().__init__()
        self.module = module

    def forward(self, *args: Any, **kwargs: Any) -> Any:
        """Call the model."""
        return self.module(*args, **kwargs)

    def test_step(self, data: Any) -> Any:
        """Call the model's ``test_step``."""
        return self.module.test_step(data)

    def val_step(self, data: Any) -> Any:
        """Call the model's ``val_step``."""
        return self.module.val_step(data)
