"""Write a copy of an annotation file that holds boxes and no trace of masks.

Segmentations, areas, scores and sources of masks, occlusion and every key
that is not known are left out; boxes stay as they are annotated. For files
of YouTube-VIS, OVIS, COCO, COCO-video and TAO. Datasets with
supervision='box' drop masks by themselves; this is for giving data away, or
for making sure.
"""

import argparse

from pmvis_mm.datasets.box_view import drop_masks_file
from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.text_table import format_table


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('ann_file', help='json with boxes and masks')
    parser.add_argument('out', help='json to write')
    return parser.parse_args()


def main() -> None:
    """Write the file, print what was removed."""
    args = parse_args()
    try:
        removed = drop_masks_file(args.ann_file, args.out)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    if removed:
        print(format_table(('removed', 'times'), sorted(removed.items())))
    else:
        print('nothing had to be removed')
    print(f'written: {args.out}')


if __name__ == '__main__':
    main()
