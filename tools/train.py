"""Train a model from a config."""

import argparse

from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.launch import (
    add_common_arguments,
    build_runner,
    check_checkpoint,
    check_load_from,
    close_distributed,
    enable_amp,
    enable_auto_scale_lr,
    load_config,
)


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    add_common_arguments(parser)
    parser.add_argument(
        '--amp', action='store_true', help='automatic mixed precision'
    )
    parser.add_argument(
        '--auto-scale-lr',
        action='store_true',
        help='scale the learning rate with the batch size',
    )
    parser.add_argument(
        '--resume',
        nargs='?',
        const='auto',
        help='continue from a checkpoint; without a path (or "auto") from '
        'the latest one in the work dir',
    )
    return parser


def main() -> None:
    """Parse the command line and train."""
    parser = build_parser()
    args = parser.parse_args()
    try:
        cfg = load_config(args)
        if args.amp:
            enable_amp(cfg)
        if args.auto_scale_lr:
            enable_auto_scale_lr(cfg)
        if args.resume is not None:
            cfg.resume = True
            cfg.load_from = None
            if args.resume != 'auto':
                cfg.load_from = check_checkpoint(
                    args.resume, '--resume alone takes the latest checkpoint'
                )
        runner = build_runner(cfg)
        check_load_from(cfg, runner)
        runner.train()
        close_distributed()
    except PMVISError as error:
        parser.error(str(error))


if __name__ == '__main__':
    main()
