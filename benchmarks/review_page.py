"""Load time and memory of the label review page with thousands of videos.

Generates labels of several sources, builds the index of the review, serves it
on this machine and opens the page in a headless Chromium: time until rows and
the first frame are drawn, then memory while the whole list is scrolled
through, and tracks are opened and played.
"""

import argparse
import json
import statistics
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List

from pmvis_mm.review import build_index, create_app
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.testing.browser import open_browser, serve_app
from pmvis_mm.testing.many_tracks import write_many_tracks
from pmvis_mm.utils.errors import PMVISError

INDEX = 'review.sqlite'
VIEW = dict(width=1280, height=720)
# Runs before the page: notes when rows and a frame are first there.
_WATCH = """
new MutationObserver((changes, observer) => {
  const rows = document.querySelector('.row[data-id]');
  const frame = document.querySelector('#player[data-frame]');
  if (!rows || !frame) return;
  observer.disconnect();
  // Once more, so that what was drawn is on the screen.
  requestAnimationFrame(() => requestAnimationFrame(() => {
    document.documentElement.dataset.drawn = performance.now();
  }));
}).observe(document, { subtree: true, childList: true, attributes: true });
"""


def make_review(folder: Path, args: argparse.Namespace) -> Path:
    """Generate the labels and build the index.

    Args:
        folder (Path): Gets everything.
        args (argparse.Namespace): See :func:`build_parser`.

    Returns:
        Path: The index.
    """
    start = time.perf_counter()
    made = write_many_tracks(
        folder, args.videos, args.tracks, args.frames, tuple(args.size)
    )
    print(f'labels written in {time.perf_counter() - start:.0f} s', flush=True)
    start = time.perf_counter()
    index = folder / INDEX
    build_index(
        index,
        PseudoMaskSet.load(made['final']),
        made['sources'],
        VideoAnnotations.from_file(made['ann_file']),
        made['img_prefix'],
    )
    print(f'index built in {time.perf_counter() - start:.0f} s', flush=True)
    return index


def load_times(browser: Any, address: str, repeats: int) -> List[float]:
    """Open the page, each time with an empty cache.

    Args:
        browser (playwright.sync_api.Browser): The browser.
        address (str): Of the server.
        repeats (int): How often.

    Returns:
        list[float]: Seconds from the navigation until rows and the first
        frame are drawn.
    """
    times = []
    for _ in range(repeats):
        context = browser.new_context(viewport=VIEW)
        page = _open(context, address)
        drawn = page.get_attribute('html', 'data-drawn')
        times.append(float(drawn) / 1000)
        context.close()
    return times


def _open(context: Any, address: str) -> Any:
    page = context.new_page()
    page.add_init_script(_WATCH)
    page.goto(address)
    page.wait_for_selector('html[data-drawn]', state='attached')
    return page


def memory(page: Any) -> Dict[str, float]:
    """Measure the page, MB.

    Args:
        page (playwright.sync_api.Page): The page.

    Returns:
        dict[str, float]: ``heap`` of JavaScript; ``renderer``: proportional
        set size of the largest process that renders pages, which holds
        decoded pictures, too; ``all``: of all processes of the browser.
    """
    session = page.context.new_cdp_session(page)
    session.send('Performance.enable')
    metrics = {
        item['name']: item['value']
        for item in session.send('Performance.getMetrics')['metrics']
    }
    session.detach()
    whole = page.context.browser.new_browser_cdp_session()
    processes = whole.send('SystemInfo.getProcessInfo')['processInfo']
    whole.detach()
    sizes = [(item['type'], _pss_mb(item['id'])) for item in processes]
    return dict(
        heap=metrics['JSHeapUsedSize'] / 2**20,
        renderer=max(size for kind, size in sizes if kind == 'renderer'),
        all=sum(size for _, size in sizes),
    )


def _pss_mb(process: int) -> float:
    """Proportional set size: shared pages count once over all sharers."""
    try:
        lines = Path(f'/proc/{process}/smaps_rollup').read_text().splitlines()
    except OSError:  # it has ended meanwhile, or this is no Linux
        return 0.0
    sizes = [line.split()[1] for line in lines if line.startswith('Pss:')]
    return int(sizes[0]) / 2**10 if sizes else 0.0


def scroll_through(page: Any, steps: int) -> Iterator[str]:
    """Scroll the list to its end, waiting for the rows of every stop.

    Args:
        page (playwright.sync_api.Page): The page.
        steps (int): Number of stops.

    Yields:
        str: What was done, after each stop.
    """
    for step in range(1, steps + 1):
        page.eval_on_selector(
            '#list',
            '(list, share) => { list.scrollTop = '
            'share * (list.scrollHeight - list.clientHeight); }',
            step / steps,
        )
        index = page.eval_on_selector(
            '#list',
            'list => Math.floor((list.scrollTop + list.clientHeight / 2) '
            '/ document.querySelector(".row").offsetHeight)',
        )
        page.wait_for_selector(f'#row-{index}[data-id]')
        yield 'scrolled'
    rows = page.locator('.row').count()
    assert rows < 100, f'{rows} rows are in the page'


def look_at_tracks(page: Any, number: int) -> Iterator[str]:
    """Open tracks one after the other and go to their end.

    Args:
        page (playwright.sync_api.Page): The page.
        number (int): Number of tracks.

    Yields:
        str: What was done, after each track.
    """
    page.eval_on_selector('#list', 'list => { list.scrollTop = 0; }')
    page.click('#row-0[data-id]')
    for index in range(number):
        page.wait_for_selector(f'#row-{index}[aria-selected=true]')
        key = page.get_attribute(f'#row-{index}', 'data-id')
        page.wait_for_selector(f'#player[data-track="{key}"]')
        slider = page.locator('#slider')
        last = int(slider.get_attribute('max'))
        for frame in range(last + 1):
            # It opens where the object first appears.
            page.keyboard.press('ArrowRight' if frame else 'Home')
            page.wait_for_selector(f'#player[data-frame="{frame}"]')
        page.keyboard.press('j')
        yield 'looked at'


def measure(
    browser: Any, address: str, args: argparse.Namespace
) -> Dict[str, Dict[str, float]]:
    """Use the page and sample its memory.

    Args:
        browser (playwright.sync_api.Browser): The browser.
        address (str): Of the server.
        args (argparse.Namespace): See :func:`build_parser`.

    Returns:
        dict[str, dict]: Memory of an empty page, after loading, and the
        largest seen while scrolling and while looking at tracks; see
        :func:`memory`.
    """
    context = browser.new_context(viewport=VIEW)
    empty = context.new_page()
    empty.goto('about:blank')
    blank = memory(empty)
    empty.close()
    page = _open(context, address)
    first = memory(page)
    scrolled, looked = dict(first), dict(first)
    for peak, actions in (
        (scrolled, scroll_through(page, args.stops)),
        (looked, look_at_tracks(page, args.look_at)),
    ):
        for _ in actions:
            now = memory(page)
            peak.update({key: max(peak[key], now[key]) for key in now})
    context.close()
    return dict(blank=blank, loaded=first, scrolled=scrolled, looked=looked)


def run(args: argparse.Namespace, index: Path) -> Dict[str, object]:
    """Measure load times and memory.

    Args:
        args (argparse.Namespace): See :func:`build_parser`.
        index (Path): Of the review.

    Returns:
        dict: What is printed last; sizes in MB, times in seconds.
    """
    with tempfile.TemporaryDirectory() as folder:
        app = create_app(index, Path(folder) / 'review.json')
        summary = app.test_client().get('/api/summary').get_json()
        with serve_app(app) as address, open_browser() as browser:
            times = load_times(browser, address, args.repeats)
            print(f'load times {times}', flush=True)
            sizes = measure(browser, address, args)
    result: Dict[str, object] = dict(
        videos=summary['num_videos'],
        tracks=summary['num_tracks'],
        load_seconds=round(statistics.median(times), 3),
        load_seconds_max=round(max(times), 3),
    )
    for name, values in sizes.items():
        for key, size in values.items():
            result[f'{key}_mb_{name}'] = round(size, 1)
    return result


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--review',
        type=Path,
        help=f'folder with the {INDEX} of a review, instead of generated data',
    )
    parser.add_argument('--videos', type=int, default=3000)
    parser.add_argument('--tracks', type=int, default=3, help='per video')
    parser.add_argument('--frames', type=int, default=36, help='per video')
    parser.add_argument(
        '--size',
        type=int,
        nargs=2,
        default=(180, 320),
        metavar=('HEIGHT', 'WIDTH'),
        help='size of the frames in pixels (default: 180 320)',
    )
    parser.add_argument(
        '--repeats', type=int, default=5, help='loads of the page'
    )
    parser.add_argument(
        '--stops', type=int, default=60, help='of scrolling through the list'
    )
    parser.add_argument(
        '--look-at', type=int, default=20, help='tracks gone through'
    )
    return parser


def main() -> None:
    """Parse the command line and print one JSON object as the last line."""
    args = build_parser().parse_args()
    try:
        if args.review is not None:
            result = run(args, args.review / INDEX)
        else:
            with tempfile.TemporaryDirectory() as folder:
                result = run(args, make_review(Path(folder), args))
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None
    print(json.dumps(result))


if __name__ == '__main__':
    main()
