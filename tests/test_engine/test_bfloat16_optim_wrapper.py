import pytest

pytest.importorskip('mmdet')

import torch
from mmengine.model import BaseModel

from pmvis_mm.engine import BFloat16OptimWrapper
from pmvis_mm.registry import OPTIM_WRAPPERS
from pmvis_mm.utils.errors import ConfigError


class Model(BaseModel):
    """Remembers the type that its layer computes with."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(2, 1, bias=False)
        torch.nn.init.ones_(self.layer.weight)
        self.error = None

    def forward(self, inputs, mode):
        if self.error is not None:
            raise self.error
        out = self.layer(inputs)
        self.dtype = out.dtype
        return dict(loss=out.float().sum())


@pytest.fixture
def model():
    return Model()


@pytest.fixture
def wrapper(model):
    # Without a GPU, whatever this machine has: the tensors are on the CPU.
    if torch.cuda.is_available():
        pytest.skip("autocast would be the GPU's")
    optimizer = torch.optim.SGD(model.parameters(), lr=0.5)
    return OPTIM_WRAPPERS.build(
        dict(type='BFloat16OptimWrapper', optimizer=optimizer)
    )


def test_step_computes_in_bfloat16_and_keeps_float32(model, wrapper):
    # 1 + 2 ** -9 is 1 in bfloat16, which has 8 bits of precision.
    inputs = torch.tensor([[1 + 2**-9, 2.0]])
    losses = model.train_step(dict(inputs=inputs), wrapper)
    assert model.dtype == torch.bfloat16
    assert losses['loss'].item() == 3
    assert model.layer.weight.dtype == torch.float32
    assert model.layer.weight.tolist() == [[0.5, 0.0]]
    assert not torch.is_autocast_enabled()


def test_missing_operation_is_explained(model, wrapper):
    model.error = RuntimeError('expected Float but found BFloat16')
    with pytest.raises(ConfigError, match=r'Model has an oper.*leave --amp'):
        model.train_step(dict(inputs=torch.ones(1, 2)), wrapper)


def test_other_errors_pass(model, wrapper):
    model.error = RuntimeError('out of something')
    with pytest.raises(RuntimeError, match='^out of something$'):
        model.train_step(dict(inputs=torch.ones(1, 2)), wrapper)


def test_gradients_accumulate(model, wrapper):
    optimizer = wrapper.optimizer
    wrapper = BFloat16OptimWrapper(optimizer=optimizer, accumulative_counts=2)
    wrapper.initialize_count_status(model, 0, 2)
    data = dict(inputs=torch.ones(1, 2))
    model.train_step(data, wrapper)
    assert model.layer.weight.tolist() == [[1.0, 1.0]]
    model.train_step(data, wrapper)
    assert model.layer.weight.tolist() == [[0.5, 0.5]]
