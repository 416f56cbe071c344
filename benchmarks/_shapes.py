"""Training on ShapesVIS, for the benchmarks that compare supervisions."""

import json
from pathlib import Path
from typing import Any, Dict, Iterator, List, Mapping, Sequence, Tuple

from mmengine.config import Config

from pmvis_mm.apis import Pipeline
from pmvis_mm.apis.pipeline.config import resolve_stages
from pmvis_mm.datasets.shapes_vis import write_shapes_vis

ROOT = Path(__file__).resolve().parents[1]
LABELLING = ROOT / 'configs/labeling/pipeline_weights-free.py'
TEACHER = 'mask2former_video/mask2former-video_r18_1xb4-1k_shapesvis-pseudo.py'
FRAME = '(160,96)'  # longer and shorter side, as generated
Stages = List[Dict[str, Any]]


def write_data(
    out: Path, num_videos: int, num_val_videos: int, num_frames: int
) -> None:
    """Make videos to train on and others to test with.

    Args:
        out (Path): Gets ``data/train`` and ``data/val``.
        num_videos (int): To train on.
        num_val_videos (int): To test with.
        num_frames (int): Of each video.
    """
    write_shapes_vis(out / 'data/train', num_videos, num_frames, seed=0)
    write_shapes_vis(out / 'data/val', num_val_videos, num_frames, seed=1)


def label_stages(teacher_iters: int) -> Stages:
    """Stages that make pseudo masks, '@final', as the demo does.

    Args:
        teacher_iters (int): Iterations of the model that labels.

    Returns:
        list[dict]: GrabCut, the model that it teaches, flow and SHQM.
    """
    cfg = Config.fromfile(LABELLING)
    cfg.merge_from_dict(
        dict(
            train_config=TEACHER, teacher_iters=teacher_iters, selector='SHQM'
        )
    )
    cfg.stages = [
        stage
        for stage in cfg.stages
        if stage['name'] in ('grabcut', 'teacher', 'vis-model', 'final')
    ]
    # Without what they refer to as $NAME, which only this config knows.
    return resolve_stages(cfg)[0]


def train_and_test(
    name: str,
    config: str,
    seed: int,
    iters: int,
    options: Mapping[str, Any],
    pseudo: bool = False,
) -> Stages:
    """Stages that train a model from scratch and test it.

    Args:
        name (str): Of the training; the test is ``test-<name>``.
        config (str): Below ``configs``.
        seed (int): Of weights and order.
        iters (int): Iterations.
        options (Mapping): Of the training, beside those that follow.
        pseudo (bool): Whether it learns from '@final'. Defaults to False.

    Returns:
        list[dict]: Two stages.
    """
    cfg = Config.fromfile(ROOT / 'configs' / config)
    train: Dict[str, Any] = {
        'randomness.seed': seed,
        'train_cfg.max_iters': iters,
        **dict(_schedule(cfg, iters)),
        **dict(_scales(cfg, 'train_dataloader')),
        **options,
    }
    stage = dict(name=name, type='train', config=config, options=train)
    if pseudo:
        stage['pseudo'] = '@final'
    test = dict(
        name=f'test-{name}',
        type='test',
        config=config,
        checkpoint=f'@{name}',
        options=dict(_scales(cfg, 'test_dataloader')),
    )
    return [stage, test]


def _schedule(cfg: Config, iters: int) -> Iterator[Tuple[str, Any]]:
    """Options that make the learning rate fall within the iterations."""
    yield 'param_scheduler.1.end', iters
    if cfg.param_scheduler[1].type == 'CosineAnnealingLR':
        yield 'param_scheduler.1.T_max', iters
    else:
        yield 'param_scheduler.1.milestones', f'[{iters * 4 // 5}]'


def _scales(cfg: Config, loader: str) -> Iterator[Tuple[str, str]]:
    """Options that leave frames at their size."""
    for step, wrapper in enumerate(cfg[loader].dataset.pipeline):
        for inner, transform in enumerate(wrapper.get('transforms', [])):
            if 'scale' in transform:
                path = f'{loader}.dataset.pipeline.{step}.transforms.{inner}'
                yield f'{path}.scale', FRAME


def run_stages(stages: Stages, out: Path) -> Dict[str, str]:
    """Run stages on the data of :func:`write_data`; finished ones are kept.

    Args:
        stages (list[dict]): Of a pipeline config.
        out (Path): Folder of data and results.

    Returns:
        dict[str, str]: Main output of every stage, by name.
    """
    train, val = out / 'data/train', out / 'data/val'
    return Pipeline(
        Config(dict(stages=stages)),
        out,
        ann_file=train / 'boxes.json',
        img_prefix=train / 'JPEGImages',
        val_ann_file=val / 'instances.json',
        val_img_prefix=val / 'JPEGImages',
    ).run()


def read_metrics(
    outputs: Mapping[str, str], names: Sequence[str], seeds: Sequence[int]
) -> Dict[str, List[Dict[str, float]]]:
    """Read what the tests of ``<name>-<seed>`` found.

    Args:
        outputs (Mapping): From :func:`run_stages`.
        names (Sequence[str]): Of what was compared.
        seeds (Sequence[int]): Of each of them.

    Returns:
        dict[str, list[dict]]: Metrics by name, one for each seed.
    """
    return {
        name: [
            json.loads(Path(outputs[f'test-{name}-{seed}']).read_text())
            for seed in seeds
        ]
        for name in names
    }


def summarize(
    metrics: Mapping[str, Sequence[Mapping[str, float]]],
    titles: Mapping[str, str],
) -> Dict[str, float]:
    """Print a line per model and metric.

    Args:
        metrics (Mapping): From :func:`read_metrics`.
        titles (Mapping): What to call the models.

    Returns:
        dict[str, float]: Means over the seeds, ``ap_<name>`` and
        ``ap50_<name>``.
    """
    means: Dict[str, float] = {}
    for name, runs in metrics.items():
        for key in ('AP', 'AP50'):
            values = [run[f'vis/{key}'] for run in runs]
            print(f'{titles[name]:30s} {key:4s} {values}')
            means[f'{key.lower()}_{name}'] = sum(values) / len(values)
    return means
