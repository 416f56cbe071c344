"""Check a dataset before it costs a night: json, frames, overlap of splits.

Everything that is wrong is found in one pass, each with a code, its place
and a fix. Exit code 0: no error; 1: errors, or with --strict warnings; 2:
wrong arguments. The last line is one JSON object.
"""

import argparse
import json
import sys
from itertools import groupby

from pmvis_mm.checking import (
    Findings,
    check_files,
    write_fixed,
)
from pmvis_mm.checking.fixing import check_target
from pmvis_mm.checking.frames import DECODE
from pmvis_mm.utils.class_names import DATASET_CLASSES
from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.fileio import dump_json


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        'ann_files',
        nargs='+',
        metavar='ANN',
        help='YouTube-VIS style json; of several, overlap is looked for',
    )
    parser.add_argument(
        '--img-prefix',
        nargs='+',
        default=[],
        metavar='DIR',
        help='folder of images, one for all files or one for each; without '
        'it, frames are not looked for',
    )
    parser.add_argument(
        '--decode',
        choices=DECODE,
        default='sample',
        help='frames to decode (default: sample); with "none" they only '
        'have to exist',
    )
    parser.add_argument(
        '--sample',
        type=int,
        default=200,
        metavar='N',
        help='frames of each file that "sample" decodes (default: 200)',
    )
    parser.add_argument(
        '--box-only',
        action='store_true',
        help='look at no mask and no area; --fix leaves them as they are',
    )
    parser.add_argument(
        '--version',
        choices=sorted(DATASET_CLASSES),
        help='dataset whose classes the file must have',
    )
    parser.add_argument(
        '--clip-boxes',
        action='store_true',
        help='boxes that stick out are no error: datasets with '
        'clip_boxes=True clip them',
    )
    parser.add_argument(
        '--strict', action='store_true', help='warnings fail, too'
    )
    parser.add_argument(
        '--fix', metavar='OUT', help='write a repaired copy of the one ANN'
    )
    parser.add_argument(
        '--json', metavar='REPORT', help='write everything found and counted'
    )
    parser.add_argument(
        '--max-shown',
        type=int,
        default=5,
        metavar='N',
        help='findings of each code that are shown (default: 5)',
    )
    return parser


def show(findings: Findings, max_shown: int) -> None:
    """Print findings, the first of each code."""
    for code, group in groupby(findings, key=lambda finding: finding.code):
        for number, finding in enumerate(group):
            if number == max_shown:
                break
            print(finding)
        more = findings.counts[code] - max_shown
        if more > 0 and len(findings.of(code)) > max_shown:
            print(f'  ... and {more} more {code}')


def main() -> None:
    """Check, tell, repair if asked for."""
    parser = build_parser()
    args = parser.parse_args()
    if args.fix and len(args.ann_files) > 1:
        parser.error('--fix repairs one file: name one ANN')
    if args.sample < 0 or args.max_shown < 0:
        parser.error('--sample and --max-shown take numbers from 0')
    try:
        if args.fix:
            check_target(args.ann_files[0], args.fix)
        summary = check(args)
        if args.fix:
            summary['fix'] = fix(args)
    except PMVISError as error:
        parser.error(str(error))
    print(json.dumps(summary))
    failed = summary['errors'] or (args.strict and summary['warnings'])
    sys.exit(1 if failed else 0)


def check(args: argparse.Namespace) -> dict:
    """Check and print; give the summary."""
    reports, overlap = check_files(
        args.ann_files,
        args.img_prefix,
        args.decode,
        args.sample,
        args.box_only,
        args.version,
        args.clip_boxes,
    )
    for report in reports:
        print(f'{report.file}\n\n{report.counts.tables()}\n')
        show(report.findings, args.max_shown)
        print(f'{report.file}: {report.findings.summary()}\n')
    if len(reports) > 1:
        show(overlap, args.max_shown)
        print(f'overlap: {overlap.summary()}\n')
    groups = [report.findings for report in reports] + [overlap]
    totals = dict(
        errors=sum(group.num_errors for group in groups),
        warnings=sum(group.num_warnings for group in groups),
        notes=sum(group.number('note') for group in groups),
    )
    if args.json:
        dump_json(
            dict(
                totals,
                files=[report.to_json() for report in reports],
                overlap=[finding.to_json() for finding in overlap],
            ),
            args.json,
        )
    return dict(files=args.ann_files, **totals)


def fix(args: argparse.Namespace) -> dict:
    """Write a repaired copy, and say what is left to do by hand."""
    prefix = args.img_prefix[0] if args.img_prefix else None
    changes, lists = write_fixed(
        args.ann_files[0], args.fix, args.box_only, prefix
    )
    print(f'{len(changes)} changes are listed in {lists[1]} and {lists[0]}')
    (report,), _ = check_files(
        [args.fix],
        args.img_prefix,
        args.decode,
        args.sample,
        args.box_only,
        args.version,
        args.clip_boxes,
    )
    left = report.findings
    if left.num_errors or left.num_warnings:
        print('left to do by hand:')
        show(left, args.max_shown)
    print(f'{args.fix}: {left.summary()}\n')
    return dict(
        file=args.fix,
        changes=len(changes),
        errors=left.num_errors,
        warnings=left.num_warnings,
    )


if __name__ == '__main__':
    main()
