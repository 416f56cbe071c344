import pytest
import torch

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.models.losses import SoftJaccardLoss, soft_jaccard_loss
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import PMVISError


def from_probabilities(rows):
    """Logits (1, C, 1, N) of a list of N lists of C probabilities."""
    return torch.tensor(rows).T[None, :, None].log()


def test_hand_value():
    logits = from_probabilities([[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]])
    labels = torch.tensor([[[0, 1, 1]]])
    # Background: .7 / (1.4 + 1 - .7); object: 1.3 / (1.6 + 2 - 1.3).
    expected = (1 - 0.7 / 1.7 + 1 - 1.3 / 2.3) / 2
    found = soft_jaccard_loss(logits, labels)
    assert found.item() == pytest.approx(expected, rel=1e-5)
    assert SoftJaccardLoss(loss_weight=0.5)(
        logits, labels
    ).item() == pytest.approx(expected / 2, rel=1e-5)


def test_labels_that_are_not_there_do_not_count():
    logits = from_probabilities([[0.6, 0.3, 0.1], [0.1, 0.7, 0.2]])
    labels = torch.tensor([[[1, 1]]])
    found = soft_jaccard_loss(logits, labels)
    assert found.item() == pytest.approx(1 - 1.0 / 2.0, rel=1e-5)


def test_ignored_pixels_are_not_there():
    rows = [[0.7, 0.3], [0.2, 0.8], [0.5, 0.5]]
    labels = torch.tensor([[[0, 1, 255]]])
    found = soft_jaccard_loss(from_probabilities(rows), labels)
    expected = soft_jaccard_loss(from_probabilities(rows[:2]), labels[..., :2])
    torch.testing.assert_close(found, expected)
    # Also if the ignored label could be a channel.
    labels[labels == 255] = 1
    labels[..., 0] = 0
    alone = soft_jaccard_loss(from_probabilities(rows), labels, ignore_index=1)
    assert alone.item() == pytest.approx(0.3, rel=1e-4)  # 1 - .7 / 1


def test_equals_a_loop_over_maps_and_labels():
    torch.manual_seed(0)
    logits, labels = torch.randn(3, 5, 6, 7), torch.randint(0, 4, (3, 6, 7))
    labels[0, :2], labels[2] = 255, 255
    per_map = []
    for scores, truth in zip(logits.double(), labels):
        known = truth != 255
        prob = scores.softmax(0)[:, known]
        terms = []
        for label in truth[known].unique():
            g = (truth[known] == label).double()
            p = prob[label]
            both = (p * g).sum()
            wrong = (p * (1 - g)).sum() + ((1 - p) * g).sum()
            terms.append(1 - both / (both + wrong))
        per_map.append(sum(terms) / max(1, len(terms)))
    found = soft_jaccard_loss(logits, labels)
    assert per_map[2] == 0
    assert found.item() == pytest.approx(float(sum(per_map)) / 3, rel=1e-5)


def test_hidden_channels_are_not_part_of_the_softmax():
    torch.manual_seed(0)
    logits = torch.randn(1, 4, 3, 3, requires_grad=True)
    labels = torch.randint(0, 2, (1, 3, 3))
    valid = torch.tensor([[True, True, False, False]])
    found = soft_jaccard_loss(logits, labels, valid)
    torch.testing.assert_close(found, soft_jaccard_loss(logits[:, :2], labels))
    found.backward()
    assert logits.grad[:, 2:].abs().max() == 0


def test_nothing_known_and_no_map():
    logits = torch.zeros(2, 3, 4, 4, requires_grad=True)
    loss = soft_jaccard_loss(logits, torch.full((2, 4, 4), 255))
    loss.backward()
    assert loss.item() == 0 and logits.grad.abs().max() == 0
    loss = soft_jaccard_loss(logits[:0], torch.zeros(0, 4, 4).long())
    assert loss.item() == 0


def test_bad_input_and_config():
    with pytest.raises(PMVISError, match=r'logits \(2, 3\).*do not fit.*Fix'):
        soft_jaccard_loss(torch.zeros(2, 3), torch.zeros(2).long())
    loss = MODELS.build(dict(type='SoftJaccardLoss', loss_weight=0.5))
    assert 'eps=1e-06, loss_weight=0.5' in repr(loss)
