"""Quality and cost of mask sources on real video with boxes only.

Labels a dataset from its boxes with GrabCut and flow, imports masks made by
other programs, and compares everything with real masks: every source before
and after DOOB, and SHQM and the oracle (best source per mask) over the
sources that start from boxes, and over all. Prints a table per video; the
last line is one JSON object.

    python benchmarks/mask_sources.py --ann-file boxes.json \
        --img-prefix JPEGImages --truth-file instances.json \
        --from-boxes isnet=a.json --others stm=b.json --work-dir out
"""

import argparse
import json
import subprocess
import sys
from pathlib import Path
from typing import Dict, List, Mapping

from pmvis_mm.evaluation.functional import MaskQuality, measure_masks, oracle
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations

ROOT = Path(__file__).resolve().parents[1]


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
    return parser.parse_args()


def label(
    args: argparse.Namespace,
    name: str,
    config: str,
    priors: Mapping[str, Path],
    **options: object,
) -> Path:
    """Run a labelling config as a person would; returns its folder."""
    folder = Path(args.work_dir) / name
    dataset = 'test_dataloader.dataset'
    settings = {
        f'{dataset}.ann_file': args.ann_file,
        f'{dataset}.img_prefix': args.img_prefix,
        'default_hooks.logger.interval': 100,
        **{f'{dataset}.priors.{key}': path for key, path in priors.items()},
        **options,
    }
    command = [sys.executable, str(ROOT / 'tools/test.py')]
    command += [str(ROOT / f'configs/labeling/{config}.py')]
    command += ['--work-dir', str(folder), '--cfg-options']
    command += [f'{key}={value}' for key, value in settings.items()]
    subprocess.run(command, check=True, stdout=subprocess.DEVNULL)
    return folder


def run_sources(args: argparse.Namespace) -> Dict[str, Path]:
    """Label with every source; returns folders by name."""
    imported = dict(
        item.split('=', 1) for item in [*args.from_boxes, *args.others]
    )
    folders = {'grabcut': label(args, 'grabcut', 'grabcut_doob', {})}
    for name, path in imported.items():
        folders[name] = label(
            args, name, 'import_doob', {'imported': Path(path)}
        )
    masks = {name: path / 'masks.json' for name, path in folders.items()}
    # A cleaned mask starts a track, as in PM-VIS.
    reference = args.from_boxes[0].split('=')[0] if args.from_boxes else None
    options: Dict[str, object] = dict()
    if reference is None:
        options['model.reference'] = None
    folders['flow'] = label(
        args,
        'flow',
        'flow_doob',
        {
            'predicted': masks['grabcut'],
            'prompted': masks[reference or 'grabcut'],
        },
        **{'model.keyframe_interval': args.keyframe_interval, **options},
    )
    return folders


def select(
    args: argparse.Namespace,
    name: str,
    names: List[str],
    folders: Mapping[str, Path],
) -> Path:
    """Run SHQM over finished sources."""
    priors = {
        key: folders[key]
        / ('stages/raw.json' if key == 'flow' else 'masks.json')
        for key in names
    }
    listed = '[' + ','.join(names) + ']'
    return label(
        args,
        name,
        'select_shqm',
        priors,
        **{
            'test_dataloader.dataset.priors._delete_': True,
            'model.name': names[0],
            'custom_hooks.0.candidates': listed,
        },
    )


def print_table(
    rows: Mapping[str, MaskQuality], truth: VideoAnnotations
) -> None:
    """Print mean IoU per row and video."""
    videos = [v for v in truth.videos.values() if truth.tracks[v.id]]
    header = ['mean', 'found', *(v.name for v in videos)]
    print(f'{"":24s}' + ' '.join(f'{h[:9]:>9s}' for h in header))
    for name, quality in rows.items():
        total, per_video = quality.summary(), quality.per_video()
        values = [total['miou'], total['coverage']]
        values += [per_video[v.id]['miou'] for v in videos]
        print(f'{name:24s}' + ' '.join(f'{v:9.3f}' for v in values))


def main() -> None:
    """Run everything and print the table."""
    args = parse_args()
    truth = VideoAnnotations.from_file(args.truth_file, with_masks=True)
    folders = run_sources(args)
    boxes_only = ['grabcut']
    boxes_only += [item.split('=')[0] for item in args.from_boxes]
    boxes_only.append('flow')
    everything = boxes_only + [item.split('=')[0] for item in args.others]
    rows: Dict[str, MaskQuality] = {}
    stages = dict(raw='', doob=' + DOOB')
    for name in everything:
        for stage, suffix in stages.items():
            path = folders[name] / f'stages/{stage}.json'
            rows[name + suffix] = measure_masks(
                PseudoMaskSet.load(path), truth
            )
    for title, names in (('boxes only', boxes_only), ('all', everything)):
        folder = select(args, f'shqm_{len(names)}', names, folders)
        rows[f'SHQM, {title}'] = measure_masks(
            PseudoMaskSet.load(folder / 'masks.json'), truth
        )
        used = [n if n == 'flow' else f'{n} + DOOB' for n in names]
        rows[f'oracle, {title}'] = oracle([rows[name] for name in used])
    print_table(rows, truth)
    costs = {}
    for name in ('grabcut', 'flow'):
        stats = json.loads((folders[name] / 'label_stats.json').read_text())
        costs[name] = dict(
            ms_per_frame=round(1000 * stats['seconds_per_frame'], 2),
            ms_per_mask=round(1000 * stats['seconds_per_mask'], 2),
        )
    figures = {name: round(q.summary()['miou'], 4) for name, q in rows.items()}
    print(json.dumps(dict(miou=figures, cost=costs)))


if __name__ == '__main__':
    main()
