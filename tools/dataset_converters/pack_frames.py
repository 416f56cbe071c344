"""Pack the frames of an annotation file into tar archives or an LMDB.

Few large files are what network disks are fast with. Images keep their
bytes, so pixels are the same; with --short-edge, and for frames of video
files, they are encoded anew and pixels differ. Point the training at the
result by backend_args of the dataset and of LoadVISFrame; the last lines of
the output say how. Killed runs go on where they were.
"""

import argparse
import time
from typing import Callable

from pmvis_mm.datasets.frame_packing import (
    PackingOptions,
    PackingReport,
    pack_frames,
)
from pmvis_mm.utils.errors import PMVISError

BACKENDS = dict(tar='tar', lmdb='frames_lmdb')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('ann_file', help='YouTube-VIS style json')
    parser.add_argument(
        'img_prefix', help='folder that its file names are relative to'
    )
    parser.add_argument(
        'out', help='archive or, with --shard-size or lmdb, a new folder'
    )
    parser.add_argument('--format', choices=tuple(BACKENDS), default='tar')
    parser.add_argument(
        '--short-edge',
        type=int,
        help='shrink larger frames to this shorter side, pixels; a json '
        'with scaled boxes, masks and sizes is written beside',
    )
    parser.add_argument(
        '--quality', type=int, default=95, help='of JPEGs encoded anew'
    )
    parser.add_argument(
        '--image-format',
        choices=('jpg', 'png'),
        default='jpg',
        help='of frames that are encoded; png is lossless and large',
    )
    parser.add_argument(
        '--shard-size', type=float, help='megabytes per archive'
    )
    parser.add_argument(
        '--no-check',
        action='store_true',
        help='do not decode images that are packed as they are',
    )
    return parser.parse_args()


def progress_printer(seconds: float = 10.0) -> Callable[[int, int], None]:
    """Make a function that prints now and then."""
    last = [time.monotonic()]

    def show(done: int, total: int) -> None:
        if done == total or time.monotonic() - last[0] > seconds:
            print(f'{done} of {total} frames', flush=True)
            last[0] = time.monotonic()

    return show


def show(report: PackingReport, args: argparse.Namespace) -> None:
    """Print what was done and how to use it."""
    print(f'written: {args.out} ({report.num_frames} frames)')
    if report.num_found:
        print(f'{report.num_found} of them by an earlier run')
    if report.num_encoded:
        print(
            f'{report.num_encoded} frames were encoded anew: their pixels '
            'differ from the source'
        )
    if report.ann_file:
        print(f'written: {report.ann_file}; use it with these frames')
    print(
        'Use in configs: backend_args=dict('
        f'backend={BACKENDS[args.format]!r}, path={args.out!r}, '
        f'root={args.img_prefix!r})'
    )


def main() -> None:
    """Pack."""
    args = parse_args()
    size = args.shard_size
    try:
        report = pack_frames(
            args.ann_file,
            args.img_prefix,
            args.out,
            storage=args.format,
            shard_size=None if size is None else int(size * 1e6),
            options=PackingOptions(
                args.short_edge,
                args.quality,
                args.image_format,
                not args.no_check,
            ),
            progress=progress_printer(),
        )
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    show(report, args)


if __name__ == '__main__':
    main()
