"""Labels from logits; the merge has its tests with the propagator."""

import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.models.vos import label_map, merge_groups


def test_labels_of_the_objects_there_are():
    logits = torch.full((11, 1, 3), -1e10)
    logits[:3, 0] = torch.tensor([[0.0, 1, 0], [2, 0, 0], [1, 3, -1]])
    assert label_map(logits, 2).tolist() == [[1, 2, 0]]
    assert label_map(logits, 1).tolist() == [[1, 0, 0]]
    assert label_map(logits, 2).dtype == torch.long


@pytest.mark.parametrize('count', [3, 10, 13, 20, 25])
def test_places_beyond_never_win(count):
    groups = -(-count // 10)
    generator = torch.Generator().manual_seed(count)
    logits = 8 * torch.randn(groups, 11, 30, 40, generator=generator)
    free = 10 * groups - count
    if free:
        logits[-1, -free:] = -1e10
    merged = merge_groups(logits)
    assert torch.equal(label_map(merged, count), merged.argmax(0))
