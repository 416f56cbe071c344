"""Write masks or boxes of a dataset in the format of another tool.

The source is a set of pseudo masks, a YouTube-VIS json with masks or with
boxes only, or the results of a model (with --ann). What was written, and
what the format could not hold, is printed.
"""

import argparse
import json
from typing import Any, Dict

from pmvis_mm.formats import RULES, ExportReport, export_set, load_source
from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.option_words import add_options, read_options
from pmvis_mm.utils.text_table import format_table


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    options = '; '.join(
        f'{name}: {", ".join(rule.allowed()) or "none"}'
        for name, rule in RULES.items()
    )
    parser = argparse.ArgumentParser(
        description=__doc__, epilog=f'options of the formats: {options}'
    )
    parser.add_argument('source', help='json, or a zip with results')
    parser.add_argument('format', choices=[*RULES])
    parser.add_argument(
        'out',
        help='file (json, results, coco_video, csv), or folder of one file or '
        'folder for each video',
    )
    parser.add_argument(
        '--ann', help='annotations that list the videos of results'
    )
    parser.add_argument(
        '--videos', nargs='+', metavar='NAME', help='names or ids; else all'
    )
    parser.add_argument(
        '--score-thr', type=float, help='leave out tracks of a lower score'
    )
    parser.add_argument(
        '--tight-boxes',
        action='store_true',
        help='boxes just around the masks, not those of the source',
    )
    parser.add_argument(
        '--img-prefix', metavar='DIR', help='frames, for mp4 and webm'
    )
    parser.add_argument('--fps', type=float, help='frames per second')
    parser.add_argument(
        '--overwrite', action='store_true', help='replace an older export'
    )
    add_options(parser, 'options of the format, see below')
    return parser.parse_args()


def show(report: ExportReport) -> None:
    """Print what was written and what was not."""
    rows = [*report.counts.items()]
    rows += [(f'left out: {what}', n) for what, n in report.lost.items()]
    print(format_table(('what', 'number'), rows))
    for note in report.notes:
        print(f'note: {note}')
    print(f'written: {report.path}')
    facts: Dict[str, Any] = dict(report.counts, lost=dict(report.lost))
    print(json.dumps(dict(path=str(report.path), **facts)))


def main() -> None:
    """Export, print the losses."""
    args = parse_args()
    options: Dict[str, Any] = {
        key: getattr(args, key)
        for key in (
            'videos', 'score_thr', 'tight_boxes', 'img_prefix', 'fps',
            'overwrite',
        )
    }  # fmt: skip
    try:
        source = load_source(args.source, args.ann)
        report = export_set(
            source,
            args.format,
            args.out,
            options=read_options(args),
            **options,
        )
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    show(report)


if __name__ == '__main__':
    main()
