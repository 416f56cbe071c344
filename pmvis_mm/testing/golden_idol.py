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

_LOSSES = 'model.mask_head.mask_losses'
_HEAD = 'model.detector.bbox_head'
# Settings of the public code by their place in our config.
_OPTIONS: Mapping[str, str] = {
    'MODEL.IDOL.NUM_OBJECT_QUERIES': 'model.detector.num_queries',
    'MODEL.IDOL.ENC_LAYERS': 'model.detector.encoder.num_layers',
    'MODEL.IDOL.DEC_LAYERS': 'model.detector.decoder.num_layers',
    'MODEL.IDOL.MASK_WEIGHT': f'{_LOSSES}.focal.loss_weight',
    'MODEL.IDOL.DICE_WEIGHT': f'{_LOSSES}.dice.loss_weight',
    'MODEL.IDOL.CLASS_WEIGHT': f'{_HEAD}.loss_cls.loss_weight',
    'MODEL.IDOL.L1_WEIGHT': f'{_HEAD}.loss_bbox.loss_weight',
    'MODEL.IDOL.GIOU_WEIGHT': f'{_HEAD}.loss_iou.loss_weight',
    'MODEL.IDOL.REID_WEIGHT': 'model.track_head.loss_reid.loss_weight',
    'MODEL.IDOL.INFERENCE_TW': 'model.tracker.temporal_weight',
    'MODEL.IDOL.INFERENCE_FW': 'model.tracker.frame_weight',
    'MODEL.IDOL.NUM_CLASSES': f'{_HEAD}.num_classes',
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
    ours = {_OPTIONS[key]: _parsed(value) for key, value in values.items()}
    reid = ours.get(_OPTIONS['MODEL.IDOL.REID_WEIGHT'])
    if reid is not None:
        ours['model.track_head.loss_reid_aux.loss_weight'] = 1.5 * reid
    # There either of the two switches hit counts on.
    either = [
        ours.get(f'model.tracker.{x}_weight') for x in ('temporal', 'frame')
    ]
    ours['model.tracker.frame_weight'] = either != [False, False]
    return ours


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
