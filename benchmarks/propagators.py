"""J&F of propagators on videos with real masks (semi-supervised VOS).

The real mask of every object in the first frame where it is seen is given
and propagated to the last frame. Compared are optical flow, DeAOT with the
weights of any number of files, and DeAOT before training: the same encoder,
everything else random. Figures are those of DAVIS (first and last frame are
not judged). Prints a table per video; the last line is one JSON object.

    python benchmarks/propagators.py --ann-file instances.json \
        --img-prefix JPEGImages --deaot trained=deaot.pth --untrained --boxes
"""

import argparse
import json
import resource
import sys
import time
from pathlib import Path
from typing import Any, Dict, Iterator, Optional, Tuple

import torch
from mmengine.config import DictAction
from mmengine.logging import MMLogger
from mmengine.registry import DefaultScope

from pmvis_mm.evaluation.functional import JFQuality
from pmvis_mm.evaluation.propagation import judge_propagation
from pmvis_mm.labeling.sources import (
    DeAOTSource,
    FlowPropagator,
    PropagationSource,
)
from pmvis_mm.structures import VideoAnnotations
from pmvis_mm.structures.frame_reader import FrameReader
from pmvis_mm.utils.checkpoint import load_weights, read_checkpoint
from pmvis_mm.utils.errors import ConfigError, PMVISError
from pmvis_mm.utils.launch import check_checkpoint

# Name, source and whether it knows the boxes of all frames.
Row = Tuple[str, PropagationSource, bool]
# Where networks, and models that hold one, have their encoder.
HOLDERS = ('network.backbone.', 'backbone.')


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--ann-file', required=True, help='YouTube-VIS json with real masks'
    )
    parser.add_argument('--img-prefix', required=True)
    parser.add_argument(
        '--deaot',
        nargs='*',
        default=[],
        metavar='NAME=FILE',
        help='checkpoints of DeAOT, of the public code or ours',
    )
    parser.add_argument(
        '--network',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='options of the DeAOT network (default: arch=deaott)',
    )
    parser.add_argument(
        '--propagator',
        nargs='+',
        action=DictAction,
        default={},
        metavar='KEY=VALUE',
        help='options of DeAOTPropagator, e.g. max_long=1040',
    )
    parser.add_argument(
        '--untrained', action='store_true', help='DeAOT before training, too'
    )
    parser.add_argument(
        '--encoder',
        metavar='FILE',
        help='encoder of the untrained DeAOT: a checkpoint of DeAOT or of its '
        'backbone (default: that of the first of --deaot, else random)',
    )
    parser.add_argument(
        '--boxes',
        action='store_true',
        help='once more with the boxes of all frames known, as in labelling',
    )
    parser.add_argument(
        '--max-videos', type=int, help='only the first so many videos'
    )
    parser.add_argument(
        '--keep-last',
        action='store_true',
        help='judge the last frame, too (YouTube-VOS does, DAVIS does not)',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    return parser


def build_deaot(
    args: argparse.Namespace, checkpoint: Optional[str]
) -> DeAOTSource:
    """Build a tracker of all objects of a video in one pass."""
    # Each frame is visited once: no features need to be kept.
    source = DeAOTSource(
        prior='first',
        propagator=dict(
            type='DeAOTPropagator',
            network={'type': 'DeAOT', 'arch': 'deaott', **args.network},
            **args.propagator,
        ),
        checkpoint=checkpoint,
        references='joint',
        cache_mb=0,
        spill_mb=0,
    )
    return source.to(args.device).eval()


def build_untrained(args: argparse.Namespace) -> DeAOTSource:
    """Build DeAOT as it is when its training begins."""
    torch.manual_seed(args.seed)
    source = build_deaot(args, None)
    network = source.propagator.network
    network.init_weights()
    if args.encoder is not None:
        weights = _encoder_of(args.encoder)
        load_weights(network.backbone, weights, args.encoder)
    elif args.deaot:
        file = args.deaot[0].partition('=')[2]
        trained = build_deaot(args, file).propagator.network
        network.backbone.load_state_dict(trained.backbone.state_dict())
    return source


def _encoder_of(file: str) -> Dict[str, torch.Tensor]:
    weights = read_checkpoint(file)['state_dict']
    for prefix in HOLDERS:
        if any(name.startswith(prefix) for name in weights):
            return {
                name[len(prefix) :]: value
                for name, value in weights.items()
                if name.startswith(prefix)
            }
    return weights


def build_rows(args: argparse.Namespace) -> Iterator[Row]:
    """Build one propagator after the other."""
    known = (False, True) if args.boxes else (False,)
    for with_boxes in known:
        yield 'flow', FlowPropagator(prior='first'), with_boxes
    if args.untrained:
        source = build_untrained(args)
        for with_boxes in known:
            yield 'deaot untrained', source, with_boxes
    for item in args.deaot:
        name, _, file = item.partition('=')
        source = build_deaot(args, file)
        for with_boxes in known:
            yield f'deaot {name}', source, with_boxes


def judge(
    args: argparse.Namespace,
    truth: VideoAnnotations,
    source: PropagationSource,
    with_boxes: bool,
) -> Tuple[JFQuality, float]:
    """Judge a propagator on all videos.

    Returns:
        tuple: J and F, and seconds per frame (reading and judging
        included).
    """
    result, frames = JFQuality(), 0
    start = time.perf_counter()
    for key, video in truth.videos.items():
        reader = FrameReader(video, args.img_prefix)
        found = judge_propagation(
            source,
            reader,
            truth.tracks[key],
            with_boxes,
            skip_last=not args.keep_last,
        )
        result.update(found)
        frames += len(reader)
    return result, (time.perf_counter() - start) / max(frames, 1)


def read_truth(args: argparse.Namespace) -> VideoAnnotations:
    """Read the real masks of the videos that are judged."""
    truth = VideoAnnotations.from_file(
        args.ann_file, with_masks=True, clip_boxes=True
    )
    videos = dict(list(truth.videos.items())[: args.max_videos])
    for video in videos.values():
        FrameReader(video, args.img_prefix).check_exists()
    tracks = {key: truth.tracks[key] for key in videos}
    return VideoAnnotations(videos, truth.categories, tracks, truth.file)


def print_table(rows: Dict[str, JFQuality], truth: VideoAnnotations) -> None:
    """Print J&F, J and F per row, and J&F per video."""
    names = ['jf_mean', 'j_mean', 'j_recall', 'j_decay', 'f_mean']
    videos = [v for v in truth.videos.values() if truth.tracks[v.id]]
    header = ['J&F', 'J', 'J recall', 'J decay', 'F']
    header += [video.name for video in videos]
    print(f'{"":24s}' + ' '.join(f'{h[:9]:>9s}' for h in header))
    for name, quality in rows.items():
        total, per_video = quality.summary(), quality.per_video()
        values = [total[key] for key in names]
        values += [
            per_video[v.id]['jf_mean'] if v.id in per_video else float('nan')
            for v in videos
        ]
        print(f'{name:24s}' + ' '.join(f'{v:9.3f}' for v in values))


def check_files(args: argparse.Namespace) -> None:
    """Find what would fail after the first propagator."""
    files = [] if args.encoder is None else [args.encoder]
    for item in args.deaot:
        name, _, file = item.partition('=')
        if not name or not file:
            raise ConfigError(
                f'--deaot {item!r} is no NAME=FILE',
                fix='write e.g. --deaot trained=work_dirs/deaot/latest.pth',
            )
        files.append(file)
    for file in files:
        check_checkpoint(file, 'give the .pth file that training wrote')


def measure(args: argparse.Namespace) -> Dict[str, Any]:
    """Judge everything, print the table, collect the figures."""
    check_files(args)
    truth = read_truth(args)
    rows: Dict[str, JFQuality] = {}
    costs: Dict[str, float] = {}
    for name, source, with_boxes in build_rows(args):
        name += ' + boxes' if with_boxes else ''
        rows[name], seconds = judge(args, truth, source, with_boxes)
        costs[name] = round(1000 * seconds, 1)
        figures = rows[name].summary()
        print(f'{name}: J&F {figures["jf_mean"]:.4f}', file=sys.stderr)
    print_table(rows, truth)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    return dict(
        ann_file=Path(args.ann_file).name,
        videos=len(truth.videos),
        objects=len(next(iter(rows.values())).per_object()),
        rows={name: _rounded(q.summary()) for name, q in rows.items()},
        per_video={
            name: {
                truth.videos[key].name: round(figures['jf_mean'], 4)
                for key, figures in quality.per_video().items()
            }
            for name, quality in rows.items()
        },
        ms_per_frame=costs,
        peak_mb=peak // 1024,
    )


def _rounded(figures: Dict[str, float]) -> Dict[str, float]:
    return {name: round(value, 4) for name, value in figures.items()}


def main() -> None:
    """Judge, or say what is wrong with the input."""
    parser = build_parser()
    args = parser.parse_args()
    # Else it tells of every weight that is drawn.
    MMLogger.get_current_instance().setLevel('WARNING')
    try:
        with DefaultScope.overwrite_default_scope('pmvis_mm'):
            figures = measure(args)
    except PMVISError as error:
        parser.error(str(error))
    print(json.dumps(figures))


if __name__ == '__main__':
    main()
