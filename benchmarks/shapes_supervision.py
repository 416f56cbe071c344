"""One small IDOL, three supervisions: boxes, pseudo masks, real masks.

Makes ShapesVIS, labels it from its boxes as the demo does (GrabCut, a small
Mask2Former taught by it, optical flow, SHQM), then trains the same model
three times from scratch with the same seed: on boxes (IDOL-BoxInst), on boxes
and the pseudo masks (PM-VIS), on the real masks (IDOL). All are tested on
videos that none of them has seen. Finished stages are kept: the same command
goes on after an interruption.

The last line is one JSON object with ``ap_box``, ``ap_pseudo``, ``ap_full``
and what they were measured with; ``supervision.png`` shows them with the
loss curves.
"""

import argparse
import json
import time
from pathlib import Path
from typing import Any, Dict, List

import matplotlib
from _curves import read_losses
from mmengine.config import Config

from pmvis_mm.apis import Pipeline
from pmvis_mm.datasets.shapes_vis import write_shapes_vis

matplotlib.use('Agg')

import matplotlib.pyplot as plt

ROOT = Path(__file__).resolve().parents[1]
LABELLING = ROOT / 'configs/labeling/pipeline_weights-free.py'
TEACHER = 'mask2former_video/mask2former-video_r18_1xb4-1k_shapesvis-pseudo.py'
CONFIGS = dict(
    box='idol_boxinst/idol-boxinst_r18_1xb4-2k_own-box.py',
    pseudo='pm_vis/pm-vis_r18_1xb4-2k_own-pseudo.py',
    full='idol/idol_r18_1xb4-2k_own.py',
)
NAMES = dict(box='boxes', pseudo='pseudo masks', full='real masks')
FRAME = '(160,96)'  # longer and shorter side, as generated
TRAIN_SCALE = 'train_dataloader.dataset.pipeline.1.transforms.2.scale'
TEST_SCALE = 'test_dataloader.dataset.pipeline.0.transforms.1.scale'


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--out', default='work_dirs/shapes_supervision')
    parser.add_argument('--num-videos', type=int, default=60)
    # Supervisions differ by a few hundredths of AP: 20 videos cannot tell.
    parser.add_argument('--num-val-videos', type=int, default=100)
    parser.add_argument('--num-frames', type=int, default=8)
    parser.add_argument('--iters', type=int, default=2000)
    parser.add_argument('--teacher-iters', type=int, default=300)
    parser.add_argument('--warmup-iters', type=int, default=500)
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    return parser.parse_args()


def training_stages(args: argparse.Namespace, truth: Path) -> List[dict]:
    """Stages that train and test the three models with every seed."""
    stages: List[dict] = []
    for seed in args.seeds:
        for kind, config in CONFIGS.items():
            options: Dict[str, Any] = {
                'randomness.seed': seed,
                'train_cfg.max_iters': args.iters,
                'param_scheduler.1.end': args.iters,
                'param_scheduler.1.milestones': f'[{args.iters * 4 // 5}]',
                TRAIN_SCALE: FRAME,
            }
            stage = dict(
                name=f'{kind}-{seed}',
                type='train',
                config=config,
                options=options,
            )
            if kind == 'full':
                options['train_dataloader.dataset.ann_file'] = str(truth)
            else:
                warmup = 'model.mask_head.mask_losses.pairwise.warmup_iters'
                options[warmup] = args.warmup_iters
            if kind == 'pseudo':
                stage['pseudo'] = '@final'
            test = dict(
                name=f'test-{kind}-{seed}',
                type='test',
                config=config,
                checkpoint=f'@{kind}-{seed}',
                options={TEST_SCALE: FRAME},
            )
            stages += [stage, test]
    return stages


def run(args: argparse.Namespace) -> Dict[str, str]:
    """Make the data, label it, train and test; returns outputs by stage."""
    out = Path(args.out).resolve()
    train, val = out / 'data/train', out / 'data/val'
    write_shapes_vis(train, args.num_videos, args.num_frames, seed=0)
    write_shapes_vis(val, args.num_val_videos, args.num_frames, seed=1)
    cfg = Config.fromfile(LABELLING)
    cfg.merge_from_dict(
        dict(
            train_config=TEACHER,
            teacher_iters=args.teacher_iters,
            selector='SHQM',
        )
    )
    labels = [
        stage
        for stage in cfg.stages
        if stage['name'] in ('grabcut', 'teacher', 'vis-model', 'final')
    ]
    cfg.stages = labels + training_stages(args, train / 'instances.json')
    return Pipeline(
        cfg,
        out,
        ann_file=train / 'boxes.json',
        img_prefix=train / 'JPEGImages',
        val_ann_file=val / 'instances.json',
        val_img_prefix=val / 'JPEGImages',
    ).run()


def draw(
    args: argparse.Namespace, metrics: Dict[str, List[Dict[str, float]]]
) -> Path:
    """Draw AP by supervision beside the loss curves of the first seed."""
    figure, (left, right) = plt.subplots(1, 2, figsize=(10, 4))
    for position, kind in enumerate(CONFIGS):
        values = [100 * m['vis/AP'] for m in metrics[kind]]
        left.bar(position, sum(values) / len(values), color=f'C{position}')
        left.plot([position] * len(values), values, 'k.')
        rows = read_losses(Path(args.out) / f'{kind}-{args.seeds[0]}')
        right.plot(
            [row['step'] for row in rows],
            [row['loss'] for row in rows],
            label=NAMES[kind],
        )
    left.set_xticks(range(len(CONFIGS)), [NAMES[kind] for kind in CONFIGS])
    left.set_ylabel('AP on unseen videos')
    right.set(xlabel='iteration', ylabel='loss', yscale='log')
    right.legend()
    figure.tight_layout()
    path = Path(args.out) / 'supervision.png'
    figure.savefig(path, dpi=100)
    plt.close(figure)
    return path


def main() -> None:
    """Run the comparison and print it."""
    args = parse_args()
    start = time.perf_counter()
    outputs = run(args)
    metrics = {
        kind: [
            json.loads(Path(outputs[f'test-{kind}-{seed}']).read_text())
            for seed in args.seeds
        ]
        for kind in CONFIGS
    }
    print(f'plot: {draw(args, metrics)}')
    result: Dict[str, Any] = {}
    for kind, runs in metrics.items():
        for key in ('AP', 'AP50'):
            values = [run[f'vis/{key}'] for run in runs]
            print(f'{NAMES[kind]:12s} {key:4s} {values}')
            result[f'{key.lower()}_{kind}'] = sum(values) / len(values)
    result.update(
        iters=args.iters,
        num_videos=args.num_videos,
        num_val_videos=args.num_val_videos,
        seeds=args.seeds,
        minutes=(time.perf_counter() - start) / 60,
    )
    print(json.dumps(result))


if __name__ == '__main__':
    main()
