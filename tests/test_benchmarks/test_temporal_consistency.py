"""The benchmark of the temporal loss trains what it says it compares."""

import json
import subprocess
import sys
from argparse import Namespace

import pytest

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from mmengine.config import Config

from pmvis_mm.apis.pipeline.config import resolve_stages
from pmvis_mm.apis.pipeline.data import PipelineData
from pmvis_mm.apis.pipeline.stage_config import stage_config
from pmvis_mm.datasets.shapes_vis import write_shapes_vis

IDOL = ('box', 'box_tk', 'pseudo', 'pseudo_tk')


@pytest.fixture
def benchmark(repo_root, monkeypatch):
    monkeypatch.syspath_prepend(str(repo_root / 'benchmarks'))
    import temporal_consistency

    return temporal_consistency


@pytest.fixture
def configs(benchmark, tmp_path):
    """Complete configs of training and testing, by stage."""
    write_shapes_vis(tmp_path, 1, 2, (48, 64))
    args = Namespace(
        only=list(benchmark.VARIANTS),
        seeds=[0, 5],
        maskfree_iters=40,
        iters=50,
        warmup_iters=7,
        frame_range=2,
        search=4,
        threshold=0.01,
        tk_weight=2.0,
    )
    # As the labelling stages would have made it.
    final = dict(name='final', type='label', config='x', options={})
    stages = [final, *benchmark.training_stages(args)]
    stages = resolve_stages(Config(dict(stages=stages)))[0][1:]
    files = str(tmp_path / 'boxes.json'), str(tmp_path / 'JPEGImages')
    data = PipelineData(*files, val_ann_file=files[0], val_img_prefix=files[1])
    return {stage['name']: stage_config(stage, data) for stage in stages}


def losses(cfg):
    head = cfg.model.get('track_head', {}).get('mask_losses')
    return head or cfg.model.mask_head.mask_losses


def test_variants_differ_in_their_losses_alone(configs):
    wanted = dict(
        proj=['proj'],
        pairwise=['proj', 'pairwise'],
        proj_tk=['proj', 'tk'],
        tk=['proj', 'pairwise', 'tk'],
        box=['proj', 'pairwise'],
        box_tk=['proj', 'pairwise', 'tk'],
        pseudo=['proj', 'pairwise', 'focal', 'dice'],
        pseudo_tk=['proj', 'pairwise', 'focal', 'dice', 'tk'],
    )
    for name, expected in wanted.items():
        cfg = configs[f'{name}-5']
        assert list(losses(cfg)) == expected
        assert cfg.randomness.seed == 5
        iters = 50 if name in IDOL else 40
        assert cfg.train_cfg.max_iters == iters
        assert cfg.param_scheduler[1].end == iters
    for name in ('proj', 'pairwise', 'box', 'pseudo'):
        plain = configs[f'{name}-0']
        other = configs[
            'tk-0' if name in ('proj', 'pairwise') else f'{name}_tk-0'
        ]
        for key in ('detector', 'backbone', 'tracker'):
            assert plain.model.get(key) == other.model.get(key)
        assert plain.optim_wrapper == other.optim_wrapper
        assert plain.train_dataloader == other.train_dataloader
        for kept, loss in losses(plain).items():
            assert losses(other)[kept] == loss


def test_frames_keep_their_size_and_ramps_fit(configs):
    for name, cfg in configs.items():
        loader = 'test' if name.startswith('test-') else 'train'
        pipeline = cfg[f'{loader}_dataloader'].dataset.pipeline
        scales = [
            tuple(transform.scale)
            for step in pipeline
            for transform in step.get('transforms', [])
            if 'scale' in transform
        ]
        assert scales == [(160, 96)]
    for name in ('tk', 'box_tk', 'pseudo_tk'):
        matcher = losses(configs[f'{name}-0']).tk.matcher
        assert (matcher.search, matcher.threshold) == (4, 0.01)
        weight = losses(configs[f'{name}-0']).tk.loss_weight
        assert weight == (0.2 if name in IDOL else 2.0)
    for name in IDOL:
        cfg = configs[f'{name}-0']
        assert cfg.train_dataloader.dataset.pipeline[0].frame_range == 2
        for term in ('pairwise', 'tk'):
            if term in losses(cfg):
                assert losses(cfg)[term].warmup_iters == 7


@pytest.mark.slow
def test_trains_tests_and_collects(repo_root, tmp_path):
    words = [
        sys.executable,
        str(repo_root / 'benchmarks/temporal_consistency.py'),
        *('--out', str(tmp_path), '--only', 'tk', 'box_tk'),
        *('--num-videos', '2', '--num-val-videos', '1', '--num-frames', '3'),
        *('--maskfree-iters', '2', '--iters', '2', '--warmup-iters', '1'),
    ]
    for run in range(2):
        done = subprocess.run(words, capture_output=True, text=True)
        assert done.returncode == 0, done.stderr[-3000:]
        found = json.loads(done.stdout.splitlines()[-1])
        for name in ('tk', 'box_tk'):
            assert 0 <= found[f'ap_{name}'] <= found[f'ap50_{name}'] <= 1
            assert found['per_seed'][name] == [found[f'ap_{name}']]
        assert 'ap_proj' not in found
        # The second time all is there.
        assert ('up to date' in done.stdout + done.stderr) == bool(run)
