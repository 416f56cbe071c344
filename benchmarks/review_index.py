"""Time and size of the index of a large label review, and its answers.

Generates a labelled dataset of several sources, builds the index and asks
the server what the page asks for; prints a table and one JSON line. Seconds
are those of the processor, which other programs on the machine do not change
much; answers are the best of five, in milliseconds of the wall clock.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Dict

from _memory import peak_mb

from pmvis_mm.review import build_index, create_app
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.testing.many_tracks import write_many_tracks

ROUTES = (
    '/api/summary',
    '/api/tracks?limit=100',
    '/api/tracks?sort=flicker&order=asc&limit=100',
    '/api/tracks/{track}',
    '/api/tracks/{track}/masks',
    '/api/frames/1/0.jpg',
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--num-videos', type=int, default=3000)
    parser.add_argument('--folder', help='keep the data here')
    return parser.parse_args()


def measure(folder: Path, num_videos: int) -> Dict[str, Any]:
    """Generate, build, ask."""
    paths = write_many_tracks(folder, num_videos)
    index = folder / 'review.sqlite'
    start = time.process_time()
    counts = build_index(
        index,
        PseudoMaskSet.load(paths['final']),
        paths['sources'],
        VideoAnnotations.from_file(paths['ann_file']),
        paths['img_prefix'],
    )
    result: Dict[str, Any] = dict(
        counts,
        seconds=round(time.process_time() - start, 1),
        megabytes=round(index.stat().st_size / 1e6, 1),
        peak_mb=round(peak_mb()),
    )
    client = create_app(index, folder / 'review.json').test_client()
    track = counts['tracks'] // 2
    for route in ROUTES:
        result[route] = _best_ms(client, route.format(track=track))
    return result


def _best_ms(client: Any, url: str) -> float:
    times = []
    for _ in range(5):
        start = time.perf_counter()
        status = client.get(url).status_code
        times.append(1000 * (time.perf_counter() - start))
        if status != 200:
            raise RuntimeError(f'{url} answers {status}')
    return round(min(times), 1)


def main() -> None:
    """Measure and print."""
    args = parse_args()
    if args.num_videos < 1:
        raise SystemExit('error: --num-videos must be 1 or more')
    with tempfile.TemporaryDirectory() as temporary:
        result = measure(Path(args.folder or temporary), args.num_videos)
    for name, value in result.items():
        print(f'{name:48s} {value:10}')
    print(json.dumps(result))


if __name__ == '__main__':
    main()
