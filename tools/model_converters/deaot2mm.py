"""Convert checkpoints of DeAOT from the public code to pmvis_mm.

Labelling reads files of both kinds; converted ones are read without
knowledge of the other code's names, and hold nothing but weights.
"""

import argparse

from pmvis_mm.apis import convert_deaot_checkpoint
from pmvis_mm.utils.errors import PMVISError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', help='checkpoint to read')
    parser.add_argument('dst', nargs='?', help='checkpoint to write')
    parser.add_argument(
        '--arch',
        required=True,
        help='deaott, deaots, deaotb, deaotl, r50_deaotl or swinb_deaotl',
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='check, but write nothing'
    )
    args = parser.parse_args()
    if args.dst is None and not args.dry_run:
        parser.error('name the file to write, or add --dry-run')
    return args


def main() -> None:
    args = parse_args()
    try:
        report = convert_deaot_checkpoint(
            args.src, None if args.dry_run else args.dst, args.arch
        )
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    print(report)
    print(f'names and shapes are those of {args.arch}')
    print('nothing written' if args.dry_run else f'wrote {args.dst}')


if __name__ == '__main__':
    main()
