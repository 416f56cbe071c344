"""List the videos of one dataset that other datasets have, too.

Such as those of YouTube-VOS that are in YouTube-VIS: a mask propagator must
not be trained on the videos that it will label. The list is what
VOSClipDataset(exclude='exclude.txt') reads.
"""

import argparse

from pmvis_mm.datasets.overlap import find_overlap, write_names
from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.text_table import format_table


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        'first',
        help='set to leave videos out of: meta.json of YouTube-VOS, json of '
        'YouTube-VIS, or a text file with one name a line',
    )
    parser.add_argument('others', nargs='+', help='sets to compare it with')
    parser.add_argument('--out', help='text file to write')
    parser.add_argument(
        '--by-content',
        nargs='+',
        metavar='DIR',
        help='folders with the frames of each set, in the same order: '
        'compare the first images instead of names',
    )
    return parser.parse_args()


def main() -> None:
    """Compare, print the numbers, write the list."""
    args = parse_args()
    try:
        overlaps = find_overlap(args.first, args.others, args.by_content)
        rows = [(o.file, o.num_videos, len(o.shared)) for o in overlaps]
        print(format_table(('set', 'videos', 'shared'), rows))
        if args.out:
            names = write_names(overlaps, args.first, args.out)
            print(f'written: {args.out}, {len(names)} names')
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None


if __name__ == '__main__':
    main()
