"""Quality and cost of mask sources on real video with boxes only.

Labels a dataset from its boxes with GrabCut and a propagator (flow, or DeAOT
with a checkpoint), imports masks made by other programs, and compares
everything with real masks: every source before and after DOOB, and the
selectors (SHQM and others) and the oracle (best source per mask) over the
sources that start from boxes, and over all. With --single-keyframe once more
with tracks from one keyframe per instance, as in Table V of PM-VIS. Prints a
table per video; the last line is one JSON object.

    python benchmarks/mask_sources.py --ann-file boxes.json \
        --img-prefix JPEGImages --truth-file instances.json \
        --from-boxes isnet=a.json --others stm=b.json --work-dir out
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Mapping, NamedTuple, Optional

from pmvis_mm.evaluation.functional import MaskQuality, measure_masks, oracle
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations

ROOT = Path(__file__).resolve().parents[1]
PROPAGATORS = ('flow', 'deaot')
Folders = Dict[str, Path]
Rows = Dict[str, MaskQuality]


class Tracks(NamedTuple):
    """Tracks of one propagator and one number of keyframes.

    Attributes:
        name (str): Of the source.
        suffix (str): In the names of rows.
        interval (int, optional): One keyframe for so many frames; None for
            a single one.
    """

    name: str
    suffix: str
    interval: Optional[int]

    @property
    def folder(self) -> str:
        """Name of the work folder."""
        return self.name if self.interval else f'{self.name}_n1'


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--ann-file', required=True)
    parser.add_argument('--img-prefix', required=True)
    parser.add_argument('--truth-file', required=True)
    parser.add_argument('--work-dir', required=True)
    parser.add_argument(
        '--from-boxes',
        nargs='*',
        default=[],
        help='NAME=FILE of imported masks that were made from boxes; the '
        'first one is what GrabCut is compared with to find keyframes',
    )
    parser.add_argument(
        '--others',
        nargs='*',
        default=[],
        help='NAME=FILE of imported masks that know more than boxes',
    )
    parser.add_argument('--keyframe-interval', type=int, default=10)
    parser.add_argument(
        '--single-keyframe',
        action='store_true',
        help='also track from a single keyframe per instance',
    )
    parser.add_argument('--propagator', choices=PROPAGATORS, default='flow')
    parser.add_argument('--deaot-checkpoint', help='weights of DeAOT')
    parser.add_argument('--deaot-arch', default='deaott')
    parser.add_argument(
        '--track-options',
        nargs='*',
        default=[],
        metavar='KEY=VALUE',
        help='further options of the propagator, e.g. fusion=mean or '
        'keyframe_mode=per_segment',
    )
    parser.add_argument(
        '--selectors',
        nargs='*',
        default=['SHQM'],
        help='SHQM, and selectors for SelectHook, e.g. QualitySelector; '
        'default: SHQM',
    )
    args = parser.parse_args()
    if args.propagator == 'deaot' and args.deaot_checkpoint is None:
        parser.error('--propagator deaot needs --deaot-checkpoint')
    for option in args.track_options:
        if '=' not in option:
            parser.error(f'--track-options should be KEY=VALUE: {option}')
    return args


def run_tool(*words: str) -> None:
    """Run tools/test.py as a person would."""
    command = [sys.executable, str(ROOT / 'tools/test.py'), *words]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)


def label(
    args: argparse.Namespace,
    name: str,
    config: str,
    priors: Mapping[str, Path],
    **options: object,
) -> Path:
    """Run a labelling config; returns its folder."""
    folder = Path(args.work_dir) / name
    dataset = 'test_dataloader.dataset'
    settings = {
        f'{dataset}.ann_file': args.ann_file,
        f'{dataset}.img_prefix': args.img_prefix,
        'default_hooks.logger.interval': 100,
        **{f'{dataset}.priors.{key}': path for key, path in priors.items()},
        **options,
    }
    if priors:
        settings[f'{dataset}.priors._delete_'] = True
    run_tool(
        str(ROOT / f'configs/labeling/{config}.py'),
        '--work-dir',
        str(folder),
        '--cfg-options',
        *(f'{key}={value}' for key, value in settings.items()),
    )
    return folder


def run_sources(args: argparse.Namespace) -> Folders:
    """Label with every source but the propagator; folders by name."""
    imported = dict(
        item.split('=', 1) for item in [*args.from_boxes, *args.others]
    )
    folders = {'grabcut': label(args, 'grabcut', 'grabcut_doob', {})}
    for name, path in imported.items():
        folders[name] = label(
            args, name, 'import_doob', {'imported': Path(path)}
        )
    return folders


def track(args: argparse.Namespace, tracks: Tracks, folders: Folders) -> None:
    """Track from GrabCut's keyframes; adds the folder.

    SHQM over all tracks and the sources that start from boxes comes along;
    DOOB is a run over the finished tracks.
    """
    names = names_of(args.from_boxes, 'grabcut')
    # A cleaned mask starts a track, as in PM-VIS.
    priors = {name: folders[name] / 'masks.json' for name in names}
    config, options = 'flow_shqm', {}
    if args.propagator == 'deaot':
        config = 'deaot_shqm'
        options['model.checkpoint'] = args.deaot_checkpoint
        options['model.propagator.network.arch'] = args.deaot_arch
    for item in args.track_options:
        key, _, value = item.partition('=')
        options[f'model.{key}'] = value
    folders[tracks.folder] = label(
        args,
        tracks.folder,
        config,
        priors,
        **{
            'model.prior': 'grabcut',
            'model.reference': names[1] if len(names) > 1 else None,
            'model.keyframe_interval': tracks.interval,
            'model.name': tracks.name,
            'custom_hooks.0.candidates': _listed(names),
            'custom_hooks.0.own': tracks.name,
            **options,
        },
    )
    raw = folders[tracks.folder] / 'stages/raw.json'
    cleaned = f'{tracks.folder}_doob'
    folders[cleaned] = label(args, cleaned, 'import_doob', {'imported': raw})


def select(
    args: argparse.Namespace,
    selector: str,
    priors: Mapping[str, Path],
    folder: str,
) -> Path:
    """Run a selector over finished sources; returns its masks."""
    options: Dict[str, object] = {
        'model.name': next(iter(priors)),
        'custom_hooks.0.candidates': _listed(list(priors)),
    }
    if selector != 'SHQM':
        options['custom_hooks.0.type'] = 'SelectHook'
        options['custom_hooks.0.selector.type'] = selector
    path = label(args, folder, 'select_shqm', priors, **options)
    return path / 'masks.json'


def names_of(items: List[str], *first: str) -> List[str]:
    """Take the names of NAME=FILE."""
    return [*first, *(item.split('=')[0] for item in items)]


def _listed(names: List[str]) -> str:
    return '[' + ','.join(names) + ']'


def known_selectors(names: List[str]) -> List[str]:
    """Leave out selectors that this version does not have."""
    # Slow, and only needed here.
    from pmvis_mm.registry import HOOKS, TASK_UTILS

    known = []
    for name in names:
        if name == 'SHQM' or (
            HOOKS.get('SelectHook') and TASK_UTILS.get(name)
        ):
            known.append(name)
        else:
            print(f'{name} is skipped: no such selector', file=sys.stderr)
    return known


def judge_sources(
    args: argparse.Namespace, folders: Folders, truth: VideoAnnotations
) -> Rows:
    """Judge what does not depend on keyframes, before and after DOOB."""
    rows: Rows = {}
    for name in names_of([*args.from_boxes, *args.others], 'grabcut'):
        for stage, suffix in (('raw', ''), ('doob', ' + DOOB')):
            path = folders[name] / f'stages/{stage}.json'
            rows[name + suffix] = judge(path, truth)
    return rows


def judge_tracks(
    args: argparse.Namespace,
    tracks: Tracks,
    folders: Folders,
    truth: VideoAnnotations,
    rows: Rows,
) -> None:
    """Judge tracks, and what is selected with them; adds rows."""
    raw = folders[tracks.folder] / 'stages/raw.json'
    name, end = tracks.name, tracks.suffix
    rows[name + end] = judge(raw, truth)
    rows[f'{name}{end} + DOOB'] = judge(
        folders[f'{tracks.folder}_doob'] / 'stages/doob.json', truth
    )
    # Votes of one track per keyframe, beside those of the other sources.
    if tracks.interval and 'SHQM' in args.selectors:
        path = folders[tracks.folder] / 'stages/shqm.json'
        rows['SHQM, boxes only, all tracks' + end] = judge(path, truth)
    boxes_only = names_of(args.from_boxes, 'grabcut')
    groups = {'boxes only': boxes_only}
    if tracks.interval:
        groups['all'] = boxes_only + names_of(args.others)
    for title, names in groups.items():
        priors = {key: folders[key] / 'masks.json' for key in names}
        # Ties go to the last: tracks after what they were made from.
        place = len(boxes_only)
        items = list(priors.items())
        items.insert(place, (name, raw))
        for selector in args.selectors:
            row = f'{selector}, {title}{end}'
            if title == 'all' and not args.others:
                rows[row] = rows[f'{selector}, boxes only{end}']
                continue
            folder = f'{selector.lower()}_{len(items)}{_slug(end)}'
            path = select(args, selector, dict(items), folder)
            rows[row] = judge(path, truth)
        used = [name + end, *(f'{key} + DOOB' for key in names)]
        rows[f'oracle, {title}{end}'] = oracle([rows[key] for key in used])


def _slug(suffix: str) -> str:
    return '_n1' if suffix else ''


def judge(path: Path, truth: VideoAnnotations) -> MaskQuality:
    """Compare a file with the real masks, outlines included."""
    return measure_masks(PseudoMaskSet.load(path), truth, boundary=True)


def print_table(rows: Rows, truth: VideoAnnotations) -> None:
    """Print mean IoU, share found, mean F, and mean IoU per video."""
    videos = [v for v in truth.videos.values() if truth.tracks[v.id]]
    header = ['mean', 'found', 'F', *(v.name for v in videos)]
    print(f'{"":36s}' + ' '.join(f'{h[:9]:>9s}' for h in header))
    for name, quality in rows.items():
        total, per_video = quality.summary(), quality.per_video()
        values = [total[key] for key in ('miou', 'coverage', 'boundary_f')]
        values += [per_video[v.id]['miou'] for v in videos]
        print(f'{name:36s}' + ' '.join(f'{v:9.3f}' for v in values))


def report(
    rows: Rows, folders: Folders, truth: VideoAnnotations, timed: List[str]
) -> Dict[str, object]:
    """Collect the figures of all rows and the cost of some sources."""
    costs = {}
    for name in timed:
        stats = json.loads((folders[name] / 'label_stats.json').read_text())
        costs[name] = dict(
            ms_per_frame=round(1000 * stats['seconds_per_frame'], 2),
            ms_per_mask=round(1000 * stats['seconds_per_mask'], 2),
        )
    totals = {name: quality.summary() for name, quality in rows.items()}
    return dict(
        miou={name: round(t['miou'], 4) for name, t in totals.items()},
        boundary_f={
            name: round(t['boundary_f'], 4) for name, t in totals.items()
        },
        per_video={
            name: {
                truth.videos[key].name: round(figures['miou'], 4)
                for key, figures in quality.per_video().items()
            }
            for name, quality in rows.items()
        },
        cost=costs,
    )


def main() -> None:
    """Run everything and print the table."""
    args = parse_args()
    args.selectors = known_selectors(args.selectors)
    truth = VideoAnnotations.from_file(args.truth_file, with_masks=True)
    folders = run_sources(args)
    rows = judge_sources(args, folders, truth)
    kinds = [Tracks(args.propagator, '', args.keyframe_interval)]
    if args.single_keyframe:
        kinds.append(Tracks(args.propagator, ', n = 1', None))
    for tracks in kinds:
        track(args, tracks, folders)
        judge_tracks(args, tracks, folders, truth, rows)
    print_table(rows, truth)
    timed = ['grabcut', *(tracks.folder for tracks in kinds)]
    print(json.dumps(report(rows, folders, truth, timed)))


if __name__ == '__main__':
    main()
