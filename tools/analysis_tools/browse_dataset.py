"""Look at the samples of a config, at every stage of its pipeline.

    python tools/analysis_tools/browse_dataset.py CONFIG --not-show \
        --output-dir shown --stages all --num 2

A picture has the frames of a clip side by side with the boxes, classes, ids
and masks that the sample holds at that stage; a text tells keys, shapes and
types, and where masks are.
"""

import argparse
from pathlib import Path

from mmengine.config import Config, DictAction
from mmengine.registry import init_default_scope

from pmvis_mm.registry import VISUALIZERS
from pmvis_mm.utils.errors import ConfigError, PMVISError
from pmvis_mm.utils.fileio import ensure_writable
from pmvis_mm.visualization.browse import (
    PHASES,
    browse,
    build_phase,
    choose_samples,
    write_picture,
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('config', help='config file')
    parser.add_argument(
        '--phase', choices=PHASES, default='train', help='whose dataloader'
    )
    parser.add_argument(
        '--stages',
        nargs='+',
        default=['last'],
        help='"last": as a model gets a sample; "all": after every '
        'transform; or names of transforms, such as RandomFlip',
    )
    parser.add_argument(
        '--index', nargs='+', type=int, help='samples to look at'
    )
    parser.add_argument(
        '--num', type=int, help='only so many samples, from the first'
    )
    parser.add_argument('--output-dir', help='folder for .png and .txt files')
    parser.add_argument(
        '--not-show', action='store_true', help='open no window'
    )
    parser.add_argument(
        '--show-interval', type=float, default=2, help='seconds of a picture'
    )
    parser.add_argument(
        '--max-frames', type=int, default=10, help='of a longer clip'
    )
    parser.add_argument(
        '--seed', type=int, default=0, help='of what is random'
    )
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config: key=value',
    )
    return parser.parse_args()


def load(args: argparse.Namespace) -> Config:
    """Read the config."""
    if not Path(args.config).is_file():
        raise ConfigError(
            'config not found', file=args.config, fix='check the path'
        )
    cfg = Config.fromfile(args.config)
    if args.cfg_options is not None:
        cfg.merge_from_dict(args.cfg_options)
    return cfg


def run(args: argparse.Namespace) -> None:
    """Show, write and describe samples."""
    if args.output_dir is not None:
        ensure_writable(args.output_dir)
    cfg = load(args)
    init_default_scope(cfg.get('default_scope', 'pmvis_mm'))
    dataset = build_phase(cfg, args.phase)
    visualizer = VISUALIZERS.build(dict(cfg.visualizer, vis_backends=None))
    pictures = browse(
        dataset,
        choose_samples(dataset, args.index, args.num),
        args.stages,
        args.seed,
        visualizer.alpha,
        getattr(visualizer, 'min_height', 0),
        args.max_frames,
    )
    for picture in pictures:
        print('\n'.join([picture.title, *picture.summary, '']))
        if args.output_dir is not None:
            write_picture(picture, args.output_dir)
        if picture.image is not None and not args.not_show:
            visualizer.show(
                picture.image[..., ::-1],
                win_name=picture.title,
                wait_time=args.show_interval,
            )


def main() -> None:
    """Run; bad input ends with a message."""
    args = parse_args()
    try:
        run(args)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None


if __name__ == '__main__':
    main()
