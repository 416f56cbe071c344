"""Filter real annotations with pseudo masks: Missing-Data, then RIA."""

import argparse

from pmvis_mm.labeling.filtering import filter_missing_data, filter_ria
from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.fileio import dump_json, load_json


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('annotations', help='real annotations to filter')
    parser.add_argument('masks', help='final pseudo masks of the same videos')
    parser.add_argument('out', help='filtered annotations')
    parser.add_argument(
        '--ria',
        type=float,
        metavar='IOU',
        help='also remove masks with a lower IoU with the pseudo mask '
        '(PM-VIS: 0.6)',
    )
    parser.add_argument(
        '--drop-empty-videos',
        action='store_true',
        help='drop videos that lose their last instance',
    )
    return parser.parse_args()


def main() -> None:
    """Filter and print what was removed."""
    args = parse_args()
    try:
        data = load_json(args.annotations)
        pseudo = PseudoMaskSet.load(args.masks)
        options = dict(
            drop_empty_videos=args.drop_empty_videos, name=args.annotations
        )
        data, stats = filter_missing_data(data, pseudo, **options)
        print(f'Missing-Data: {stats}')
        if args.ria is not None:
            if args.drop_empty_videos:
                pseudo = _keep_videos(pseudo, data)
            data, stats = filter_ria(data, pseudo, args.ria, **options)
            print(f'RIA: {stats}')
        dump_json(data, args.out)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None


def _keep_videos(masks: PseudoMaskSet, data: dict) -> PseudoMaskSet:
    """Leave out the videos that the first filter dropped."""
    kept = {video['id'] for video in data['videos']}
    return PseudoMaskSet(
        {key: v for key, v in masks.videos.items() if key in kept},
        masks.categories,
        {key: t for key, t in masks.tracks.items() if key in kept},
        masks.name,
    )


if __name__ == '__main__':
    main()
