import os
import pickle
from collections import OrderedDict

import numpy as np
import pytest
import torch
from mmengine.logging import HistoryBuffer
from torch import nn

from pmvis_mm.utils.checkpoint import (
    compare_weights,
    load_weights,
    read_checkpoint,
)
from pmvis_mm.utils.errors import CheckpointError


class _Evil:
    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return os.system, (f'touch {self.path}',)


def test_reads_a_training_checkpoint(tmp_path):
    history = HistoryBuffer(np.arange(3.0), np.ones(3))
    data = dict(
        state_dict=OrderedDict(
            {'module.weight': torch.arange(6.0).half().view(2, 3)}
        ),
        meta=dict(epoch=2, dataset_meta=dict(classes=('a',))),
        message_hub=dict(log_scalars={'loss': history}),
        optimizer=dict(state={0: dict(step=torch.tensor(3.0))}),
    )
    path = tmp_path / 'epoch_2.pth'
    for zipped in (True, False):
        torch.save(data, path, _use_new_zipfile_serialization=zipped)
        content = read_checkpoint(path)
        assert sorted(content) == ['meta', 'state_dict']
        weight = content['state_dict']['weight']
        assert weight.dtype == torch.half
        assert weight.tolist() == [[0, 1, 2], [3, 4, 5]]
        assert content['meta']['dataset_meta'] == dict(classes=('a',))


def test_reads_bare_weights(tmp_path):
    path = tmp_path / 'bare.pth'
    torch.save(dict(weight=torch.ones(2), bias=torch.zeros(1)), path)
    content = read_checkpoint(str(path))
    assert content['meta'] == {}
    assert list(content['state_dict']) == ['weight', 'bias']


def test_reads_the_container_of_detectron2(tmp_path):
    path = tmp_path / 'model_final.pth'
    model = {'detr.weight': torch.ones(2)}
    torch.save(dict(model=model, optimizer=dict(state={})), path)
    content = read_checkpoint(path)
    assert list(content['state_dict']) == ['detr.weight']
    assert content['meta'] == {}
    # A weight of that name is no container.
    torch.save(dict(model=torch.ones(3)), path)
    assert read_checkpoint(path)['state_dict']['model'].tolist() == [1] * 3


@pytest.mark.parametrize('protocol', [0, 2, 4])
def test_reads_pickles_of_arrays_and_tensors(tmp_path, protocol):
    path = tmp_path / 'model_final.pkl'
    model = {
        'weight': np.arange(6, dtype='float32').reshape(2, 3).T,
        'index': np.arange(3),
        'foreign': np.arange(3, dtype='>f4'),
        'count': np.float32(7),
        'tensor': torch.arange(4).half(),
    }
    data = dict(
        model=model, __author__='third_party', matching_heuristics=True
    )
    path.write_bytes(pickle.dumps(data, protocol))
    weights = read_checkpoint(path)['state_dict']
    assert list(weights) == list(model)
    assert weights['weight'].tolist() == [[0, 3], [1, 4], [2, 5]]
    assert weights['weight'].dtype == torch.float32
    assert weights['index'].dtype == torch.int64
    assert weights['foreign'].tolist() == [0, 1, 2]
    assert weights['count'].shape == () and weights['count'] == 7
    assert weights['tensor'].dtype == torch.half
    assert weights['tensor'].tolist() == [0, 1, 2, 3]
    weights['weight'][0] = 1  # memory of its own, that can be written


def test_pickles_of_other_things_are_refused(tmp_path):
    path, trace = tmp_path / 'other.pkl', tmp_path / 'trace'
    for value in (
        np.array(['text']),
        np.array([[1], None], dtype=object),
        'text',
        _Evil(trace),
        HistoryBuffer(),
    ):
        path.write_bytes(pickle.dumps(dict(model=dict(weight=value))))
        with pytest.raises(CheckpointError, match=r'no weights.*other\.pkl'):
            read_checkpoint(path)
    whole = pickle.dumps(dict(model=dict(weight=np.ones(1000))))
    path.write_bytes(whole[:2000])
    with pytest.raises(CheckpointError, match=r'or cut off.*other\.pkl'):
        read_checkpoint(path)
    assert not trace.exists()


def test_never_runs_what_is_inside(tmp_path):
    path, trace = tmp_path / 'evil.pth', tmp_path / 'trace'
    data = dict(state_dict=dict(weight=torch.ones(1)), evil=_Evil(trace))
    torch.save(data, path)
    assert read_checkpoint(path)['state_dict']['weight'].tolist() == [1]
    path.write_bytes(pickle.dumps(_Evil(trace)))
    with pytest.raises(CheckpointError):
        read_checkpoint(path)
    assert not trace.exists()


@pytest.mark.parametrize(
    'content', [[1, 2], dict(state_dict={}), dict(epoch=3), {1: torch.ones(1)}]
)
def test_other_content_is_refused(tmp_path, content):
    path = tmp_path / 'other.pth'
    torch.save(content, path)
    with pytest.raises(CheckpointError, match=r'no weights.*other\.pth'):
        read_checkpoint(path)


def test_broken_and_missing_files_are_named(tmp_path):
    with pytest.raises(CheckpointError, match=r'does not exist.*gone\.pth'):
        read_checkpoint(tmp_path / 'gone.pth')
    path = tmp_path / 'cut.pth'
    torch.save(dict(weight=torch.ones(1000)), path)
    path.write_bytes(path.read_bytes()[:2000])
    with pytest.raises(CheckpointError, match=r'or cut off.*cut\.pth'):
        read_checkpoint(path)
    path.write_text('<html>not found</html>')
    with pytest.raises(CheckpointError, match='not a checkpoint'):
        read_checkpoint(path)


def test_missing_and_misshapen_weights_are_listed():
    model = nn.Linear(3, 2)
    with pytest.raises(
        CheckpointError, match=r'lacks.*: bias \(2,\) \[file x'
    ):
        load_weights(model, dict(weight=torch.ones(2, 3)), 'x')
    with pytest.raises(
        CheckpointError, match=r'weight \(4, 3\), the model ha'
    ):
        load_weights(
            model, dict(weight=torch.ones(4, 3), bias=torch.ones(2)), 'x'
        )
    many = nn.Sequential(*(nn.Linear(1, 1) for _ in range(5)))
    with pytest.raises(CheckpointError, match=r'3\.bias \(1,\) and 2 more'):
        load_weights(many, {}, 'x')


def test_unused_weights_and_old_counters_are_fine():
    model = nn.BatchNorm1d(2)
    state = {k: v + 1 for k, v in model.state_dict().items()}
    del state['num_batches_tracked']
    load_weights(model, dict(state, extra=torch.ones(1)), 'x')
    assert model.weight.tolist() == [2, 2]


def test_unused_weights_can_be_refused():
    model = nn.Linear(1, 1)
    state = {k: v + 1 for k, v in model.state_dict().items()}
    extra = dict(state, extra=torch.ones(1, 3))
    before = model.weight.item()
    with pytest.raises(
        CheckpointError, match=r'weights beyond the model: extra \(1, 3\)'
    ):
        load_weights(model, extra, 'x', allow_unused=False)
    assert model.weight.item() == before
    load_weights(model, state, 'x', allow_unused=False)
    assert model.weight.item() == before + 1


def head(*losses):
    """A model whose head keeps losses that learn."""
    model = nn.ModuleDict(dict(head=nn.Module()))
    model['head'].layer = nn.Linear(1, 1)
    model['head'].mask_losses = nn.ModuleDict(
        {name: nn.Linear(2, 1, bias=False) for name in losses}
    )
    return model


@pytest.mark.parametrize('ours, theirs', [(['tk'], []), ([], ['tk'])])
def test_losses_are_of_no_use_in_testing(ours, theirs):
    """Neither missing weights of losses matter nor those too many."""
    model, state = head(*ours), head(*theirs).state_dict()
    load_weights(model, state, 'x', allow_unused=False)
    assert torch.equal(model['head'].layer.weight, state['head.layer.weight'])
    (told,) = compare_weights(model, state).items()
    text = 'not in the file' if ours else 'that the model does not have'
    assert text in told[0]
    assert told[1] == ['head.mask_losses.tk.weight (1, 2)']
    # The state of the optimizer would not fit.
    with pytest.raises(CheckpointError, match=r'mask_losses\.tk\.weight'):
        compare_weights(model, state, resume=True)
    assert (
        compare_weights(head('tk'), head('tk').state_dict(), resume=True) == {}
    )
    del state['head.layer.bias']
    with pytest.raises(CheckpointError, match=r'lacks.*: head\.layer\.bias'):
        compare_weights(model, state)
