"""Write ShapesVIS, a synthetic dataset in YouTube-VIS format."""

import argparse

from pmvis_mm.datasets.shapes_vis import write_shapes_vis
from pmvis_mm.utils.errors import PMVISError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('out_dir', help='folder to write to')
    parser.add_argument('--num-videos', type=int, default=100)
    parser.add_argument('--num-frames', type=int, default=16)
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(96, 160),
        metavar=('HEIGHT', 'WIDTH'),
        help='size of the frames in pixels (default: 96 160)',
    )
    parser.add_argument(
        '--seed',
        type=int,
        default=0,
        help='another seed gives other videos, e.g. for validation',
    )
    parser.add_argument(
        '--max-objects', type=int, default=3, help='most objects of a video'
    )
    parser.add_argument(
        '--image-format', choices=('jpg', 'png'), default='jpg'
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    options = dict(vars(args), size=tuple(args.size))
    try:
        out_dir = write_shapes_vis(**options)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    print(f'{args.num_videos} videos are in {out_dir}')


if __name__ == '__main__':
    main()
