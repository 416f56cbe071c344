"""Divide a YouTube-VIS style json into train and minival, by video.

Both parts hold their share of the instances of every category; the same
file, options and seed always give the same parts.
"""

import argparse

from pmvis_mm.datasets.video_split import VideoSplit, split_file
from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.text_table import format_table


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('ann_file', help='YouTube-VIS style json')
    parser.add_argument(
        '--out-dir',
        help='folder for <name>_train.json and <name>_minival.json; that of '
        'the file by default',
    )
    size = parser.add_mutually_exclusive_group(required=True)
    size.add_argument(
        '--val-fraction', type=float, help='share of videos, such as 0.1'
    )
    size.add_argument('--val-videos', type=int, help='number of videos')
    parser.add_argument(
        '--seed', type=int, default=0, help='another seed, another split'
    )
    parser.add_argument(
        '--group-by',
        metavar='REGEX',
        help='keep videos together whose folder has the same match (its '
        'first group if it has one), e.g. "^(.*)_part[0-9]+$"',
    )
    return parser.parse_args()


def show(split: VideoSplit) -> None:
    """Print how many of each category are where, and warnings."""
    rows = [
        (row.name, *row.instances, *row.videos, _share(row.instances))
        for row in split.counts
    ]
    header = (
        'category',
        'train',
        'minival',
        'train videos',
        'minival videos',
        'minival share',
    )
    print(format_table(header, rows, digits=3))
    for warning in split.warnings:
        print(f'warning: {warning}')


def _share(numbers: tuple) -> float:
    return numbers[1] / sum(numbers) if sum(numbers) else float('nan')


def main() -> None:
    """Split, print the counts."""
    args = parse_args()
    try:
        split, paths = split_file(**vars(args))
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    show(split)
    for path in paths:
        print(f'written: {path}')


if __name__ == '__main__':
    main()
