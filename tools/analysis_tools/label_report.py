"""Write the labelling report: how good pseudo masks are, in one html."""

import argparse
import json
from pathlib import Path
from typing import Any, Dict

from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.utils.errors import ConfigError, PMVISError
from pmvis_mm.utils.fileio import load_json
from pmvis_mm.utils.named_paths import add_sources
from pmvis_mm.visualization.report import write_report


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('final', help='pseudo masks that were chosen, json')
    parser.add_argument(
        '--ann-file', required=True, help='the annotated boxes, json'
    )
    parser.add_argument(
        '--img-prefix', help='folder of the frames; none: no pictures'
    )
    add_sources(
        parser,
        'candidate masks of every source',
    )
    parser.add_argument('--truth', help='json with real masks, if there are')
    parser.add_argument(
        '--stage-times', help='json: a list of one object per stage'
    )
    parser.add_argument('--metrics', help='json: an object of numbers')
    parser.add_argument('--filter-stats', help='json: an object of counts')
    parser.add_argument(
        '--num-worst', type=int, default=20, help='tracks to show'
    )
    parser.add_argument(
        '--sort-by',
        choices=('iou', 'suspicion'),
        help='which tracks to show first; by default the lowest IoU with '
        '--truth, else the highest suspicion (1 - mean score)',
    )
    parser.add_argument(
        '--title', default='Labelling report', help='heading of the report'
    )
    parser.add_argument('--out', required=True, help='html file to write')
    return parser.parse_args()


def _load(path: Any, kind: type) -> Any:
    if path is None:
        return kind()
    data = load_json(path, ConfigError)
    if not isinstance(data, kind):
        raise ConfigError(
            f'expected a {kind.__name__}, got {type(data).__name__}',
            file=path,
            fix='see --help for what belongs into this file',
        )
    return data


def run(args: argparse.Namespace) -> None:
    truth = None
    if args.truth is not None:
        truth = VideoAnnotations.from_file(
            args.truth, with_masks=True, clip_boxes=True
        )
    sources: Dict[str, PseudoMaskSet] = {
        name: PseudoMaskSet.load(path, name)
        for name, path in args.sources.items()
    }
    write_report(
        args.out,
        PseudoMaskSet.load(args.final),
        sources,
        VideoAnnotations.from_file(args.ann_file, clip_boxes=True),
        args.img_prefix,
        truth,
        _load(args.stage_times, list),
        _load(args.metrics, dict),
        _load(args.filter_stats, dict),
        args.num_worst,
        args.title,
        args.sort_by,
    )


def main() -> None:
    args = parse_args()
    try:
        run(args)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    size = Path(args.out).stat().st_size
    print(json.dumps(dict(report=args.out, kilobytes=round(size / 1024))))


if __name__ == '__main__':
    main()
