"""From boxes to masks, a trained model and a report, with one command.

Stages that label, train or test run in processes of their own; filters,
overlays and the report in this one. With --launcher pytorch, torchrun starts
--num-processes of them on this machine, one for each GPU. With --launcher
slurm every such stage is an srun of its own with as many tasks: it waits for
its resources and holds them for that stage only, while this program, which
needs no GPU, waits on the node where it was started. See
dist_run_pipeline.sh and slurm_run_pipeline.sh.

A stage is not run again while the content of its config, annotations, masks,
weights and frame listing is unchanged.
"""

import argparse
import shlex
from pathlib import Path
from typing import Sequence

from mmengine.config import Config, DictAction

from pmvis_mm.apis.pipeline import Launcher, Pipeline, PlannedStage
from pmvis_mm.utils.errors import ConfigError, PMVISError

DATA = (
    'ann_file',
    'img_prefix',
    'truth_file',
    'val_ann_file',
    'val_img_prefix',
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='pipeline config')
    parser.add_argument('--work-dir', help='results go here')
    data = parser.add_argument_group(
        'data', 'default: what the config says; "none": no such file'
    )
    data.add_argument('--ann-file', help='json with boxes')
    data.add_argument('--img-prefix', help='frame folder')
    data.add_argument(
        '--truth-file',
        help='real masks of the same videos: only judged by, never used for '
        'labelling; trained on with supervision="pixel" alone',
    )
    data.add_argument(
        '--val-ann-file',
        help='videos to test on; without masks in it, predictions are '
        'written for a server',
    )
    data.add_argument('--val-img-prefix', help='its frame folder')
    data.add_argument(
        '--clip-boxes',
        action='store_true',
        help='clip boxes that stick out of the frame instead of refusing',
    )
    parser.add_argument(
        '--dry-run',
        action='store_true',
        help='check files, weights and classes, tell what would run, stop; '
        'exit status 1 if anything is wrong',
    )
    parser.add_argument(
        '--num-processes',
        type=int,
        default=1,
        help='processes of each stage that labels, trains or tests',
    )
    parser.add_argument(
        '--launcher',
        choices=['pytorch', 'slurm'],
        default='pytorch',
        help='how they are started',
    )
    parser.add_argument(
        '--srun-args',
        default='',
        help='words for srun: --srun-args="-p gpu --gres=gpu:8"',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override variables of the config: key=value',
    )
    return parser.parse_args()


def build(args: argparse.Namespace) -> Pipeline:
    """Read the config and build the pipeline."""
    if not Path(args.config).is_file():
        raise ConfigError(
            'config not found',
            file=args.config,
            fix='give one of configs/labeling/pipeline_*.py',
        )
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    return Pipeline(
        cfg,
        args.work_dir or Path('work_dirs') / Path(args.config).stem,
        **{name: getattr(args, name) for name in DATA},
        clip_boxes=args.clip_boxes,
        launcher=Launcher(
            args.launcher,
            args.num_processes,
            tuple(shlex.split(args.srun_args)),
        ),
    )


def print_plan(rows: Sequence[PlannedStage]) -> None:
    """Print what would run."""
    width = max(len(row.name) for row in rows) + 2
    for row in rows:
        print(f'  {row.name:{width}}{row.type:9}{row.state:12}{row.why}')


def main() -> None:
    """Run the pipeline and say where to look."""
    args = parse_args()
    try:
        pipeline = build(args)
        if args.dry_run:
            problems = pipeline.check()
            print_plan(pipeline.plan())
            problems.raise_all()
            print('All checks passed.')
            return
        outputs = pipeline.run()
    except (PMVISError, RuntimeError) as error:
        raise SystemExit(f'error: {error}') from None
    print('\nWhere to look:')
    for name, path in outputs.items():
        print(f'  {name:20s} {Path(path)}')


if __name__ == '__main__':
    main()
