import math
import pickle

import pytest

pytest.importorskip('mmdet')

import torch
from mmdet.structures import DetDataSample, TrackDataSample
from mmengine.model import BaseModel
from mmengine.runner import Runner

from pmvis_mm.engine import NonFiniteLossHook
from pmvis_mm.registry import HOOKS
from pmvis_mm.utils.errors import ConfigError, TrainingError


class FakeRunner:
    iter = 36


def frame(video, index, path=None):
    meta = dict(video_id=video, frame_id=index)
    if path is not None:
        meta['img_path'] = path
    return DetDataSample(metainfo=meta)


def clip(*frames):
    sample = TrackDataSample()
    sample.video_data_samples = list(frames)
    return sample


def look(outputs, data_batch=None, **options):
    hook = NonFiniteLossHook(**options)
    hook.after_train_iter(FakeRunner(), 0, data_batch, outputs)
    return hook


def test_message_names_losses_videos_and_frames():
    batch = dict(
        inputs=[torch.zeros(2, 3, 8, 8)] * 2,
        data_samples=[
            clip(frame(3, 0, 'a/0.jpg'), frame(3, 2, 'a/2.jpg')),
            clip(frame(5, 1, 'b/1.jpg'), frame(5, 1, 'b/1.jpg')),
        ],
    )
    outputs = dict(
        loss=torch.tensor(math.nan),
        loss_mask=torch.tensor(math.nan),
        loss_cls=torch.tensor(-math.inf),
        loss_bbox=torch.tensor(2.0),
    )
    with pytest.raises(TrainingError) as caught:
        look(outputs, batch)
    text = str(caught.value)
    assert text.startswith(
        'iteration 37: loss is nan, loss_mask is nan, loss_cls is -inf '
        '[video 3, 5, frame a/0.jpg, a/2.jpg, b/1.jpg]. Fix: '
    )
    assert 'loss_bbox' not in text
    for fix in ('learning rate', '--amp', 'last checkpoint', '--resume'):
        assert fix in text
    assert str(pickle.loads(pickle.dumps(caught.value))) == text


def test_samples_without_paths_and_of_any_nesting():
    batch = dict(a=dict(data_samples=[frame(0, 7)]), b=([frame(1, 8)], 'x'))
    with pytest.raises(TrainingError, match='video 0, 1, frame 7, 8]'):
        look(dict(loss=torch.tensor(math.inf)), batch)


def test_many_frames_are_cut_short():
    samples = [frame(1, t) for t in range(11)]
    with pytest.raises(TrainingError, match='6, 7, and 3 more]'):
        look(dict(loss=torch.tensor(math.inf)), dict(data_samples=samples))


@pytest.mark.parametrize('batch', [None, {}, [torch.zeros(1)]])
def test_batches_without_samples(batch):
    with pytest.raises(TrainingError, match=r'^iteration 37: loss is inf\. F'):
        look(dict(loss=torch.tensor(math.inf)), batch)


@pytest.mark.parametrize(
    'outputs',
    [
        None,
        {},
        dict(loss=0, acc=torch.tensor(math.nan)),  # nothing to classify
        dict(loss=torch.tensor(3e38), loss_cls=torch.tensor([1.0, 2.0])),
        dict(loss=torch.tensor(6e4, dtype=torch.float16)),
    ],
)
def test_finite_losses_pass(outputs):
    hook = look(outputs)
    hook.before_save_checkpoint(FakeRunner(), {})
    assert hook._unseen is None


def test_between_looks_a_checkpoint_is_guarded():
    hook = look(dict(loss=torch.tensor(math.nan)), interval=2)
    with pytest.raises(TrainingError, match='iteration 37: loss is nan'):
        hook.before_save_checkpoint(FakeRunner(), {})


def test_interval_counts_iterations():
    hook = HOOKS.build(dict(type='NonFiniteLossHook', interval=3))
    bad = dict(loss=torch.tensor(math.nan))
    for index in range(2):
        hook.after_train_iter(FakeRunner(), index, None, bad)
    with pytest.raises(TrainingError):
        hook.after_train_iter(FakeRunner(), 2, None, bad)
    with pytest.raises(ConfigError, match='interval=0'):
        NonFiniteLossHook(interval=0)


class Model(BaseModel):
    """Its loss is NaN where the input is."""

    def __init__(self):
        super().__init__()
        self.layer = torch.nn.Linear(1, 1)

    def forward(self, inputs, data_samples, mode):
        out = self.layer(torch.stack(inputs))
        return dict(loss_a=out.sum(), loss_b=[out.new_ones(())] * 2)


def test_last_checkpoint_is_not_touched(tmp_path):
    values = [1.0, 2.0, math.nan, 1.0]
    data = [
        dict(inputs=torch.tensor([v]), data_samples=frame(9, i))
        for i, v in enumerate(values)
    ]
    runner = Runner(
        Model(),
        str(tmp_path),
        train_dataloader=dict(
            dataset=data,
            batch_size=1,
            sampler=dict(type='DefaultSampler', shuffle=False),
        ),
        train_cfg=dict(by_epoch=False, max_iters=4),
        optim_wrapper=dict(optimizer=dict(type='SGD', lr=0.1)),
        default_hooks=dict(
            checkpoint=dict(type='CheckpointHook', by_epoch=False, interval=1),
        ),
        custom_hooks=[dict(type='NonFiniteLossHook')],
        default_scope='pmvis_mm',
        log_level='ERROR',
        experiment_name=f'nonfinite_{tmp_path.name}',
    )
    message = r'^iteration 3: loss is nan, loss_a is nan \[video 9, frame 2\]'
    with pytest.raises(TrainingError, match=message):
        runner.train()
    assert sorted(p.name for p in tmp_path.glob('*.pth')) == [
        'iter_1.pth',
        'iter_2.pth',
    ]
    state = torch.load(tmp_path / 'iter_2.pth', weights_only=False)
    assert all(torch.isfinite(v) for v in state['state_dict'].values())
