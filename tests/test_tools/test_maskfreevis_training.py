"""Train and test MaskFreeVIS through the tools, end to end."""

import json
import math

import pytest
from mmengine.config import Config

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from pmvis_mm.testing.tiny_maskfree import TINY_MASKFREE
from pmvis_mm.testing.tiny_runs import SIZE, read_losses, train_tiny

pytestmark = pytest.mark.slow

CONFIG = 'maskfreevis/maskfreevis_r18_1xb4-1k_own-box.py'
NAMES = ('cls', 'proj', 'pairwise', 'tk')


@pytest.fixture(scope='module')
def config(tiny_data, config_root, tmp_path_factory):
    """The shipped config, tiny and on tiny data."""
    cfg = Config.fromfile(config_root / CONFIG)
    cfg.merge_from_dict(dict(model=TINY_MASKFREE))
    for key in ('train_dataloader', 'val_dataloader', 'test_dataloader'):
        loader = cfg[key]
        loader.dataset.data_root = f'{tiny_data}/'
        loader.num_workers, loader.persistent_workers = 0, False
        first = loader.dataset.pipeline[0]
        loading = (
            first if 'transforms' in first else loader.dataset.pipeline[1]
        )
        for transform in loading.transforms:
            if transform.type == 'Resize':
                transform.scale = SIZE[::-1]
    cfg.train_dataloader.batch_size = 2
    truth = f'{tiny_data}/val/instances.json'
    cfg.val_evaluator.ann_file = cfg.test_evaluator.ann_file = truth
    cfg.default_hooks.logger.interval = 1
    cfg.log_processor.window_size = 1
    cfg.train_cfg.update(max_iters=2, val_interval=2)
    cfg.randomness = dict(seed=0)
    path = tmp_path_factory.mktemp('config') / 'tiny_maskfree.py'
    cfg.dump(path)
    return path


@pytest.fixture(scope='module')
def trained(tool, config, tmp_path_factory):
    work_dir = tmp_path_factory.mktemp('maskfree')
    train_tiny(tool, config, work_dir)
    return work_dir


def test_it_trains_and_validates(trained):
    assert (trained / 'iter_2.pth').is_file()
    found = read_losses(trained)
    assert list(found) == [1, 2]
    expected = {f'{p}loss_{n}' for p in ('', 'd0.') for n in NAMES}
    for values in found.values():
        assert set(values) == expected | {'loss'}
        parts = sum(v for k, v in values.items() if k != 'loss')
        assert values['loss'] == pytest.approx(parts, rel=1e-4)
        assert all(math.isfinite(v) for v in values.values())
        assert values['loss_proj'] > 0 and values['loss_pairwise'] > 0
    (log,) = trained.glob('*/*.log')
    assert 'vis/AP: ' in log.read_text()


def test_the_temporal_loss_ramps_up(trained, tool, config, tmp_path):
    option = 'model.track_head.mask_losses.tk.warmup_iters=0'
    full = train_tiny(tool, config, tmp_path, option)
    ramped = read_losses(trained)
    # The first of 200 iterations; weights are still the same.
    expected = full[1]['loss_tk'] / 200
    assert expected > 0
    assert ramped[1]['loss_tk'] == pytest.approx(expected, rel=0.05, abs=1e-4)


def test_test_evaluates_and_writes_tracks(trained, tool, config, tmp_path):
    words = [trained / 'iter_2.pth', '--work-dir', tmp_path / 'w']
    words += ['--cfg-options', f'test_evaluator.outfile_prefix={tmp_path}/out']
    assert tool('test.py', config, *words) == 0
    (file,) = (tmp_path / 'w').glob('*/*.json')
    assert 0 <= json.loads(file.read_text())['vis/AP'] <= 1
    tracks = json.loads((tmp_path / 'out.results.json').read_text())
    assert {track['video_id'] for track in tracks} <= {1, 2} and tracks
    assert all(len(track['segmentations']) == 4 for track in tracks)


def test_masks_in_the_data_are_refused(tool, config, tmp_path, capsys):
    """Box supervision that loads masks is a mistake."""
    words = ['--work-dir', tmp_path, '--cfg-options']
    words += ['train_dataloader.dataset.supervision=full']
    words += ['train_dataloader.dataset.ann_file=train/instances.json']
    words += [
        'train_dataloader.dataset.pipeline.1.transforms.1.with_mask=True'
    ]
    assert tool('train.py', config, *words) != 0
    assert 'this head learns from boxes alone' in capsys.readouterr().err
