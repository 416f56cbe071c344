"""IDOL with the weights and settings of a golden file."""

import json
from pathlib import Path
from typing import Any, Dict, Mapping, Union

import numpy as np
from mmengine.config import Config
from mmengine.model import BaseModel
from mmengine.registry import DefaultScope

from ..registry import MODELS
from ..utils.checkpoint import load_weights
from ..utils.vnext_names import vnext_to_mm
from .vnext_weights import closed_form_state_dict

# Settings of the public code by their place in our config.
_OPTIONS: Mapping[str, str] = {
    'MODEL.IDOL.NUM_CLASSES': 'model.detector.bbox_head.num_classes',
    'MODEL.IDOL.NMS_PRE': 'model.tracker.mask_nms_thr',
    'MODEL.IDOL.ADD_NEW_SCORE': 'model.tracker.new_score_thr',
    'MODEL.IDOL.MEMORY_LEN': 'model.tracker.memory_len',
    'MODEL.IDOL.INFERENCE_SELECT_THRES': 'model.test_cfg.score_thr',
    'MODEL.IDOL.BATCH_INFER_LEN': 'model.test_cfg.chunk_size',
    'MODEL.IDOL.MULTI_CLS_ON': 'model.test_cfg.multi_class',
    'MODEL.IDOL.APPLY_CLS_THRES': 'model.test_cfg.class_score_thr',
    'MODEL.IDOL.TEMPORAL_SCORE_TYPE': 'model.test_cfg.temporal_score',
}


def golden_idol(
    path: Union[str, Path], base_config: Union[str, Path]
) -> BaseModel:
    """Build IDOL as the reference was for a golden file.

    Args:
        path (str | Path): ``idol_r50_*.npz``; its json lies beside it.
        base_config (str | Path): Our config of the R-50 model.

    Returns:
        BaseModel: With its weights, in evaluation mode.

    Raises:
        ValueError: If the file uses a setting that is not known here.
    """
    about = json.loads(Path(path).with_suffix('.json').read_text())
    cfg = Config.fromfile(base_config)
    cfg.merge_from_dict(dict(_overrides(about['config'])))
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        model = MODELS.build(cfg.model)
    state_dict, _ = vnext_to_mm(closed_form_state_dict(about['params']))
    load_weights(model, state_dict, path)
    return model.eval()


def _overrides(config: Mapping[str, Any]) -> Dict[str, Any]:
    """Translate the reference's config."""
    values: Dict[str, Any] = {'MODEL.IDOL.NUM_CLASSES': config['num_classes']}
    if config['yaml'].startswith('ovis'):
        values['MODEL.IDOL.NMS_PRE'] = 0.3
        values['MODEL.IDOL.ADD_NEW_SCORE'] = 0.3
    options = config.get('options') or []
    values.update(zip(options[::2], options[1::2]))
    unknown = sorted(set(values) - set(_OPTIONS))
    if unknown:
        raise ValueError(f'{unknown} are not known here')
    return {_OPTIONS[key]: _parsed(value) for key, value in values.items()}


def _parsed(value: Any) -> Any:
    """Read numbers and flags that came from a command line."""
    if not isinstance(value, str):
        return value
    if value in ('True', 'False'):
        return value == 'True'
    try:
        number = float(value)
    except ValueError:
        return value
    return int(number) if number.is_integer() and '.' not in value else number


def unpack_masks(packed: np.ndarray, width: int) -> np.ndarray:
    """Unpack masks that are packed along their last axis.

    Args:
        packed (np.ndarray): uint8, (..., h, ceil(width / 8)).
        width (int): Width of the masks.

    Returns:
        np.ndarray: bool, (..., h, width).
    """
    bits = np.unpackbits(packed, axis=-1)[..., :width]
    return bits.astype(bool)
