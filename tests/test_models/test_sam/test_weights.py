import pickle
import re
from collections import OrderedDict

import pytest
import torch

pytest.importorskip('mmdet')

from pmvis_mm.models import HQSAMSegmenter
from pmvis_mm.testing.closed_form import SAM_BOXES, fill, sam_image
from pmvis_mm.utils.errors import CheckpointError

ENCODERS = dict(
    vit=dict(
        type='SAMViT',
        arch=dict(embed_dims=8, depth=2, num_heads=2, global_blocks=(1,)),
        img_size=64,
    ),
    tiny=dict(type='SAMTinyViT', img_size=64),
)
SAM = dict(type='SAMMaskDecoder')


@pytest.fixture(scope='module', params=list(ENCODERS))
def encoder(request):
    return ENCODERS[request.param]


@pytest.fixture(scope='module')
def weights(encoder):
    with torch.device('meta'):
        shapes = HQSAMSegmenter(encoder).state_dict()
    return fill({name: value.shape for name, value in shapes.items()})


@pytest.fixture
def save(tmp_path):
    def write(weights):
        path = tmp_path / 'sam_hq.pth'
        torch.save(OrderedDict(weights), path)
        return str(path)

    return write


def predict(model):
    (found,) = model([sam_image()], [SAM_BOXES])
    return found.low_res_logits


def without(weights, *parts):
    return {
        name: value
        for name, value in weights.items()
        if not any(part in name for part in parts)
    }


HQ = (
    'hf_token',
    'hf_mlp',
    'compress_vit_feat',
    'embedding_encoder',
    'embedding_maskfeature',
)


def test_checkpoint_is_loaded_completely(encoder, weights, save):
    model = HQSAMSegmenter(encoder, checkpoint=save(weights))
    state = model.state_dict()
    assert set(state) == set(weights)
    for name, value in weights.items():
        assert torch.equal(state[name], value), name
    other = HQSAMSegmenter(encoder)
    other.load_state_dict(weights)
    assert torch.equal(predict(model), predict(other))


def test_case_15_another_eval_changes_nothing(weights, encoder, save):
    model = HQSAMSegmenter(encoder, checkpoint=save(weights))
    first = predict(model)
    assert torch.equal(predict(model.eval()), first)
    assert torch.equal(predict(model.train().eval()), first)


def test_case_15_plain_sam_is_refused(encoder, weights, save):
    path = save(without(weights, *HQ))
    with pytest.raises(CheckpointError) as caught:
        HQSAMSegmenter(encoder, checkpoint=path)
    message = str(caught.value)
    lacking = [name for name in weights if any(p in name for p in HQ)]
    assert len(lacking) == 25 and 'lacks the 25 weights' in message
    assert all(name in message for name in lacking)
    assert path in message and 'sam_hq_*.pth' in message


@pytest.mark.parametrize('drop', [(), HQ], ids=['hq', 'sam'])
def test_plain_sam_takes_both(encoder, weights, save, drop):
    path = save(without(weights, *drop))
    model = HQSAMSegmenter(encoder, mask_decoder=SAM, checkpoint=path)
    state = model.state_dict()
    assert not any(part in name for name in state for part in HQ)
    for name, value in state.items():
        assert torch.equal(value, weights[name]), name


def test_case_15_checkpoint_of_a_gpu_loads_on_the_cpu(
    encoder, weights, save, monkeypatch
):
    with monkeypatch.context() as patch:
        patch.setattr(
            torch.serialization, 'location_tag', lambda storage: 'cuda:0'
        )
        path = save(weights)
    if not torch.cuda.is_available():
        # That it is one: without map_location it cannot be read.
        with pytest.raises(Exception, match='on a CUDA device'):
            torch.load(path, weights_only=True)
    model = HQSAMSegmenter(encoder, checkpoint=path)
    assert {str(p.device) for p in model.parameters()} == {'cpu'}
    assert torch.equal(
        model.state_dict()['mask_decoder.hf_token.weight'],
        weights['mask_decoder.hf_token.weight'],
    )


def test_one_missing_weight_is_named(encoder, weights, save):
    path = save(without(weights, 'no_mask_embed'))
    with pytest.raises(
        CheckpointError,
        match=r'lacks .*prompt_encoder\.no_mask_embed\.weight \(1, 256\)',
    ):
        HQSAMSegmenter(encoder, checkpoint=path)
    # A single one of HQ-SAM: not mistaken for plain SAM.
    path = save(without(weights, 'hf_token'))
    with pytest.raises(CheckpointError, match=r'lacks weights.*hf_token'):
        HQSAMSegmenter(encoder, checkpoint=path)


def test_unexpected_weight_is_named(encoder, weights, save):
    path = save(dict(weights, extra=torch.zeros(2)))
    with pytest.raises(
        CheckpointError, match=r'beyond the model: extra \(2,\)'
    ):
        HQSAMSegmenter(encoder, checkpoint=path)


def test_other_shape_is_named(encoder, weights, save):
    name = 'image_encoder.neck.1.weight'
    path = save(dict(weights, **{name: torch.zeros(3)}))
    with pytest.raises(
        CheckpointError, match=re.escape(f'{name} (3,), the model has (256,)')
    ):
        HQSAMSegmenter(encoder, checkpoint=path)


def test_checkpoint_of_another_encoder_is_refused(save):
    with torch.device('meta'):
        shapes = HQSAMSegmenter(ENCODERS['vit']).state_dict()
    path = save(fill({name: value.shape for name, value in shapes.items()}))
    with pytest.raises(CheckpointError, match='lacks weights.*patch_embed'):
        HQSAMSegmenter(ENCODERS['tiny'], checkpoint=path)


def test_derived_buffers_in_the_file_do_not_matter(encoder, weights, save):
    attention = 'image_encoder.layers.1.blocks.0.attn.'
    extra = {
        f'{attention}attention_bias_idxs': torch.zeros(49, 49).long(),
        f'{attention}ab': torch.zeros(4, 49, 49),
        'pixel_mean': torch.zeros(3, 1, 1),
        'pixel_std': torch.ones(3, 1, 1),
    }
    counters = without(weights, 'num_batches_tracked')
    model = HQSAMSegmenter(encoder, checkpoint=save({**counters, **extra}))
    for name, value in weights.items():
        assert torch.equal(model.state_dict()[name], value), name


def test_missing_and_broken_files(encoder, tmp_path):
    with pytest.raises(CheckpointError, match='not exist.*huggingface.co'):
        HQSAMSegmenter(encoder, checkpoint=str(tmp_path / 'none.pth'))
    broken = tmp_path / 'broken.pth'
    broken.write_bytes(b'not a checkpoint')
    with pytest.raises(CheckpointError, match='cut off'):
        HQSAMSegmenter(encoder, checkpoint=str(broken))
    other = tmp_path / 'other.pth'
    torch.save(dict(state_dict=dict(a=[0.0, 0.0])), other)
    with pytest.raises(CheckpointError, match='no weights'):
        HQSAMSegmenter(encoder, checkpoint=str(other))


class _Evil:
    """Creates a file when it is unpickled."""

    def __init__(self, path):
        self.path = path

    def __reduce__(self):
        return _create, (str(self.path),)


def _create(path):
    open(path, 'w').close()


def test_code_in_a_checkpoint_is_never_run(encoder, weights, save, tmp_path):
    trace = tmp_path / 'trace'
    path = save(dict(weights, evil=_Evil(trace)))
    with pytest.raises(CheckpointError, match='no weights of a model'):
        HQSAMSegmenter(encoder, checkpoint=path)
    with open(path, 'wb') as file:
        pickle.dump(_Evil(trace), file)
    with pytest.raises(CheckpointError) as caught:
        HQSAMSegmenter(encoder, checkpoint=path)
    assert caught.value.file == path
    assert not trace.exists()
    # The file is as evil as it should be.
    with open(path, 'rb') as file:
        pickle.load(file)
    assert trace.exists()


@pytest.mark.parametrize('kept', [0, 0.5, 0.99])
def test_cut_off_checkpoint_is_named(encoder, weights, save, kept):
    path = save(weights)
    with open(path, 'r+b') as file:
        file.truncate(int(kept * file.seek(0, 2)))
    with pytest.raises(CheckpointError, match='or cut off') as caught:
        HQSAMSegmenter(encoder, checkpoint=path)
    assert caught.value.file == path and 'again' in caught.value.fix
