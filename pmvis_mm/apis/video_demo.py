"""Command line of :class:`VISInferencer`: a video in, its tracks out."""

import argparse
import os
from pathlib import Path
from typing import Any, Dict, List, Mapping, Optional, Sequence, Union

from mmengine.config import DictAction

from ..utils.errors import ConfigError, PMVISError

_DESCRIPTION = """Find and follow the instances of a video.

A run that was stopped or killed goes on where it was when the same command
is given again; asking for other formats then does not run the model again.
"""


def _clip_length(text: str) -> Optional[int]:
    return None if text == 'whole' else int(text)


def parse_args(words: Optional[Sequence[str]] = None) -> argparse.Namespace:
    """Parse the command line.

    Args:
        words (Sequence[str], optional): Defaults to None: that of the
            process.

    Returns:
        argparse.Namespace: Options that were not given are None.
    """
    parser = argparse.ArgumentParser(
        description=_DESCRIPTION,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'input',
        help='video file, folder of images, URL, or number of a camera',
    )
    parser.add_argument('config', help='config, or name of a model')
    parser.add_argument('--checkpoint', help='weights; default: of the name')
    parser.add_argument('--out-dir', default='outputs', help='results go here')
    parser.add_argument(
        '--formats',
        nargs='+',
        default=['mp4', 'json'],
        help='of mp4, webm, json, coco_video, mots, csv, png; default: mp4 '
        'json',
    )
    parser.add_argument(
        '--format-options',
        nargs='+',
        action=DictAction,
        default={},
        metavar='FORMAT.OPTION=VALUE',
        help='options of the formats: mots.first_frame=0 json.as_dataset=True',
    )
    parser.add_argument('--device', help='default: cuda if there, else cpu')
    parser.add_argument(
        '--score-thr',
        type=float,
        default=0.3,
        help='instances below are not painted, and left out of mots and png; '
        'default: 0.3',
    )
    _add_options(parser)
    parser.add_argument(
        '--cfg-options',
        nargs='+',
        action=DictAction,
        help='override settings of the config: key=value',
    )
    return parser.parse_args(words)


def _add_options(parser: argparse.ArgumentParser) -> None:
    """Add what ``InferenceOptions`` has; its defaults are not repeated."""
    group = parser.add_argument_group('how to walk over the video')
    absent: Dict[str, Any] = dict(default=argparse.SUPPRESS)
    group.add_argument(
        '--batch-size',
        type=int,
        help='frames per forward of models that link frames by themselves',
        **absent,
    )
    group.add_argument(
        '--clip-length',
        type=_clip_length,
        metavar='N',
        help='frames per forward of models of clips, or "whole"',
        **absent,
    )
    group.add_argument(
        '--clip-overlap',
        type=int,
        metavar='N',
        help='frames that these clips have in common',
        **absent,
    )
    group.add_argument(
        '--precision', choices=['fp32', 'fp16', 'bf16'], **absent
    )
    group.add_argument(
        '--max-frames', type=int, help='stop after so many', **absent
    )
    group.add_argument(
        '--on-error',
        choices=['raise', 'stop'],
        help='what to do where a video file ends before it should',
        **absent,
    )
    group.add_argument(
        '--no-resume',
        dest='resume',
        action='store_false',
        help='begin anew, whatever an earlier run has found',
        **absent,
    )


_OPTIONS = (
    'batch_size',
    'clip_length',
    'clip_overlap',
    'precision',
    'max_frames',
    'on_error',
    'resume',
)


def build_formats(
    names: Sequence[str], options: Mapping[str, Any]
) -> List[Dict[str, Any]]:
    """Join formats and their options.

    Args:
        names (Sequence[str]): Of the formats.
        options (Mapping): Values by 'FORMAT.OPTION'.

    Returns:
        list[dict]: Configs of result writers, without their paths.

    Raises:
        ConfigError: If an option is of no format that is written.
    """
    chosen: Dict[str, Dict[str, Any]] = {
        name: dict(type=name) for name in names
    }
    for key, value in options.items():
        name, dot, option = key.partition('.')
        if not dot or name not in chosen:
            raise ConfigError(
                f'format option {key!r} is of none of the formats '
                f'{list(chosen)}',
                fix='write FORMAT.OPTION=VALUE, and name the format in '
                '--formats',
            )
        chosen[name][option] = value
    return list(chosen.values())


def _source(text: str) -> Union[str, int]:
    """Tell the number of a camera from a path or an address."""
    return int(text) if text.isdigit() and not os.path.exists(text) else text


def run(args: argparse.Namespace) -> List[Path]:
    """Predict the video and write the results.

    Args:
        args (argparse.Namespace): From :func:`parse_args`.

    Returns:
        list[Path]: What was written.

    Raises:
        PMVISError: See :class:`VISInferencer`.
    """
    formats = build_formats(args.formats, args.format_options)
    from .vis_inferencer import VISInferencer  # slow: --help does without

    inferencer = VISInferencer(
        args.config,
        args.checkpoint,
        args.device,
        cfg_options=args.cfg_options,
    )
    options = {n: getattr(args, n) for n in _OPTIONS if hasattr(args, n)}
    results = inferencer(
        _source(args.input),
        args.out_dir,
        formats,
        args.score_thr,
        **options,
    )
    for video in results['predictions']:
        print(f'{video.info.name}: {video.length} frames')
    return results['outputs']


def main(words: Optional[Sequence[str]] = None) -> None:
    """Run the command; mistakes end with one line."""
    args = parse_args(words)
    try:
        outputs = run(args)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    except KeyboardInterrupt:
        raise SystemExit(
            'stopped; the same command goes on from here'
        ) from None
    for path in outputs:
        print(path)
