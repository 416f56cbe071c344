"""HOTA, MOTA, IDF1, ... of predicted tracks, computed by TrackEval.

Reads a results.json (or the zip with it), or a file of pseudo masks.
"""

import argparse
from typing import Any, Dict, List

from pmvis_mm.evaluation.functional import (
    TrackingOptions,
    TrackingQuality,
    evaluate_tracking,
    load_results,
    set_entries,
)
from pmvis_mm.evaluation.functional.tracking import ANY_CLASS, FAMILIES
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.fileio import dump_json
from pmvis_mm.utils.text_table import format_table

_COLUMNS = (
    'HOTA DetA AssA LocA MOTA sMOTA MOTP IDSW Frag MT ML IDF1 J&F'.split()
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('results', help='predicted tracks')
    parser.add_argument('--truth', required=True, help='json with real masks')
    parser.add_argument(
        '--pseudo-masks',
        action='store_true',
        help='the file holds pseudo masks, not results',
    )
    parser.add_argument(
        '--score-thr',
        type=float,
        default=TrackingOptions.score_thr,
        help='leave out tracks of a lower score (default: %(default)s)',
    )
    parser.add_argument(
        '--class-agnostic', action='store_true', help='classes do not count'
    )
    parser.add_argument(
        '--families',
        nargs='+',
        choices=FAMILIES,
        default=TrackingOptions.families,
        help='measures (default: all but JAndF)',
    )
    parser.add_argument(
        '--per-video', action='store_true', help='print a row for each video'
    )
    parser.add_argument('--out', help='json file to write all figures to')
    return parser.parse_args()


def show(
    quality: TrackingQuality, truth: VideoAnnotations, per_video: bool
) -> None:
    """Print a row for each category, and for each video if asked for."""
    names = {c['id']: str(c.get('name', c['id'])) for c in truth.categories}
    names[ANY_CLASS] = 'any class'
    groups: Dict[str, Dict[str, float]] = {'all': quality.overall}
    for key, figures in quality.categories.items():
        groups[f'category {names[key]}'] = figures
    if per_video:
        for key, figures in quality.videos.items():
            groups[f'video {truth.videos[key].name}'] = figures
    columns = [name for name in _COLUMNS if name in quality.overall]
    rows: List[List[Any]] = [
        [name, *(figures.get(key) for key in columns)]
        for name, figures in groups.items()
    ]
    print(format_table(['', *columns], rows))


def run(args: argparse.Namespace) -> None:
    """Judge, print, write."""
    truth = VideoAnnotations.from_file(
        args.truth, with_masks=True, clip_boxes=True
    )
    options = TrackingOptions(
        args.score_thr, args.class_agnostic, tuple(args.families)
    )
    if args.pseudo_masks:
        masks = PseudoMaskSet.load(args.results)
        masks.check_same_videos(truth, args.truth)
        quality = evaluate_tracking(set_entries(masks), truth, None, options)
    else:
        entries = load_results(args.results, truth)
        quality = evaluate_tracking(entries, truth, None, options)
    show(quality, truth, args.per_video)
    if args.out:
        dump_json(vars(quality), args.out)


def main() -> None:
    """Judge and report."""
    try:
        run(parse_args())
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None


if __name__ == '__main__':
    main()
