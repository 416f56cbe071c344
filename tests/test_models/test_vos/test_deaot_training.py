"""DeAOT on mmengine's runner: optimizer, averaged weights, checkpoints."""

import pytest
import torch
from mmengine.hooks import Hook
from mmengine.optim import build_optim_wrapper
from mmengine.runner import Runner
from mmengine.structures import BaseDataElement, PixelData

pytest.importorskip('mmcv.ops', reason='mmdet.models needs its ops')

from pmvis_mm.apis import load_deaot_checkpoint
from pmvis_mm.engine import TrainingProgressHook
from pmvis_mm.models.vos import DeAOT, DeAOTSegmentor
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.checkpoint import read_checkpoint
from pmvis_mm.utils.errors import CheckpointError

# What configs say: no decay of biases, norms, tables of relative positions
# and the last convolution; a tenth of the learning rate for the backbone.
PARAMWISE = dict(
    norm_decay_mult=0.0,
    bias_decay_mult=0.0,
    custom_keys={
        'backbone': dict(lr_mult=0.1),
        'mask_head.conv_out': dict(decay_mult=0.0),
    },
)
# Batch norms of the others are frozen and their convolutions have no bias.
# Rules by name come first, so that Swin's exceptions must be named.
SWIN_KEYS = (
    'relative_position_bias_table',
    'patch_embed.norm',
    'patch_embed.projection.bias',
    'attn.w_msa.qkv.bias',
    'attn.w_msa.proj.bias',
    'ffn.layers.0.0.bias',
    'ffn.layers.1.bias',
    'downsample.norm',
    'backbone.norm',
    *(f'blocks.{block}.norm' for block in range(18)),
)


@pytest.mark.parametrize('arch', ['deaots', 'r50_deaotl', 'swinb_deaotl'])
def test_groups_of_parameters(default_scope, arch):
    config = PARAMWISE
    if arch == 'swinb_deaotl':
        rule = dict(lr_mult=0.1, decay_mult=0.0)
        keys = {**config['custom_keys'], **{k: rule for k in SWIN_KEYS}}
        config = dict(config, custom_keys=keys)
    network = dict(type='DeAOT', arch=arch, backbone=dict(frozen_stages=1))
    model = DeAOTSegmentor(network)
    wrapper = build_optim_wrapper(
        model,
        dict(
            optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.07),
            paramwise_cfg=config,
            clip_grad=dict(max_norm=5.0),
        ),
    )
    names = {id(p): name for name, p in model.named_parameters()}
    seen = set()
    for group in wrapper.optimizer.param_groups:
        for parameter in group['params']:
            name = names[id(parameter)]
            seen.add(name)
            exempt = (
                parameter.ndim == 1
                or 'relative_position_bias_table' in name
                or 'conv_out' in name
            )
            wanted = 0.0 if exempt else 0.07
            assert group['weight_decay'] == wanted, name
            rate = 2e-5 if name.startswith('network.backbone') else 2e-4
            assert group['lr'] == pytest.approx(rate), name
    learning = {n for n, p in model.named_parameters() if p.requires_grad}
    assert seen == learning
    decayed = [n for n in learning if n.endswith('relative_emb_k.weight')]
    assert len(decayed) == len(model.network.gpm.layers)


class Diary(Hook):
    """Writes down a weight after each iteration."""

    def __init__(self):
        self.weights = []

    def after_train_iter(self, runner, batch_idx, **kwargs):
        self.weights.append(runner.model.network.projector.weight.clone())


def clips(number=2, size=33):
    generator = torch.Generator().manual_seed(0)
    shape = (number, 2, 3, size, size)
    data = []
    for frames in torch.randint(0, 255, shape, generator=generator).byte():
        maps = torch.zeros(2, size, size, dtype=torch.uint8)
        maps[:, 8:20, 8:24] = 1
        sample = BaseDataElement(metainfo=dict(num_objects=1, video_id=1))
        sample.gt_label_maps = PixelData(data=maps)
        data.append(dict(inputs=frames, data_samples=sample))
    return data


@pytest.fixture(scope='module')
def trained(tmp_path_factory):
    """Folder of four iterations, with the weights after each."""
    work_dir = tmp_path_factory.mktemp('deaot')
    model = MODELS.build(
        dict(
            type='pmvis_mm.DeAOTSegmentor',
            network=dict(type='pmvis_mm.DeAOT', arch='deaott'),
        )
    )
    diary = Diary()
    average = dict(
        type='EMAHook', ema_type='MomentumAnnealingEMA', momentum=0.85, gamma=9
    )
    runner = Runner(
        model,
        str(work_dir),
        train_dataloader=dict(
            dataset=clips(),
            batch_size=2,
            sampler=dict(type='InfiniteSampler'),
            collate_fn=dict(type='pseudo_collate'),
        ),
        train_cfg=dict(by_epoch=False, max_iters=4),
        optim_wrapper=dict(
            optimizer=dict(type='AdamW', lr=2e-4, weight_decay=0.07),
            clip_grad=dict(max_norm=5.0),
        ),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=4),
            logger=None,
        ),
        custom_hooks=[TrainingProgressHook(), diary, average],
        log_level='ERROR',
        experiment_name='deaot_training',
    )
    runner.train()
    return work_dir, diary.weights


def test_average_warms_up_as_that_of_the_public_code(trained):
    folder, weights = trained
    checkpoint = torch.load(folder / 'iter_4.pth', weights_only=False)
    expected = weights[0]
    # Public code: decay of at most (1 + n) / (10 + n) in its n-th update;
    # here with n counted from two less. 9 / 11 is below the momentum.
    for momentum, weight in zip((9 / 10, 0.85, 0.85), weights[1:]):
        expected = (1 - momentum) * expected + momentum * weight
    name = 'network.projector.weight'
    torch.testing.assert_close(checkpoint['state_dict'][name], expected)
    torch.testing.assert_close(
        checkpoint['ema_state_dict'][f'module.{name}'], weights[-1]
    )


def test_network_for_inference_gets_the_averaged_weights(
    default_scope, trained
):
    file = trained[0] / 'iter_4.pth'
    network = DeAOT('deaott')
    load_deaot_checkpoint(network, file)
    saved = read_checkpoint(file)['state_dict']
    found = network.state_dict()
    assert {f'network.{name}' for name in found} == set(saved)
    for name, value in found.items():
        assert torch.equal(value, saved[f'network.{name}']), name
    assert not network.training


def test_checkpoint_of_another_network_is_refused(default_scope, trained):
    with pytest.raises(CheckpointError, match='lacks weights.*gpm.layers.1'):
        load_deaot_checkpoint(DeAOT('deaots'), trained[0] / 'iter_4.pth')
