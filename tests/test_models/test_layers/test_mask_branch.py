"""Mask features from several levels."""

import torch
import torch.nn.functional as F

from pmvis_mm.models.layers import MaskBranch


def test_case_19_sizes_and_sign():
    torch.manual_seed(0)
    branch = MaskBranch(256)
    branch.init_weights()
    levels = [torch.randn(2, 256, 24 // s, 40 // s) for s in (1, 2, 4)]
    features = branch(levels)
    assert features.shape == (2, 8, 24, 40)
    assert features.min() >= 0 and features.max() > 0
    assert sum(p.numel() for p in branch.parameters()) == 1_922_376
    assert all(conv.bias.abs().max() == 0 for conv in branch.fuse_convs)


def test_coarse_to_fine_by_hand():
    torch.manual_seed(1)
    branch = MaskBranch(4, out_channels=2, num_levels=2)
    fine, coarse = torch.randn(1, 4, 5, 7), torch.randn(1, 4, 3, 4)
    first, second = branch.fuse_convs
    value = F.relu(first(coarse))
    value = F.relu(second(fine + F.interpolate(value, (5, 7))))
    for conv in branch.out_convs:
        value = F.relu(conv(value))
    torch.testing.assert_close(branch([fine, coarse]), value)
