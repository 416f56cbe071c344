"""TensorBoard and W&B through mmengine, in runs of our tools."""

import json
import struct

import cv2
import numpy as np
import pytest

from pmvis_mm.testing.tiny_runs import train_tiny

pytestmark = pytest.mark.slow

_LEAF = """
_base_ = {base!r}
vis_backends = [dict(type='LocalVisBackend'), {backend}]
visualizer = dict(vis_backends=vis_backends)
train_cfg = dict(val_interval=2)
default_hooks = dict(
    visualization=dict(
        draw=True, draw_gt=True, frame_interval=4, score_thr=0.0
    )
)
"""


def train(tool, base, root, backend):
    """Two iterations and a validation; returns the losses by iteration."""
    config = root / 'leaf.py'
    config.write_text(_LEAF.format(base=str(base), backend=backend))
    return train_tiny(tool, config, root / 'work')


def check_picture(image):
    """Truth and prediction side by side, of 48 rows enlarged to 240."""
    assert image.shape == (240, 640, 3)
    left, right = image[:, :320].astype(int), image[:, 320:].astype(int)
    assert (np.abs(left - right).max(axis=2) > 40).any()


def test_tensorboard_gets_scalars_and_images(tool, tiny_configs, tmp_path):
    reader = pytest.importorskip(
        'tensorboard.backend.event_processing.event_accumulator'
    )
    losses = train(
        tool,
        tiny_configs['full'],
        tmp_path,
        "dict(type='TensorboardVisBackend')",
    )
    (file,) = tmp_path.rglob('events.out.tfevents.*')
    events = reader.EventAccumulator(str(file), size_guidance=dict(images=0))
    events.Reload()
    found = {e.step: e.value for e in events.Scalars('loss')}
    expected = {step: values['loss'] for step, values in losses.items()}
    assert found == pytest.approx(expected, rel=1e-4)
    # Frame 0 of both videos.
    images = events.Images('val_img')
    assert [image.step for image in images] == [2, 3]
    for image in images:
        data = np.frombuffer(image.encoded_image_string, np.uint8)
        check_picture(cv2.imdecode(data, cv2.IMREAD_COLOR))


def test_wandb_writes_its_folder_offline(
    tool, tiny_configs, tmp_path, monkeypatch
):
    pytest.importorskip('wandb')
    monkeypatch.chdir(tmp_path)  # mmengine has it copy all code below
    for name in ('CONFIG', 'CACHE', 'DATA', 'ARTIFACT'):
        monkeypatch.setenv(f'WANDB_{name}_DIR', str(tmp_path / 'wandb'))
    losses = train(
        tool,
        tiny_configs['full'],
        tmp_path,
        "dict(type='WandbVisBackend', init_kwargs=dict(mode='offline'))",
    )
    import wandb

    wandb.finish()
    (run,) = tmp_path.rglob('offline-run-*')
    pictures = sorted(run.rglob('val_img*.png'))
    assert len(pictures) == 2
    for picture in pictures:
        check_picture(cv2.imread(str(picture)))
    (log,) = run.glob('run-*.wandb')
    assert _history(log, 'loss') == pytest.approx(
        [losses[step]['loss'] for step in sorted(losses)], rel=1e-4
    )


def _history(log, key):
    """Values of a scalar in the log of an offline run."""
    from wandb.proto.wandb_internal_pb2 import Record

    values = []
    for data in _records(log.read_bytes()):
        record = Record()
        record.ParseFromString(data)
        for item in record.history.item:
            if (item.key or '/'.join(item.nested_key)) == key:
                values.append(json.loads(item.value_json))
    return values


def _records(log, block=32768):
    """Records of a LevelDB log whose first block starts with 7 bytes."""
    place, parts = 7, []
    while place + 7 <= len(log):
        if block - place % block < 7:  # no room for a header: padding
            place += block - place % block
            continue
        _, size, kind = struct.unpack('<IHB', log[place : place + 7])
        parts.append(log[place + 7 : place + 7 + size])
        place += 7 + size
        if kind in (1, 4):  # whole, or last part
            yield b''.join(parts)
            parts = []
