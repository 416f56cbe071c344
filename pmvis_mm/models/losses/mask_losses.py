"""The mask losses of a head, by name."""

from typing import Any, Dict, Mapping, Optional

from torch import Tensor, nn

from ...registry import MODELS
from ...structures.mask_targets import MaskTargets
from .utils import prepare_targets


class MaskLosses(nn.ModuleDict):
    """Losses that take ``(mask_logits, MaskTargets)``, built from a config.

    Args:
        configs (dict[str, dict], optional): Configs of losses by the name
            that appears in logs as ``loss_<name>``; None for one that a base
            config has and this one is to do without. Defaults to None: none.
        sync_avg_factor (bool): Passed to each loss that does not say so
            itself: whether its normaliser is counted over all processes.
            Defaults to True.
    """

    def __init__(
        self,
        configs: Optional[Mapping[str, Optional[Mapping[str, Any]]]] = None,
        sync_avg_factor: bool = True,
    ) -> None:
        default = dict(sync_avg_factor=sync_avg_factor)
        super().__init__(
            {
                name: MODELS.build(dict(default, **config))
                for name, config in (configs or {}).items()
                if config is not None
            }
        )

    def needs(self, what: str) -> bool:
        """Whether a loss reads something.

        Args:
            what (str): 'masks', 'similarity', 'lab', 'images' or 'tube'.

        Returns:
            bool: True if any loss says ``needs_<what>``.
        """
        return any(
            getattr(loss, f'needs_{what}', False) for loss in self.values()
        )

    def prepare(self, targets: MaskTargets) -> MaskTargets:
        """Let losses find, once per step, what all layers share.

        Args:
            targets (MaskTargets): Of all instances of the batch.

        Returns:
            MaskTargets: With what the losses have found.
        """
        return prepare_targets(self.values(), targets)

    def forward(
        self, mask_logits: Tensor, targets: MaskTargets
    ) -> Dict[str, Tensor]:
        """Compute all losses.

        Args:
            mask_logits (Tensor): float, (num_pos, T, h, w), before sigmoid.
            targets (MaskTargets): Rows matched to the predictions.

        Returns:
            dict[str, Tensor]: Scalars, ``loss_<name>``.
        """
        return {
            f'loss_{name}': loss(mask_logits, targets)
            for name, loss in self.items()
        }
