"""Finding masks in what is given to a model."""

from typing import Any, Iterator, List, Mapping, Set, Tuple

import numpy as np
import torch
from mmdet.structures.mask import BaseInstanceMasks
from mmengine.structures import BaseDataElement

_TELLING = ('mask', 'segm')


def find_masks(obj: Any) -> List[str]:
    """Search for masks and segmentations in a packed sample.

    Walks over dicts, sequences, mmengine's data elements with their
    metainfo, and attributes of any other object. Reported are

    - mmdet's ``BitmapMasks`` and ``PolygonMasks``, even if empty,
    - RLE dicts (``size`` and ``counts``),
    - boolean arrays and tensors with two or more dimensions,
    - any array, tensor, text or non-empty container below a key whose name
      contains 'mask' or 'segm'.

    Args:
        obj (object): For example what a pipeline returns.

    Returns:
        list[str]: Where they are, such as
        ``data_samples.video_data_samples[0].gt_instances.masks``.
    """
    return list(_walk(obj, '', set()))


def _walk(obj: Any, path: str, seen: Set[int]) -> Iterator[str]:
    name = path.rsplit('.', 1)[-1].lower()
    if _is_mask(obj) or (
        any(word in name for word in _TELLING) and _has_content(obj)
    ):
        yield path or type(obj).__name__
        return
    if id(obj) in seen:
        return
    seen.add(id(obj))
    for step, child in _children(obj):
        yield from _walk(child, (path + step).lstrip('.'), seen)


def _is_mask(obj: Any) -> bool:
    if isinstance(obj, BaseInstanceMasks):
        return True
    if isinstance(obj, Mapping):
        return 'counts' in obj and 'size' in obj
    if isinstance(obj, np.ndarray):
        return obj.dtype == bool and obj.ndim >= 2
    if isinstance(obj, torch.Tensor):
        return obj.dtype == torch.bool and obj.ndim >= 2
    return False


def _has_content(obj: Any) -> bool:
    """Whether something below a telling key can hold a mask.

    A switch such as ``with_mask=False`` cannot.
    """
    if isinstance(obj, (np.ndarray, torch.Tensor)):
        return True
    if isinstance(obj, (str, bytes, Mapping, list, tuple, set)):
        return len(obj) > 0
    return False


def _children(obj: Any) -> Iterator[Tuple[str, Any]]:
    if isinstance(obj, (np.ndarray, torch.Tensor, str, bytes, type)):
        if isinstance(obj, np.ndarray) and obj.dtype == object:
            yield from ((f'[{i}]', v) for i, v in enumerate(obj.flat))
    elif isinstance(obj, BaseDataElement):
        yield from ((f'.{k}', v) for k, v in obj.all_items())
    elif isinstance(obj, Mapping):
        yield from ((f'.{k}', v) for k, v in obj.items())
    elif isinstance(obj, (list, tuple, set, frozenset)):
        yield from ((f'[{i}]', v) for i, v in enumerate(obj))
    elif not callable(obj):
        yield from (
            (f'.{k}', v) for k, v in getattr(obj, '__dict__', {}).items()
        )
