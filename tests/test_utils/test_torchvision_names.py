import pytest
import torch
import torch.nn.functional as F

from pmvis_mm.utils.errors import CheckpointError
from pmvis_mm.utils.torchvision_names import (
    mobilenet_v2_to_dilated,
    mobilenet_v2_to_mm,
)

pytest.importorskip('mmcv.ops', exc_type=ImportError)

# Table 2 of the paper: channels, blocks, stride of the first one.
ROWS = [
    (16, 1, 1),
    (24, 2, 2),
    (32, 3, 2),
    (64, 4, 2),
    (96, 3, 1),
    (160, 3, 2),
    (320, 1, 1),
]
# Where convolutions and their normalisations stand in a block.
PLACES = dict(
    nested=['0.0', '0.1', '1.0', '1.1', '2', '3'],
    flat=['0', '1', '3', '4', '6', '7'],
)
FIRST = dict(nested=['0.0', '0.1', '1', '2'], flat=['0', '1', '3', '4'])


def pair(conv, norm, shape, generator):
    """Random weights of a convolution and its normalisation."""
    channels, fan_in = shape[0], shape[1] * shape[2] * shape[3]

    def positive():
        return 0.5 + torch.rand(channels, generator=generator)

    return {
        f'{conv}.weight': torch.randn(shape, generator=generator)
        * (2 / fan_in) ** 0.5,
        f'{norm}.weight': positive(),
        f'{norm}.bias': 0.1 * torch.randn(channels, generator=generator),
        f'{norm}.running_mean': 0.1
        * torch.randn(channels, generator=generator),
        f'{norm}.running_var': positive(),
        f'{norm}.num_batches_tracked': torch.tensor(7),
    }


def random_weights(layout='flat'):
    """Weights in the order in which the network uses them."""
    generator = torch.Generator().manual_seed(0)
    shape = (32, 3, 3, 3)
    state = pair('features.0.0', 'features.0.1', shape, generator)
    index, inputs = 1, 32
    for channels, num_blocks, _ in ROWS:
        for _ in range(num_blocks):
            mid = inputs if index == 1 else 6 * inputs
            shapes = [(mid, 1, 3, 3), (channels, mid, 1, 1)]
            if index > 1:
                shapes.insert(0, (mid, inputs, 1, 1))
            places = [
                f'features.{index}.conv.{place}'
                for place in (FIRST if index == 1 else PLACES)[layout]
            ]
            for i, shape in enumerate(shapes):
                state.update(
                    pair(places[2 * i], places[2 * i + 1], shape, generator)
                )
            index, inputs = index + 1, channels
    last = ('features.18.0', 'features.18.1', (1280, 320, 1, 1))
    return {**state, **pair(*last, generator)}


def restated_forward(state, x):
    """MobileNetV2 from its paper, taking weights in order, not by name."""
    values = [value.double() for value in state.values()]
    convs = iter([v for v in values if v.ndim == 4])
    vectors = iter([v for v in values if v.ndim == 1])

    def step(x, stride=1, act=True):
        weight = next(convs)
        scale, shift, mean, var = (next(vectors) for _ in range(4))
        groups = x.shape[1] // weight.shape[1]
        x = F.conv2d(x, weight, None, stride, weight.shape[2] // 2, 1, groups)
        x = (x - mean[:, None, None]) / (var[:, None, None] + 1e-5).sqrt()
        x = x * scale[:, None, None] + shift[:, None, None]
        return x.clamp(0, 6) if act else x

    x, outputs = step(x, 2), []
    for row, (channels, num_blocks, stride) in enumerate(ROWS):
        for block in range(num_blocks):
            y = x if row == 0 else step(x)
            y = step(y, stride if block == 0 else 1)
            y = step(y, act=False)
            x = x + y if block else y
        assert x.shape[1] == channels
        outputs.append(x)
    outputs.append(step(x))
    assert next(convs, None) is None and next(vectors, None) is None
    return outputs


def mmdet_forward(state, x):
    from mmdet.models.backbones import MobileNetV2

    model = MobileNetV2(out_indices=tuple(range(8))).double()
    model.load_state_dict(state, strict=True)
    with torch.no_grad():
        model.eval()  # returns nothing
        return model(x)


@pytest.mark.parametrize('layout', ['nested', 'flat'])
def test_same_network(layout):
    state = random_weights(layout)
    assert len(state) == 52 * 6  # convolutions with normalisation
    given = list(state)
    ours = mobilenet_v2_to_mm(state)
    assert list(state) == given
    torch.manual_seed(1)
    image = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    found = mmdet_forward(ours, image)
    expected = restated_forward(state, image)
    strides = [2, 4, 8, 16, 16, 32, 32, 32]
    for out, truth, stride in zip(found, expected, strides):
        assert out.shape[2:] == (64 // stride, 96 // stride)
        assert truth.std() > 0.1  # not all died
        torch.testing.assert_close(out, truth)


@pytest.mark.parametrize('layout', ['nested', 'flat'])
def test_backbone_of_deaot_takes_all(layout):
    from pmvis_mm.models.vos import DilatedMobileNetV2

    state = random_weights(layout)
    model = DilatedMobileNetV2().double().eval()
    model.load_state_dict(mobilenet_v2_to_dilated(state), strict=True)
    torch.manual_seed(1)
    image = torch.randn(2, 3, 64, 96, dtype=torch.float64)
    with torch.no_grad():
        found = model(image)
    expected = restated_forward(state, image)
    # Equal up to the last stride, which it turns into holes.
    for out, index in zip(found, (1, 2, 4)):
        torch.testing.assert_close(out, expected[index])
    assert found[3].shape == (2, 1280, 4, 6)


def test_torchvision_itself():
    models = pytest.importorskip('torchvision.models')
    theirs = models.mobilenet_v2(weights=None)
    theirs.features.load_state_dict(
        {k[len('features.') :]: v for k, v in random_weights('nested').items()}
    )
    ours = mobilenet_v2_to_mm(theirs.state_dict())
    torch.manual_seed(2)
    image = torch.randn(1, 3, 64, 64, dtype=torch.float64)
    with torch.no_grad():
        expected = theirs.double().eval().features(image)
    found = mmdet_forward(ours, image)[-1]
    torch.testing.assert_close(found, expected)


def test_names():
    ours = mobilenet_v2_to_mm(random_weights())
    for name in (
        'conv1.conv.weight',
        'layer1.0.depthwise_conv.conv.weight',
        'layer1.0.linear_conv.bn.bias',
        'layer4.3.expand_conv.bn.running_var',
        'layer7.0.linear_conv.conv.weight',
        'conv2.bn.num_batches_tracked',
    ):
        assert name in ours
    assert 'layer1.0.expand_conv.conv.weight' not in ours


def test_counters_may_lack_and_classifier_is_left_out():
    state = {
        name: value
        for name, value in random_weights().items()
        if not name.endswith('num_batches_tracked')
    }
    state['classifier.1.weight'] = torch.ones(10, 1280)
    ours = mobilenet_v2_to_mm(state)
    assert len(ours) == 52 * 5
    assert not [name for name in ours if name.startswith('classifier')]


@pytest.mark.parametrize('layout', ['nested', 'flat'])
def test_missing_name_is_refused(layout):
    state = random_weights(layout)
    norm = 'features.9.conv.' + PLACES[layout][3]
    del state[f'{norm}.running_var']
    with pytest.raises(CheckpointError) as info:
        mobilenet_v2_to_mm(state, file='a.pth')
    message = str(info.value)
    assert f'lacks weights of MobileNetV2: {norm}.running_var [' in message
    assert '[file a.pth]' in message
    assert 'Fix: give the weights of a MobileNetV2' in message


@pytest.mark.parametrize('name', ['fc.weight', 'features.19.0.weight'])
def test_unknown_name_is_refused(name):
    state = {**random_weights(), name: torch.ones(1)}
    with pytest.raises(CheckpointError, match=f'beyond MobileNetV2: {name}'):
        mobilenet_v2_to_mm(state)


def test_empty_is_refused():
    with pytest.raises(CheckpointError, match='lacks .* 252 more'):
        mobilenet_v2_to_mm({})
