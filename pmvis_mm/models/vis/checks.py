"""What the parts of a model must have in common."""

from typing import Any, Callable, Dict, Mapping, Optional, Tuple

from mmdet.structures import SampleList
from torch import nn

from ...utils.errors import ConfigError

# What losses read, the option of the preprocessor that gives it, how to
# switch it on, and what it is.
_INPUTS: Tuple[Tuple[str, str, str, str], ...] = (
    ('similarity', 'similarity', 'dict()', 'the colour similarity of'),
    ('lab', 'temporal', 'dict()', 'the colours (lab) of all'),
    ('images', 'temporal', 'dict(images=True)', 'the raw images of all'),
)


def check_loss_inputs(
    needs: Callable[[str], bool], data_preprocessor: Optional[nn.Module]
) -> None:
    """Refuse losses that read what no one computes.

    Args:
        needs (Callable): Says whether a loss reads 'similarity', 'lab' or
            'images', see ``DynamicMaskHead.needs``.
        data_preprocessor (nn.Module, optional): Of the model.

    Raises:
        ConfigError: If the data preprocessor does not compute it.
    """
    for name, option, value, what in _INPUTS:
        found: Any = getattr(data_preprocessor, option, None)
        if name == 'images':
            found = found and found.get(name)
        if needs(name) and not found:
            raise ConfigError(
                f'a mask loss needs {what} frames, but the data preprocessor '
                'does not compute it',
                fix="set data_preprocessor=dict(type='VISDataPreprocessor', "
                f'{option}={value}, ...)',
            )


def check_same_size(key_samples: SampleList, ref_samples: SampleList) -> None:
    """Refuse clips whose two frames were cropped or scaled differently.

    Args:
        key_samples (list[DetDataSample]): Key frames, with ``img_shape``.
        ref_samples (list[DetDataSample]): Their reference frames.

    Raises:
        ConfigError: If the sizes differ.
    """
    for key, ref in zip(key_samples, ref_samples):
        sizes = [tuple(frame.img_shape[:2]) for frame in (key, ref)]
        if sizes[0] != sizes[1]:
            raise ConfigError(
                'a mask loss compares the two frames of a clip pixel by '
                f'pixel, but their heights and widths are {sizes[0]} and '
                f'{sizes[1]}',
                video=key.get('video_id'),
                frame=key.get('frame_id'),
                fix='crop and scale all frames of a clip alike '
                '(share_random_params=True), as '
                'configs/_base_/pipelines/pseudo_tube.py does',
            )


def check_test_cfg(
    test_cfg: Optional[Mapping[str, Any]], defaults: Mapping[str, Any]
) -> Dict[str, Any]:
    """Complete options of testing.

    Args:
        test_cfg (Mapping, optional): Those that were given.
        defaults (Mapping): Of all options.

    Returns:
        dict: All of them.

    Raises:
        ConfigError: If one is unknown.
    """
    unknown = sorted(set(test_cfg or {}) - set(defaults))
    if unknown:
        raise ConfigError(
            f'test_cfg has unknown options {unknown}',
            fix=f'choose from {sorted(defaults)}',
        )
    return {**defaults, **(test_cfg or {})}
