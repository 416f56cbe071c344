"""Check a results file before it goes to an evaluation server.

Exit code 1 if there is a problem. The last line is one JSON object.
"""

import argparse
import json
import sys

from pmvis_mm.evaluation.functional import check_results
from pmvis_mm.structures import VideoAnnotations
from pmvis_mm.utils.errors import PMVISError


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('results', help='results.json, or a zip with it')
    parser.add_argument(
        'ann_file', help='annotations that list the videos; masks are not read'
    )
    parser.add_argument(
        '--max-problems', type=int, default=20, help='stop after so many'
    )
    parser.add_argument(
        '--max-per-video',
        type=int,
        help='predictions of a video that the server takes, if limited',
    )
    return parser.parse_args()


def main() -> None:
    args = parse_args()
    try:
        truth = VideoAnnotations.from_file(args.ann_file, clip_boxes=True)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    problems = check_results(
        args.results, truth, args.max_problems, args.max_per_video
    )
    for problem in problems:
        print(f'problem: {problem}')
    print(json.dumps(dict(results=args.results, problems=len(problems))))
    sys.exit(1 if problems else 0)


if __name__ == '__main__':
    main()
