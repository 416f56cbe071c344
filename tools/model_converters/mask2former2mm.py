"""Convert checkpoints of Mask2Former and MaskFreeVIS to pmvis_mm.

Reads detectron2's files of image models (.pkl) and of video models.
"""

import argparse

from pmvis_mm.apis import convert_mask2former_checkpoint
from pmvis_mm.utils.errors import PMVISError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('src', help='checkpoint to read')
    parser.add_argument('dst', nargs='?', help='checkpoint to write')
    parser.add_argument(
        '--config', help='config of our model, which must take the weights'
    )
    parser.add_argument(
        '--classes',
        nargs='+',
        metavar='NAME',
        help='what the model was trained on: youtube_vis_2019, '
        'youtube_vis_2021, ovis or coco; or the names of all classes '
        '(default: the dataset with as many classes, if there is only one)',
    )
    parser.add_argument(
        '--new-classes',
        action='store_true',
        help='the config may have other classes, to be trained on them',
    )
    parser.add_argument(
        '--dry-run', action='store_true', help='check, but write nothing'
    )
    args = parser.parse_args()
    if args.dst is None and not args.dry_run:
        parser.error('name the file to write, or add --dry-run')
    if args.new_classes and args.config is None:
        parser.error('--new-classes is about the classes of a --config')
    return args


def main() -> None:
    args = parse_args()
    try:
        report = convert_mask2former_checkpoint(
            args.src,
            None if args.dry_run else args.dst,
            config=args.config,
            classes=args.classes,
            new_classes=args.new_classes,
        )
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    print(report)
    if args.config:
        print('names and shapes are those of the model')
    print('nothing written' if args.dry_run else f'wrote {args.dst}')


if __name__ == '__main__':
    main()
