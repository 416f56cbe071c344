"""Selection to full-size masks, against the public code of IDOL."""

from pathlib import Path
from typing import Dict, Optional

import numpy as np
import pytest
import torch

from pmvis_mm.models import IDOLTracker, TrackRecords
from pmvis_mm.models.utils import full_size_masks, select_queries
from pmvis_mm.testing.golden import golden_dir, golden_files

_PATTERN = 'idol_tracker_*.npz'
_NOT_SELECTED = -3


def _cases() -> list:
    files = golden_files(_PATTERN)
    if files:
        return [pytest.param(path, id=path.stem) for path in files]
    reason = f'no {_PATTERN} in {golden_dir()}'
    return [pytest.param(None, marks=pytest.mark.skip(reason=reason))]


def _tracker(params: list) -> IDOLTracker:
    _, nms_pre, new_score, memory_len, use_fw, use_tw = params[:6]
    return IDOLTracker(
        new_score_thr=new_score,
        mask_nms_thr=nms_pre,
        memory_len=int(memory_len),
        temporal_weight=bool(use_tw),
        frame_weight=bool(use_tw or use_fw),
    )


def _unpack(gold: Dict[str, np.ndarray]) -> np.ndarray:
    width = int(gold['ori_size'][1])
    return np.unpackbits(gold['out_masks'], axis=-1, count=width).astype(bool)


@pytest.mark.parametrize('path', _cases())
def test_idol_tracker(path: Optional[Path]):
    assert path is not None
    with np.load(path) as file:
        gold = {key: file[key] for key in file.files}
    # Stored as float32: 0.1 means 0.1.
    params = [round(float(value), 6) for value in gold['params']]
    img_shape, ori_shape = (
        tuple(gold[key].tolist()) for key in ('image_size', 'ori_size')
    )
    tracker, records = _tracker(params), TrackRecords()
    scores = torch.from_numpy(gold['pred_logits']).sigmoid()
    logits = torch.from_numpy(gold['pred_masks'])[:, :, 0]
    query_of = []
    for frame in range(len(scores)):
        chosen = select_queries(
            scores[frame],
            torch.from_numpy(gold['pred_boxes'][frame]),
            score_thr=params[0],
        )
        ids = tracker.track(
            frame,
            scores[frame, chosen].max(1).values,
            torch.from_numpy(gold['pred_inst_embed'][frame])[chosen],
            logits[frame, chosen],
        )
        records.add(frame, ids, scores[frame, chosen])
        _check_frame(gold['track_ids'][frame], chosen.numpy(), ids.numpy())
        query_of.append(dict(zip(ids.tolist(), chosen.tolist())))
    results = records.finish(bool(params[6]), params[7])
    assert results.labels.tolist() == gold['out_labels'].tolist()
    np.testing.assert_allclose(
        results.scores.numpy(), gold['out_scores'], rtol=0, atol=1e-5
    )
    masks = np.zeros((len(results), len(scores), *ori_shape), bool)
    areas = np.full(masks.shape[:2], -1)
    for row in range(len(results)):
        track_id = int(results.instances_id[row])
        for frame in range(int(results.start_frames[row]), len(scores)):
            query = query_of[frame].get(track_id)
            if query is not None:
                masks[row, frame] = full_size_masks(
                    logits[frame, query][None], img_shape, ori_shape
                )[0].numpy()
                areas[row, frame] = masks[row, frame].sum()
    assert np.array_equal(masks, _unpack(gold))
    # -1 where a track is absent.
    assert np.array_equal(areas, gold['out_areas'])


def _check_frame(expected: np.ndarray, chosen: np.ndarray, ids: np.ndarray):
    """Compare ids; what the reference kept must have been selected."""
    got = np.full(len(expected), -1)
    got[chosen] = ids
    assert got.tolist() == expected.clip(min=-1).tolist()
    assert np.isin(np.nonzero(expected > _NOT_SELECTED)[0], chosen).all()
