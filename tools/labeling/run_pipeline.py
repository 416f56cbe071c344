"""From boxes to masks, a trained model and a report, with one command."""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction

from pmvis_mm.apis import Pipeline
from pmvis_mm.utils.errors import PMVISError


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='pipeline config')
    parser.add_argument('--work-dir', required=True, help='results go here')
    parser.add_argument('--ann-file', required=True, help='json with boxes')
    parser.add_argument('--img-prefix', required=True, help='frame folder')
    parser.add_argument(
        '--truth-file',
        help='real masks of the same videos: only judged by, never used for '
        'labelling or training',
    )
    parser.add_argument('--val-ann-file', help='json with masks to test on')
    parser.add_argument('--val-img-prefix', help='its frame folder')
    parser.add_argument(
        '--num-processes',
        type=int,
        default=1,
        help='processes per labelling stage',
    )
    parser.add_argument(
        '--clip-boxes',
        action='store_true',
        help='clip boxes that stick out of the frame instead of refusing',
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override variables of the config: key=value',
    )
    return parser.parse_args()


def main() -> None:
    """Run the pipeline and say where to look."""
    args = parse_args()
    cfg = Config.fromfile(args.config)
    if args.cfg_options:
        cfg.merge_from_dict(args.cfg_options)
    try:
        pipeline = Pipeline(
            cfg,
            args.work_dir,
            args.ann_file,
            args.img_prefix,
            args.truth_file,
            args.val_ann_file,
            args.val_img_prefix,
            args.num_processes,
            args.clip_boxes,
        )
        outputs = pipeline.run()
    except (PMVISError, RuntimeError) as error:
        raise SystemExit(f'error: {error}') from None
    print('\nWhere to look:')
    for name, path in outputs.items():
        print(f'  {name:20s} {Path(path)}')


if __name__ == '__main__':
    main()
