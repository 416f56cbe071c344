"""Frames per second of the training pipeline, per worker, against mmdet's.

One process, one thread. Both sides load the same clips of the same generated
JPEGs, with the same random numbers and the same augmentation; inputs, boxes,
labels, ids and masks are compared before anything is timed. Tells where the
time goes, what our own resizing costs, and what other storages cost. Sides
take turns clip by clip; seconds are those of the processor, of each clip the
least of several rounds, as other programs disturb. The last line is one JSON
object.
"""

import argparse
import json
import random
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple

import cv2
import numpy as np
import torch
from _textured_videos import write_textured
from mmengine.registry import init_default_scope

from pmvis_mm.datasets.frame_packing import PackingOptions, pack_frames
from pmvis_mm.registry import DATASETS
from pmvis_mm.structures.frame_path import video_frame_path
from pmvis_mm.utils.fileio import dump_json, load_json
from pmvis_mm.utils.text_table import format_table

SHORT_EDGE, LONG_EDGE = 480, 1333
SIDES = ('stock', 'ours')


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument(
        '--heights', type=int, nargs='+', default=[720, 480], help='pixels'
    )
    parser.add_argument('--num-videos', type=int, default=4)
    parser.add_argument('--num-frames', type=int, default=16)
    parser.add_argument('--num-objects', type=int, default=4)
    parser.add_argument('--clips', type=int, default=24, help='per round')
    parser.add_argument('--rounds', type=int, default=5)
    return parser.parse_args()


def pipeline(
    side: str,
    with_mask: bool,
    resize: str = 'Resize',
    backend_args: Optional[Dict[str, Any]] = None,
) -> List[Dict[str, Any]]:
    """The pipeline of a side: 'stock' or 'ours'."""
    load, annotate, pack = (
        ('LoadImageFromFile', 'LoadTrackAnnotations', 'PackTrackInputs')
        if side == 'stock'
        else ('LoadVISFrame', 'LoadPseudoMasks', 'PackVISInputs')
    )
    scaling: Dict[str, Any] = dict(type=resize, scale=(LONG_EDGE, SHORT_EDGE))
    if resize == 'Resize':
        scaling['keep_ratio'] = True
    return [
        dict(
            type='UniformRefFrameSample',
            num_ref_imgs=1,
            frame_range=10,
            filter_key_img=True,
        ),
        dict(
            type='TransformBroadcaster',
            share_random_params=True,
            transforms=[
                dict(type=load, backend_args=backend_args),
                dict(type=annotate, with_mask=with_mask),
                scaling,
                dict(type='RandomFlip', prob=0.5),
            ],
        ),
        dict(type=pack),
    ]


def build(
    side: str, data: Dict[str, Any], with_mask: bool, **options: Any
) -> Any:
    """Build the dataset of a side."""
    own: Dict[str, Any] = dict(
        type='VISDataset',
        ann_file=data['ann_file'],
        supervision='full' if with_mask else 'box',
    )
    if side == 'stock':
        own = dict(
            type='YouTubeVISDataset',
            ann_file=data['coco_vid'],
            dataset_version='2019',
            metainfo=dict(classes=('person',)),
        )
    return DATASETS.build(
        dict(
            own,
            data_prefix=dict(img_path=data['img_prefix']),
            backend_args=options.get('backend_args'),
            pipeline=pipeline(side, with_mask, **options),
        )
    )


def clip(dataset: Any, number: int) -> Dict[str, Any]:
    """Load a clip; the same number gives the same random numbers."""
    np.random.seed(number)
    random.seed(number)
    return dataset[number % len(dataset)]


def check_same(first: Any, second: Any, clips: int, with_mask: bool) -> None:
    """See that two datasets give the same."""
    for number in range(clips):
        a, b = clip(first, number), clip(second, number)
        assert torch.equal(a['inputs'], b['inputs']), number
        for x, y in zip(a['data_samples'], b['data_samples']):
            x, y = x.gt_instances, y.gt_instances
            assert torch.equal(x.bboxes, y.bboxes), number
            assert torch.equal(x.labels, y.labels), number
            assert x.instances_ids.tolist() == y.instances_ids.tolist()
            if with_mask:
                assert np.array_equal(x.masks.masks, y.masks.masks), number


def rates(
    datasets: Dict[str, Any], clips: int, rounds: int
) -> Dict[str, float]:
    """Frames per second of each."""
    seconds = {name: np.full(clips, np.inf) for name in datasets}
    for _ in range(rounds):
        for number in range(clips):
            for name, dataset in datasets.items():
                start = time.process_time()
                clip(dataset, number)
                elapsed = time.process_time() - start
                seconds[name][number] = min(seconds[name][number], elapsed)
    return {
        name: round(2 * clips / float(times.sum()), 1)
        for name, times in seconds.items()
    }


def steps(dataset: Any, clips: int, rounds: int) -> List[Tuple[str, float]]:
    """Milliseconds per frame of each transform, and of the rest."""
    times: Dict[str, float] = {}
    transforms = list(dataset.pipeline.transforms)
    inner = list(transforms[1].transforms)
    for transform in [transforms[0], *inner, transforms[2]]:
        _time_calls(transform, times)
    found = []
    for _ in range(rounds):
        for name in times:
            times[name] = 0.0
        start = time.process_time()
        for number in range(clips):
            clip(dataset, number)
        total = time.process_time() - start
        found.append([*times.values(), total - sum(times.values())])
    least = 1e3 * np.min(found, axis=0) / (2 * clips)
    return list(zip([*times, 'the rest'], least.tolist()))


def _time_calls(transform: Any, times: Dict[str, float]) -> None:
    name, call = type(transform).__name__, transform.transform

    def timed(results: dict) -> Any:
        start = time.process_time()
        done = call(results)
        times[name] += time.process_time() - start
        return done

    times[name] = 0.0
    transform.transform = timed


def show_steps(
    title: str, stock: Sequence[Tuple[str, float]], ours: Sequence[Any]
) -> None:
    """Print two pipelines beside each other."""
    rows = [(*left, *right) for left, right in zip(stock, ours)]
    header = ('stock', 'ms per frame', 'ours', 'ms per frame')
    print(f'\n{title}')
    print(format_table(header, rows, digits=2))


def compare(
    data: Dict[str, Any], title: str, args: argparse.Namespace
) -> Dict[str, Any]:
    """Stock against ours, with masks and with boxes only."""
    result: Dict[str, Any] = {}
    for kind, with_mask in (('full', True), ('box', False)):
        sets = {side: build(side, data, with_mask) for side in SIDES}
        check_same(sets['stock'], sets['ours'], args.clips, with_mask)
        sets['ours, ResizeVISFrame'] = build(
            'ours', data, with_mask, resize='ResizeVISFrame'
        )
        found = rates(sets, args.clips, args.rounds)
        print(f'\n{title}, {kind}: frames/s')
        print(
            format_table(
                ('pipeline', 'frames/s'), list(found.items()), digits=1
            )
        )
        ratio = round(found['ours'] / found['stock'], 2)
        result[kind] = dict(found, ratio=ratio)
        timed = [steps(sets[side], args.clips, args.rounds) for side in SIDES]
        show_steps(f'{title}, {kind}: where the time goes', *timed)
        for side, table in zip(SIDES, timed):
            result[kind][f'{side} ms'] = {k: round(v, 2) for k, v in table}
    return result


def storages(
    data: Dict[str, Any], root: Path, args: argparse.Namespace
) -> Dict[str, float]:
    """Our pipeline, boxes only, from other storages."""
    ann_file, prefix = data['ann_file'], data['img_prefix']
    sets = dict(files=build('ours', data, False))
    for storage, backend in (('tar', 'tar'), ('lmdb', 'frames_lmdb')):
        out = str(root / f'frames.{storage}')
        pack_frames(ann_file, prefix, out, storage=storage)
        packed = dict(backend=backend, path=out, root=prefix)
        sets[storage] = build('ours', data, False, backend_args=packed)
        check_same(sets['files'], sets[storage], args.clips, False)
    small = str(root / 'small.tar')
    options = PackingOptions(short_edge=SHORT_EDGE)
    report = pack_frames(ann_file, prefix, small, options=options)
    packed = dict(backend='tar', path=small, root=prefix)
    sets[f'tar at {SHORT_EDGE}p'] = build(
        'ours',
        dict(data, ann_file=report.ann_file),
        False,
        backend_args=packed,
    )
    sets['video file'] = build('ours', _as_videos(data, root), False)
    found = rates(sets, args.clips, args.rounds)
    print('\nstorages, box: frames/s, disk cache warm')
    print(format_table(('storage', 'frames/s'), list(found.items()), digits=1))
    return found


def _as_videos(data: Dict[str, Any], root: Path) -> Dict[str, Any]:
    """The same frames as MPEG-4 files."""
    content = load_json(data['ann_file'])
    for video in content['videos']:
        name = f'{video["id"]}.mp4'
        size = (video['width'], video['height'])
        code = cv2.VideoWriter_fourcc(*'mp4v')
        writer = cv2.VideoWriter(str(root / name), code, 25.0, size)
        for frame in video['file_names']:
            writer.write(cv2.imread(str(Path(data['img_prefix']) / frame)))
        writer.release()
        count = video['length']
        video['file_names'] = [video_frame_path(name, t) for t in range(count)]
    dump_json(content, root / 'videos.json')
    return dict(ann_file=str(root / 'videos.json'), img_prefix=str(root))


def main() -> None:
    """Measure."""
    args = parse_args()
    cv2.setNumThreads(1)
    torch.set_num_threads(1)
    init_default_scope('pmvis_mm')
    result: Dict[str, Any] = dict(short_edge=SHORT_EDGE, same_results=True)
    counts = (args.num_videos, args.num_frames, args.num_objects)
    with tempfile.TemporaryDirectory() as folder:
        for height in args.heights:
            root = Path(folder) / str(height)
            size = (height, height * 16 // 9 // 2 * 2)
            data = write_textured(root, counts, size)
            title = f'{size[1]}x{size[0]}, {data["kilobytes"]:.0f} kB'
            result[str(height)] = compare(data, title, args)
            result[str(height)]['kilobytes'] = round(data['kilobytes'])
        root = Path(folder) / str(args.heights[0])
        data = dict(
            ann_file=str(root / 'instances.json'),
            img_prefix=str(root / 'JPEGImages'),
        )
        result['storages'] = storages(data, root, args)
    print(json.dumps(result))


if __name__ == '__main__':
    main()
