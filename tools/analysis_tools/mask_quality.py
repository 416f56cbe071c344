"""Judge pseudo masks by real ones: IoU and outlines, group by group.

Tables of all masks, and by source, category, size (COCO's, of the real
mask) and occlusion (annotated as in OVIS, else from boxes).
"""

import argparse
from typing import Any, Dict, List

from pmvis_mm.evaluation.functional import GROUPS, measure_groups
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.utils.errors import AnnotationError, PMVISError
from pmvis_mm.utils.fileio import dump_json
from pmvis_mm.utils.named_paths import add_sources
from pmvis_mm.utils.text_table import format_table

_COLUMNS = dict(
    masks='masks',
    miou='mean IoU',
    miou_present='of present',
    coverage='present',
    above_50='>=0.5',
    above_75='>=0.75',
    above_90='>=0.9',
    boundary_f='F',
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('final', help='pseudo masks that were chosen, json')
    parser.add_argument('--truth', required=True, help='json with real masks')
    add_sources(
        parser,
        'candidate masks of every source, judged likewise',
    )
    parser.add_argument(
        '--no-boundary',
        action='store_true',
        help='do not judge outlines: several times faster',
    )
    parser.add_argument('--out', help='json file to write the figures to')
    return parser.parse_args()


def show(name: str, figures: Dict[str, Any]) -> None:
    """Print the table of one set of masks."""
    columns = [key for key in _COLUMNS if key in figures['all']]
    rows: List[List[Any]] = [['all', *_values(figures['all'], columns)]]
    for kind in GROUPS:
        for group, values in figures[kind].items():
            rows.append([f'{kind} {group}', *_values(values, columns)])
    print(format_table([name, *(_COLUMNS[key] for key in columns)], rows))


def _values(figures: Dict[str, float], columns: List[str]) -> List[float]:
    return [figures[key] for key in columns]


def run(args: argparse.Namespace) -> None:
    """Measure, print, write."""
    truth = VideoAnnotations.from_file(
        args.truth, with_masks=True, clip_boxes=True
    )
    result: Dict[str, Any] = dict(sources={})
    for name, path in [('', args.final), *args.sources.items()]:
        masks = PseudoMaskSet.load(path, name or None)
        quality = measure_groups(masks, truth, not args.no_boundary)
        figures = quality.summary()
        if not figures['all']['masks']:
            raise AnnotationError(
                'no real mask to compare with',
                file=args.truth,
                fix='name a file with masks and boxes',
            )
        if name:
            print()
            result['sources'][name] = figures
        else:
            result['final'] = figures
        show(name or 'final', figures)
    if args.out:
        dump_json(result, args.out)


def main() -> None:
    """Judge and report."""
    try:
        run(parse_args())
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None


if __name__ == '__main__':
    main()
