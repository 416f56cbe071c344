"""Test a model, or run a labelling config, from a config."""

import argparse
from typing import Optional

from mmdet.evaluation import DumpDetResults
from mmdet.evaluation.metrics.base_video_metric import BaseVideoMetric
from mmengine.config import Config
from mmengine.runner import Runner

from pmvis_mm.evaluation.metrics.gather import GatherAllMetric
from pmvis_mm.utils.checkpoint import check_weights
from pmvis_mm.utils.errors import ConfigError, PMVISError
from pmvis_mm.utils.launch import (
    add_common_arguments,
    build_runner,
    check_checkpoint,
    close_distributed,
    enable_painting,
    load_config,
    unwrapped,
)

# Their predictions are videos: as one pickle they would not fit in memory.
VIDEO_METRICS = (BaseVideoMetric, GatherAllMetric)


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('config', help='config file')
    parser.add_argument(
        'checkpoint',
        nargs='?',
        help='checkpoint file; labelling configs need none. "none" stands '
        'for no checkpoint (mim test always wants a value)',
    )
    add_common_arguments(parser)
    parser.add_argument(
        '--out', help='dump the predictions on images to this .pkl file'
    )
    parser.add_argument(
        '--show-dir', help='folder for frames painted with the predictions'
    )
    return parser


def set_checkpoint(cfg: Config, checkpoint: Optional[str]) -> None:
    """Put the checkpoint into the config; only some loops do without.

    Args:
        cfg (Config): Changed in place.
        checkpoint (str, optional): As given on the command line.

    Raises:
        ConfigError: If a checkpoint is needed and missing.
    """
    if checkpoint is not None and checkpoint.lower() == 'none':
        cfg.load_from = None
    elif checkpoint is not None:
        cfg.load_from = check_checkpoint(
            checkpoint, 'give the .pth file that training wrote'
        )
    elif cfg.get('load_from') is None:
        loop = (cfg.get('test_cfg') or {}).get('type', 'TestLoop')
        if loop == 'TestLoop':
            raise ConfigError(
                'this config needs a checkpoint',
                file=cfg.filename,
                fix='give one after the config, or "none" to test random '
                'weights',
            )


def dump_predictions(runner: Runner, out: str) -> None:
    """Let a second metric write all predictions into one file.

    Args:
        runner (Runner): Built, not started.
        out (str): File with suffix .pkl or .pickle.

    Raises:
        ConfigError: If the suffix or the kind of test does not fit.
    """
    fix = (
        'VIS metrics write their json themselves: --cfg-options '
        'test_evaluator.outfile_prefix=PREFIX; labelling writes its shards '
        'into the work dir'
    )
    if not out.endswith(('.pkl', '.pickle')):
        raise ConfigError('--out must end with .pkl', file=out, fix=fix)
    evaluator = getattr(runner.test_loop, 'evaluator', None)
    metrics = getattr(evaluator, 'metrics', None)
    if not metrics or any(isinstance(m, VIDEO_METRICS) for m in metrics):
        raise ConfigError('--out dumps images only', file=out, fix=fix)
    metrics.append(DumpDetResults(out_file_path=out))


def main() -> None:
    """Parse the command line and test."""
    parser = build_parser()
    args = parser.parse_args()
    try:
        cfg = load_config(args)
        set_checkpoint(cfg, args.checkpoint)
        if args.show_dir:
            enable_painting(cfg, args.show_dir)
        runner = build_runner(cfg)
        if cfg.get('load_from'):
            check_weights(unwrapped(runner.model), cfg.load_from)
        if args.out:
            dump_predictions(runner, args.out)
        runner.test()
        close_distributed()
    except PMVISError as error:
        parser.error(str(error))


if __name__ == '__main__':
    main()
