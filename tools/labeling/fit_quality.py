"""Fit the mask quality estimator on ShapesVIS, where the truth is known.

Prints how well it selects on videos that it has not seen, then the weights
for ``selector=dict(type='QualitySelector', model=...)`` as one JSON object.
"""

import argparse
import json
from pathlib import Path

import numpy as np

from pmvis_mm.labeling.selection.quality_corpus import make_corpus
from pmvis_mm.labeling.selection.quality_fit import (
    compare_rules,
    draw_candidates,
    fit_quality,
)
from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.fileio import dump_json


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--num-videos', type=int, default=120)
    parser.add_argument(
        '--held-out',
        type=int,
        default=24,
        help='videos to measure on, besides those of the fit',
    )
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(192, 320),
        metavar=('HEIGHT', 'WIDTH'),
        help='size of the frames in pixels (default: 192 320)',
    )
    parser.add_argument(
        '--draws', type=int, default=10, help='sets of candidates per video'
    )
    parser.add_argument('--ridge', type=float, default=0.01)
    parser.add_argument('--switch-cost', type=float, default=0.05)
    parser.add_argument('--out', type=Path, help='json file for the weights')
    return parser.parse_args()


def main() -> None:
    """Fit, measure, print."""
    args = parse_args()
    if min(args.num_videos, args.held_out, args.draws) < 1:
        raise SystemExit(
            'error: --num-videos, --held-out and --draws must be 1 or more'
        )
    try:
        parts = []
        for number, seed in (
            (args.num_videos, args.seed),
            (args.held_out, args.seed + 1),
        ):
            known = list(make_corpus(number, seed, tuple(args.size)))
            rng = np.random.default_rng(seed)
            parts.append(list(draw_candidates(known, rng, args.draws)))

        model = fit_quality(parts[0], ridge=args.ridge)
        figures = compare_rules(model, parts[1], args.switch_cost)
        print(' '.join(f'{k} {v:.4f}' for k, v in figures.items()))
        if args.out is not None:
            dump_json(model.to_json(), args.out)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    print(json.dumps(model.to_json()))


if __name__ == '__main__':
    main()
