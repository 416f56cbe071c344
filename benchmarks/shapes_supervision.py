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
from _shapes import (
    Stages,
    label_stages,
    read_metrics,
    run_stages,
    summarize,
    train_and_test,
    write_data,
)

matplotlib.use('Agg')

import matplotlib.pyplot as plt

CONFIGS = dict(
    box='idol_boxinst/idol-boxinst_r18_1xb4-2k_own-box.py',
    pseudo='pm_vis/pm-vis_r18_1xb4-2k_own-pseudo.py',
    full='idol/idol_r18_1xb4-2k_own.py',
)
NAMES = dict(box='boxes', pseudo='pseudo masks', full='real masks')


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


def training_stages(args: argparse.Namespace, truth: Path) -> Stages:
    """Stages that train and test the three models with every seed."""
    stages: Stages = []
    for seed in args.seeds:
        for kind, config in CONFIGS.items():
            options: Dict[str, Any] = {}
            if kind == 'full':
                options['train_dataloader.dataset.ann_file'] = str(truth)
            else:
                warmup = 'model.mask_head.mask_losses.pairwise.warmup_iters'
                options[warmup] = args.warmup_iters
            stages += train_and_test(
                f'{kind}-{seed}',
                config,
                seed,
                args.iters,
                options,
                pseudo=kind == 'pseudo',
            )
    return stages


def run(args: argparse.Namespace) -> Dict[str, str]:
    """Make the data, label it, train and test; returns outputs by stage."""
    out = Path(args.out).resolve()
    write_data(out, args.num_videos, args.num_val_videos, args.num_frames)
    stages = label_stages(args.teacher_iters)
    stages += training_stages(args, out / 'data/train/instances.json')
    return run_stages(stages, out)


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
    metrics = read_metrics(outputs, list(CONFIGS), args.seeds)
    print(f'plot: {draw(args, metrics)}')
    result: Dict[str, Any] = {**summarize(metrics, NAMES)}
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
