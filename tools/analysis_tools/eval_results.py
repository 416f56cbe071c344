"""AP of a results file against annotations with masks.

Prints a table; the last line is one JSON object with numbers in [0, 1].
"""

import argparse
import json
from typing import Any, Dict, Union

from pmvis_mm.evaluation.functional import (
    evaluate_tracks,
    find_track_errors,
    load_results,
)
from pmvis_mm.evaluation.functional.track_ap import SHORT_VIDEO
from pmvis_mm.structures import VideoAnnotations
from pmvis_mm.utils.errors import ConfigError, PMVISError
from pmvis_mm.utils.fileio import load_json


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('results', help='results.json, or a zip with it')
    parser.add_argument('ann_file', help='annotations with masks, json')
    parser.add_argument(
        '--breakdown',
        action='store_true',
        help='also by size, by length of the video, by class and by error',
    )
    parser.add_argument(
        '--long-videos',
        default=str(SHORT_VIDEO),
        help='with --breakdown: frames that a short video has at most, or '
        'a json list with the ids of the long ones. Defaults to '
        f'{SHORT_VIDEO}',
    )
    parser.add_argument(
        '--num-workers',
        type=int,
        default=0,
        help='processes that compare masks; 0: this one',
    )
    return parser.parse_args()


def _long_videos(text: str) -> Union[int, list]:
    if text.isdigit():
        return int(text)
    ids = load_json(text, ConfigError)
    if not isinstance(ids, list):
        raise ConfigError(
            f'expected a list of ids, got {type(ids).__name__}',
            file=text,
            fix='write the ids of the long videos as a json list',
        )
    return ids


def evaluate(args: argparse.Namespace) -> Dict[str, Any]:
    truth = VideoAnnotations.from_file(
        args.ann_file, with_masks=True, clip_boxes=True
    )
    entries = load_results(args.results, truth)
    quality = evaluate_tracks(
        entries,
        truth,
        sizes=args.breakdown,
        long_videos=_long_videos(args.long_videos) if args.breakdown else None,
        num_workers=args.num_workers,
    )
    report: Dict[str, Any] = quality.summary()
    if args.breakdown:
        report.update(find_track_errors(entries, truth).flat())
        names = {c['id']: c.get('name') for c in truth.categories}
        report['classes'] = [
            dict(id=key, name=names[key], AP=value)
            for key, value in quality.per_category().items()
        ]
    return report


def main() -> None:
    args = parse_args()
    try:
        report = evaluate(args)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    for name, value in report.items():
        if name == 'classes':
            for row in value:
                print(f'AP of {row["name"]:<31}{row["AP"]:.4f}')
        elif isinstance(value, int):
            print(f'{name:<37}{value}')
        else:
            print(f'{name:<37}{value:.4f}')
    # NaN is no json: null where nothing real is.
    print(
        json.dumps(
            {
                key: None if value != value else value
                for key, value in report.items()
            }
        )
    )


if __name__ == '__main__':
    main()
