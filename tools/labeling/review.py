"""Review pseudo masks in a browser: accept, reject, choose another source.

`build` measures all tracks and writes an index into a folder, `serve` shows
it on this machine and saves every decision into review.json beside it, `run`
does both. apply_review.py then turns the decisions into the final masks.
"""

import argparse
import logging
import time
import webbrowser
from pathlib import Path
from typing import Dict, Optional

from pmvis_mm.review import build_index, create_app, serve
from pmvis_mm.review.work_dir import find_review_inputs
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.utils.errors import ConfigError, PMVISError
from pmvis_mm.utils.named_paths import add_sources

INDEX, DECISIONS = 'review.sqlite', 'review.json'


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    commands = parser.add_subparsers(dest='command', required=True)
    build = commands.add_parser('build', help='write the index')
    show = commands.add_parser('serve', help='show the page')
    both = commands.add_parser('run', help='write the index, show the page')
    for command in (build, both):
        _add_build_options(command)
    show.add_argument('dir', help='folder that build wrote')
    show.add_argument(
        '--img-prefix', help='folder of the frames, if they have moved'
    )
    for command in (show, both):
        _add_serve_options(command)
    return parser.parse_args()


def _add_build_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument(
        'final', nargs='?', help='pseudo masks that were chosen, json'
    )
    parser.add_argument(
        '--work-dir',
        help='of a pipeline (run_pipeline.py): masks, boxes, frames and '
        'candidates are those of its report',
    )
    parser.add_argument('--ann-file', help='the annotated boxes, json')
    parser.add_argument('--img-prefix', help='folder or URL of the frames')
    add_sources(
        parser,
        'candidate masks; variants of one: "NAME, VARIANT=PATH"',
    )
    parser.add_argument('--title', help='heading of the page')
    parser.add_argument('--out', required=True, help='folder of the review')


def _add_serve_options(parser: argparse.ArgumentParser) -> None:
    parser.add_argument('--port', type=int, default=8710, help='0: any free')
    parser.add_argument(
        '--host',
        default='127.0.0.1',
        help='another address than 127.0.0.1 lets others see and decide',
    )
    parser.add_argument('--decisions', help=f'json; default: DIR/{DECISIONS}')
    parser.add_argument(
        '--open', action='store_true', help='open it in the browser'
    )


def build(args: argparse.Namespace) -> None:
    """Write the index."""
    start = time.perf_counter()
    given: Dict[str, Optional[str]] = dict(
        final=args.final, ann_file=args.ann_file, img_prefix=args.img_prefix
    )
    sources = args.sources
    if args.work_dir is not None:
        found = find_review_inputs(args.work_dir)
        sources = {**found.sources, **sources}
        for name in given:
            given[name] = given[name] or getattr(found, name)
    if given['final'] is None:
        raise ConfigError(
            'no masks to review', fix='name a json, or give --work-dir'
        )
    annotations = None
    if given['ann_file'] is not None:
        annotations = VideoAnnotations.from_file(
            given['ann_file'], clip_boxes=True
        )
    path = Path(args.out) / INDEX
    counts = build_index(
        path,
        PseudoMaskSet.load(given['final']),
        sources,
        annotations,
        given['img_prefix'],
        args.title,
    )
    words = ', '.join(f'{number} {name}' for name, number in counts.items())
    seconds = time.perf_counter() - start
    print(f'{path}: {words}, {seconds:.1f} s')


def show(args: argparse.Namespace, folder: str) -> None:
    """Serve the page until Ctrl-C."""
    decisions = args.decisions or Path(folder) / DECISIONS
    # With `run`, the index has just been written with it.
    prefix = args.img_prefix if args.command == 'serve' else None
    app = create_app(Path(folder) / INDEX, decisions, prefix)
    logging.getLogger('werkzeug').setLevel(logging.WARNING)
    server = serve(app, args.host, args.port)
    address = f'http://{args.host}:{server.port}/'
    print(f'{address}  decisions: {decisions}  (Ctrl-C ends)', flush=True)
    if args.open:
        webbrowser.open(address)
    server.serve_forever()  # returns on Ctrl-C
    print('\nAll decisions are saved.')


def main() -> None:
    """Build, serve or both."""
    args = parse_args()
    try:
        if args.command != 'serve':
            build(args)
        if args.command != 'build':
            show(args, args.dir if args.command == 'serve' else args.out)
    except PMVISError as error:
        raise SystemExit(f'error: {error}') from None


if __name__ == '__main__':
    main()
