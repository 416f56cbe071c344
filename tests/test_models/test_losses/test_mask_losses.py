from dataclasses import replace

import pytest
import torch
from torch import nn

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.models.losses.mask_losses import MaskLosses
from pmvis_mm.registry import MODELS
from pmvis_mm.structures.mask_targets import MaskTargets

PROJ = dict(type='BoxProjectionLoss', loss_weight=2.0)
PAIRWISE = dict(type='PairwiseAffinityLoss', sync_avg_factor=True)


def test_losses_are_named_and_told_how_to_count():
    losses = MaskLosses(dict(a=PROJ, b=PAIRWISE), sync_avg_factor=False)
    assert losses['a'].sync_avg_factor is False
    assert losses['b'].sync_avg_factor is True  # its own word counts
    boxes = torch.zeros(2, 1, 8, 8)
    boxes[:, :, 2:5, 3:6] = 1
    targets = MaskTargets(boxes, similarity=torch.ones(1, 1, 8, 8, 8))
    logits = torch.linspace(-2, 2, 128).view(2, 1, 8, 8)
    found = losses(logits, targets)
    assert list(found) == ['loss_a', 'loss_b']
    alone = MODELS.build(dict(PROJ, sync_avg_factor=False))
    assert torch.equal(found['loss_a'], alone(logits, targets))
    # A config is not changed by building it.
    assert PROJ == dict(type='BoxProjectionLoss', loss_weight=2.0)


def test_none():
    for losses in (MaskLosses(), MaskLosses({})):
        assert losses(torch.zeros(1, 1, 4, 4), None) == {}
        assert not losses.needs('masks')
        assert losses.state_dict() == {}


def test_needs_of_any_loss():
    losses = MaskLosses(dict(a=PROJ, b=PAIRWISE))
    assert losses.needs('similarity') and not losses.needs('masks')
    assert not MaskLosses(dict(a=PROJ)).needs('similarity')
    losses['b'].needs_images = True  # of an instance
    assert losses.needs('images') and not losses.needs('lab')


def test_losses_prepare_targets_once_for_all():
    class Counting(nn.Module):
        def prepare(self, targets):
            return replace(
                targets, similarity_dilation=targets.similarity_dilation + 1
            )

    losses = MaskLosses(dict(a=PROJ))
    losses['b'], losses['c'] = Counting(), Counting()
    targets = MaskTargets(torch.zeros(0, 1, 4, 4))
    assert losses.prepare(targets).similarity_dilation == 4
    assert targets.similarity_dilation == 2
