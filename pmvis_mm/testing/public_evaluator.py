"""mmdet's copy of the public YouTube-VIS evaluator, to compare with."""

import contextlib
import copy
import io
import time
from typing import Any, Dict, List, Mapping, Tuple

import numpy as np

# Place of each number among the twelve of ``stats``.
PLACES = {
    'AP': 0,
    'AP50': 1,
    'AP75': 2,
    'AP_small': 3,
    'AP_medium': 4,
    'AP_large': 5,
    'AR1': 6,
    'AR10': 7,
    'AR_small': 9,
    'AR_medium': 10,
    'AR_large': 11,
}


def judge_publicly(
    data: Mapping[str, Any], found: List[Dict[str, Any]], scale: float = 1.0
) -> Tuple[Any, float]:
    """Run the public evaluator, without what it prints.

    Args:
        data (Mapping): Content of a YouTube-VIS json; not changed.
        found (list[dict]): Entries of a results.json; not changed.
        scale (float): Sizes of objects count in pixels times this, so that
            small frames have large objects too. Defaults to 1.

    Returns:
        tuple: The ``YTVISeval`` after all its steps, with ``stats``, and
        seconds of CPU time that they took.
    """
    if not hasattr(np, 'float'):  # mmdet 3.3 asks for what numpy removed
        np.float = float  # type: ignore[attr-defined]
    from mmdet.evaluation.functional import YTVIS, YTVISeval

    data, found = copy.deepcopy(data), copy.deepcopy(found)
    with contextlib.redirect_stdout(io.StringIO()):
        truth = YTVIS(data)
        begin = time.process_time()
        judge = YTVISeval(truth, truth.loadRes(found), 'segm')
        judge.params.areaRng = [
            [low / scale, high / scale] for low, high in judge.params.areaRng
        ]
        judge.evaluate()
        judge.accumulate()
        judge.summarize()
        seconds = time.process_time() - begin
    return judge, seconds
