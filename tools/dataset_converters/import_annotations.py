"""Turn annotations of another tool into a YouTube-VIS style json.

By default the result holds boxes only, as labelling and training from boxes
take them. What was read, filled in and left out is printed as a table.
"""

import argparse
import sys
from typing import Any, Dict, Tuple

from pmvis_mm.formats.readers import (
    ANNOTATION_READERS,
    ArchiveLimits,
    ImportReport,
    import_annotations,
)
from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.fileio import dump_json
from pmvis_mm.utils.option_words import (
    add_options,
    key_value,
    read_options,
)
from pmvis_mm.utils.text_table import format_table


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        epilog='formats: '
        + '; '.join(
            f'{name}: {reader.title}'
            for name, reader in sorted(ANNOTATION_READERS.module_dict.items())
        ),
    )
    parser.add_argument(
        'format',
        choices=['auto', *sorted(ANNOTATION_READERS.module_dict)],
        metavar='FORMAT',
        help="one of those below, or 'auto'",
    )
    parser.add_argument(
        'source', help='file or folder, or a zip or tar file with it'
    )
    parser.add_argument('--out', required=True, help='json to write')
    _add_frames(parser)
    _add_classes(parser)
    _add_boxes(parser)
    parser.add_argument(
        '--max-unpacked',
        type=_amount,
        metavar='GIB',
        help='most that an archive may hold (default: 32)',
    )
    add_options(parser, 'options of the reader, see its documentation')
    return parser.parse_args()


def _add_frames(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--frames',
        metavar='DIR',
        help='folder with one folder of images or one video file for each '
        'video; names in the result are relative to it',
    )
    parser.add_argument(
        '--invent-names',
        action='store_true',
        help='make up names of frames, <video>/00000.jpg ..., if neither the '
        'source nor --frames tells them',
    )
    parser.add_argument(
        '--size', type=_size, metavar='WxH', help='of the frames, if not told'
    )
    parser.add_argument(
        '--first-frame',
        type=int,
        choices=(0, 1),
        help='number of the first frame in the files (default: as usual in '
        'the format)',
    )


def _add_classes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--classes', nargs='+', help='all classes, in the order of their ids'
    )
    parser.add_argument(
        '--map',
        nargs='+',
        action='extend',
        default=[],
        type=key_value,
        metavar='OLD=NEW',
        help='new names of classes, before --classes is looked at',
    )
    parser.add_argument(
        '--default-class', help='class of tracks that have none'
    )
    parser.add_argument(
        '--drop-other-classes',
        action='store_true',
        help='leave out tracks of classes that are not among --classes',
    )


def _add_boxes(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        '--with-masks', action='store_true', help='keep the masks, too'
    )
    parser.add_argument(
        '--interpolate',
        action='store_true',
        help='fill gaps between boxes linearly; such frames are marked',
    )
    parser.add_argument(
        '--max-gap', type=int, help='longest gap to fill, frames'
    )
    parser.add_argument(
        '--clip-boxes',
        action='store_true',
        help='clip boxes to the frame, leave out those outside',
    )


def _size(text: str) -> Tuple[int, int]:
    width, _, height = text.lower().partition('x')
    if not (width.isdecimal() and height.isdecimal()):
        raise argparse.ArgumentTypeError(f'{text!r} is not WIDTHxHEIGHT')
    return int(width), int(height)


def _amount(text: str) -> float:
    value = float(text)
    if not 0 < value < 2**30:
        raise argparse.ArgumentTypeError(f'{text!r} is no amount in GiB')
    return value


def run(args: argparse.Namespace) -> ImportReport:
    """Import and write."""
    limits = ArchiveLimits()
    if args.max_unpacked is not None:
        limits = ArchiveLimits(int(args.max_unpacked * 2**30))
    options: Dict[str, Any] = {
        key: getattr(args, key)
        for key in (
            'with_masks', 'interpolate', 'max_gap', 'classes',
            'default_class', 'drop_other_classes', 'size', 'clip_boxes',
            'invent_names',
        )
    }  # fmt: skip
    content, report = import_annotations(
        args.source,
        args.format,
        args.frames,
        args.first_frame,
        read_options(args),
        limits,
        class_map=dict(args.map),
        **options,
    )
    dump_json(content, args.out)
    return report


def main() -> None:
    """Import, print what became of everything."""
    args = parse_args()
    try:
        report = run(args)
    except PMVISError as error:
        # Names may hold line breaks; what is printed shall not.
        text = str(error).replace('\n', '\\n').replace('\r', '\\r')
        raise SystemExit(f'error: {text}') from None
    _show(format_table(('what', 'number'), report.rows()))
    _show('')
    _show(format_table(('class', 'tracks'), list(report.categories.items())))
    if report.invented_names:
        print(
            'warning: names of frames are made up; extract the frames under '
            'these names before labelling or training'
        )
    if report.unused_names:
        _show(f'warning: no class has the name {report.unused_names} (--map)')
    if args.with_masks and not report.masks:
        print(
            'note: there is no mask in the source: boxes only (--with-masks)'
        )
    _show(f'written: {args.out}')


def _show(text: str) -> None:
    """Print, also names that the terminal has no letters for."""
    encoding = getattr(sys.stdout, 'encoding', None) or 'utf-8'
    print(text.encode(encoding, 'backslashreplace').decode(encoding))


if __name__ == '__main__':
    main()
