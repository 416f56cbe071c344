"""How well suspicion foretells which tracks of a labelling run are bad.

Prints Spearman's rank correlation of 1 - mean IoU with real masks (a missing
mask counts 0) and the suspicion of the label review, 1 - mean score (what the
labelling report sorts by) and every single measure; then one JSON line. A dash
(null): nothing is known, or all tracks have the same value.
"""

import argparse
import json
import tempfile
from pathlib import Path
from typing import Dict, Optional

import numpy as np

from pmvis_mm.evaluation.functional import measure_masks
from pmvis_mm.labeling.selection import suspicion
from pmvis_mm.review import build_index
from pmvis_mm.review.review_index import ReviewIndex
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.named_paths import add_sources
from pmvis_mm.visualization.report_tracks import (
    rank_correlation,
    track_ious,
)

MEASURES = ('agreement', 'overflow', 'area_jump', 'flicker', 'missing')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('final', help='pseudo masks that were chosen, json')
    parser.add_argument('--ann-file', required=True, help='boxes, json')
    parser.add_argument('--truth-file', required=True, help='real masks')
    add_sources(
        parser,
        'candidate masks',
    )
    return parser.parse_args()


def correlate(args: argparse.Namespace) -> Dict[str, Optional[float]]:
    """Compare every measure with the truth."""
    final = PseudoMaskSet.load(args.final)
    boxes = VideoAnnotations.from_file(args.ann_file, clip_boxes=True)
    truth = VideoAnnotations.from_file(
        args.truth_file, with_masks=True, clip_boxes=True
    )
    ious = track_ious(measure_masks(final, truth))
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / 'review.sqlite'
        build_index(path, final, args.sources, boxes)
        index = ReviewIndex(path)
        found = index.find_tracks({}, limit=index.num_tracks)['rows']
    rows = [row for row in found if row['id'] in ious]
    bad = [1 - ious[row['id']] for row in rows]
    lack = {track.id: suspicion(track) for track in final}
    result: Dict[str, Optional[float]] = dict(
        tracks=len(rows), miou=1 - float(np.mean(bad))
    )
    result['suspicion'] = rank_correlation([r['suspicion'] for r in rows], bad)
    result['1 - score'] = rank_correlation(
        [lack.get(r['id']) for r in rows], bad
    )
    for name in MEASURES:
        values = [r[name] for r in rows]
        if name == 'agreement':
            values = [None if v is None else 1 - v for v in values]
        result[name] = rank_correlation(values, bad)
    return result


def main() -> None:
    """Correlate and print."""
    args = parse_args()
    try:
        figures = correlate(args)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    for name, value in figures.items():
        print(f'{name:12s} {"-" if value is None else f"{value:.3f}":>7s}')
    print(json.dumps({n: v and round(v, 4) for n, v in figures.items()}))


if __name__ == '__main__':
    main()
