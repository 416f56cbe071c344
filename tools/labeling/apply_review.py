"""Turn the decisions of a label review into the final masks."""

import argparse

from pmvis_mm.review import apply_decisions, check_final, load_decisions
from pmvis_mm.review.apply import KEEP_REJECTED, ON_MISSING
from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.utils.errors import PMVISError
from pmvis_mm.utils.fileio import file_sha256
from pmvis_mm.utils.named_paths import add_sources


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('review', help='json that the review page saved')
    parser.add_argument(
        '--final', required=True, help='the masks that were reviewed, json'
    )
    add_sources(
        parser,
        'candidates, named as in the review; those that were chosen',
    )
    parser.add_argument('--out', required=True, help='masks to write, json')
    parser.add_argument(
        '--rejected',
        choices=KEEP_REJECTED,
        default='drop',
        help='what becomes of tracks rejected as a whole (default: drop)',
    )
    parser.add_argument(
        '--only-accepted',
        action='store_true',
        help='drop tracks that nobody has decided about',
    )
    parser.add_argument(
        '--missing',
        choices=ON_MISSING,
        default='error',
        help='what to do about decisions on tracks that no longer exist',
    )
    parser.add_argument(
        '--allow-other-final',
        action='store_true',
        help='apply although the masks are not those that were reviewed',
    )
    return parser.parse_args()


def main() -> None:
    """Apply and print what was done."""
    args = parse_args()
    try:
        reviewed, decisions = load_decisions(args.review)
        final = PseudoMaskSet.load(args.final)
        result, counts = apply_decisions(
            final,
            decisions,
            args.sources,
            args.rejected,
            args.only_accepted,
            args.missing,
            args.review,
        )
        if not args.allow_other_final:
            now = dict(file=args.final, sha256=file_sha256(args.final))
            check_final(reviewed, now, args.review)
        result.dump(args.out)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    width = max(len(name) for name, _ in counts.rows())
    for name, number in counts.rows():
        print(f'{name:{width}}  {number:8d}')


if __name__ == '__main__':
    main()
