import torch

from pmvis_mm.models.temporal_matchers.candidates import (
    candidate_index,
    list_pairs,
)


def test_candidate_index_by_hand():
    # 0 1 2
    # 3 4 5
    found = candidate_index([(-1, 0), (0, 0), (0, 2)], (2, 3))
    assert found.tolist() == [
        [-1, 0, 2],
        [-1, 1, -1],
        [-1, 2, -1],
        [0, 3, 5],
        [1, 4, -1],
        [2, 5, -1],
    ]


def test_candidate_index_further_than_the_map():
    found = candidate_index([(-9, 0), (0, 0), (0, 9)], (2, 2))
    assert found.tolist() == [[-1, p, -1] for p in range(4)]


def test_list_pairs_by_hand():
    candidates = candidate_index([(0, 0), (0, 1)], (1, 2))
    assert candidates.tolist() == [[0, 1], [1, -1]]
    # 2 clips, 2 connections, 2 pixels, 2 candidates.
    keep = torch.zeros(2, 2, 2, 2, dtype=torch.bool)
    keep[0, 0, 0, 1] = True  # frame 1, pixel 0 -> frame 0, pixel 1
    keep[0, 1, 1, 0] = True  # frame 0, pixel 1 -> frame 2, pixel 1
    keep[1, 1, 0] = True  # frame 0, pixel 0 -> frame 2, pixels 0 and 1
    keep[1, 1, 1, 1] = True  # frame 0, pixel 1 -> outside
    found = list_pairs(keep, candidates, [(0, 1), (2, 0)], (3, 1, 2))
    assert found.counts.tolist() == [[1, 1], [0, 3]]
    assert found.centers.tolist() == [2, 1, 0, 0, 1]
    assert found.partners.tolist() == [[1], [5], [4], [5], [-1]]
    assert found.shape == (3, 1, 2) and found.weights is None
    assert found.connections == [(0, 1), (2, 0)]


def test_candidates_per_clip():
    keep = torch.ones(2, 1, 2, 1, dtype=torch.bool)
    candidates = torch.tensor([[0, 1], [1, 0]])[:, None, :, None]
    found = list_pairs(keep, candidates, [(1, 0)], (2, 1, 2))
    assert found.partners[:, 0].tolist() == [2, 3, 3, 2]


def test_no_connections():
    keep = torch.zeros(2, 0, 4, 3, dtype=torch.bool)
    found = list_pairs(keep, torch.zeros(4, 3).long(), [], (1, 2, 2))
    assert len(found) == 0 and found.counts.shape == (2, 0)
    assert found.partners.shape == (0, 1)
