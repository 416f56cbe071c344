"""What the temporal loss adds, on ShapesVIS, with the same seeds.

MaskFreeVIS (Mask2Former for video, boxes only) with the projection term
alone, with the pairwise term as well, and with the TK loss as well: the order
of the paper's Table 3 (36.6, 38.6, 42.5 AP on YouTube-VIS 2019). PM-VIS
(IDOL on boxes and pseudo masks) and IDOL-BoxInst (boxes only) without and
with the TK loss between key and reference frame; both variants sample their
frames alike. Pseudo masks are made from the boxes as in the demo. All are
tested on videos that none of them has seen.

Finished stages are kept: the same command goes on after an interruption, and
without ``--only`` it collects what others have trained. Several processes,
each with its own ``--only`` or ``--seeds``, can share ``--out``; data and
labels are made by the first.

The last line is one JSON object with ``ap_<variant>`` and ``ap50_<variant>``,
means over the seeds, ``per_seed`` and what they were measured with.
"""

import argparse
import json
import time
from contextlib import contextmanager
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Tuple

from _shapes import (
    ROOT,
    Stages,
    label_stages,
    read_metrics,
    run_stages,
    summarize,
    train_and_test,
    write_data,
)
from mmengine.config import Config

MASKFREE = 'maskfreevis/maskfreevis_r18_1xb4-1k_own-box.py'


class Variant(NamedTuple):
    """A model to train.

    Attributes:
        title (str): For people.
        config (str): Below ``configs``.
        losses (tuple[str]): Its mask losses; empty for all of the config.
        pseudo (bool): Whether it learns from pseudo masks.
    """

    title: str
    config: str
    losses: Tuple[str, ...] = ()
    pseudo: bool = False


VARIANTS: Dict[str, Variant] = dict(
    proj=Variant('MaskFreeVIS, projection', MASKFREE, ('proj',)),
    pairwise=Variant(
        'MaskFreeVIS, + pairwise', MASKFREE, ('proj', 'pairwise')
    ),
    proj_tk=Variant('MaskFreeVIS, projection + TK', MASKFREE, ('proj', 'tk')),
    tk=Variant('MaskFreeVIS, + pairwise + TK', MASKFREE),
    box=Variant(
        'IDOL-BoxInst',
        'idol_boxinst/idol-boxinst_r18_1xb4-2k_own-box.py',
    ),
    box_tk=Variant(
        'IDOL-BoxInst, + TK',
        'idol_boxinst/idol-boxinst-tk_r18_1xb4-2k_own-box.py',
    ),
    pseudo=Variant(
        'PM-VIS', 'pm_vis/pm-vis_r18_1xb4-2k_own-pseudo.py', pseudo=True
    ),
    pseudo_tk=Variant(
        'PM-VIS, + TK',
        'pm_vis/pm-vis-tk_r18_1xb4-2k_own-pseudo.py',
        pseudo=True,
    ),
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--out', default='work_dirs/temporal_consistency')
    parser.add_argument(
        '--only',
        nargs='+',
        choices=list(VARIANTS),
        default=list(VARIANTS),
        help='variants to train, or to collect',
    )
    parser.add_argument('--num-videos', type=int, default=60)
    # Variants differ by a few hundredths of AP: 20 videos cannot tell.
    parser.add_argument('--num-val-videos', type=int, default=100)
    parser.add_argument('--num-frames', type=int, default=8)
    parser.add_argument(
        '--maskfree-iters', type=int, default=1000, help='of MaskFreeVIS'
    )
    parser.add_argument(
        '--iters', type=int, default=2000, help='of IDOL and its relatives'
    )
    parser.add_argument('--teacher-iters', type=int, default=300)
    parser.add_argument(
        '--warmup-iters',
        type=int,
        default=500,
        help='of the pairwise and the TK loss of IDOL and its relatives',
    )
    parser.add_argument(
        '--frame-range',
        type=int,
        default=3,
        help='between the two frames of a clip of IDOL and its relatives',
    )
    # Objects are ten pixels wide at mask stride, and move by fractions of one:
    # the paper's matcher (9 candidates 3 pixels apart, 0.05) hardly finds any;
    # temporal_matchers.py compares it with this one ("patch, near").
    parser.add_argument(
        '--search', type=int, default=3, help='radius of the TK loss'
    )
    parser.add_argument(
        '--threshold', type=float, default=0.001, help='of the TK loss'
    )
    parser.add_argument(
        '--tk-weight',
        type=float,
        default=0.5,
        help='of the TK loss of MaskFreeVIS, per connection',
    )
    parser.add_argument('--seeds', type=int, nargs='+', default=[0])
    return parser.parse_args()


def options_of(variant: Variant, args: argparse.Namespace) -> Dict[str, Any]:
    """Options that make variants differ in their losses alone."""
    cfg = Config.fromfile(ROOT / 'configs' / variant.config)
    free = variant.config == MASKFREE
    head = 'track_head' if free else 'mask_head'
    losses = cfg.model[head].mask_losses.to_dict()
    if variant.losses:
        losses = {name: losses[name] for name in variant.losses}
    if 'tk' in losses:
        losses['tk']['matcher'].update(
            search=args.search, threshold=args.threshold
        )
        if free:
            losses['tk']['loss_weight'] = args.tk_weight
    options: Dict[str, Any] = {}
    if not free:
        for name in {'pairwise', 'tk'}.intersection(losses):
            losses[name]['warmup_iters'] = args.warmup_iters
        path = 'train_dataloader.dataset.pipeline.0.frame_range'
        options[path] = args.frame_range
    options[f'model.{head}.mask_losses'] = dict(losses, _delete_=True)
    return options


def training_stages(args: argparse.Namespace) -> Stages:
    """Stages that train and test the variants with every seed."""
    stages: Stages = []
    for seed in args.seeds:
        for name in args.only:
            variant = VARIANTS[name]
            free = variant.config == MASKFREE
            stages += train_and_test(
                f'{name}-{seed}',
                variant.config,
                seed,
                args.maskfree_iters if free else args.iters,
                options_of(variant, args),
                variant.pseudo,
            )
    return stages


@contextmanager
def one_at_a_time(path: Path) -> Iterator[None]:
    """Let other processes wait for what is inside, where files can lock."""
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        import fcntl
    except ImportError:  # Windows: start one process after the other
        yield
        return
    with open(path, 'w') as file:
        fcntl.flock(file, fcntl.LOCK_EX)
        yield


def run(args: argparse.Namespace) -> Dict[str, str]:
    """Make the data, label it, train and test; returns outputs by stage."""
    out = Path(args.out).resolve()
    labels: Stages = []
    with one_at_a_time(out / 'data.lock'):
        write_data(out, args.num_videos, args.num_val_videos, args.num_frames)
        if any(VARIANTS[name].pseudo for name in args.only):
            labels = label_stages(args.teacher_iters)
            run_stages(labels, out)
    return run_stages(labels + training_stages(args), out)


def main() -> None:
    """Run the comparison and print it."""
    args = parse_args()
    start = time.perf_counter()
    metrics = read_metrics(run(args), args.only, args.seeds)
    titles = {name: variant.title for name, variant in VARIANTS.items()}
    result: Dict[str, Any] = {**summarize(metrics, titles)}
    per_seed: Dict[str, List[float]] = {
        name: [run['vis/AP'] for run in runs] for name, runs in metrics.items()
    }
    result.update(
        per_seed=per_seed,
        seeds=args.seeds,
        maskfree_iters=args.maskfree_iters,
        iters=args.iters,
        search=args.search,
        threshold=args.threshold,
        tk_weight=args.tk_weight,
        frame_range=args.frame_range,
        num_videos=args.num_videos,
        num_val_videos=args.num_val_videos,
        minutes=(time.perf_counter() - start) / 60,
    )
    print(json.dumps(result))


if __name__ == '__main__':
    main()
