"""Speed and memory of the dataset checker.

A json of many videos with boxes and RLE masks is drawn and written, then
checked as ``check_dataset.py`` does without images, in a process of its own
so that drawing takes no part in its memory. Seconds are those on the wall,
of one thread; ``load_seconds`` of them go to reading the json.

The last line is one JSON object.
"""

import argparse
import json
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Tuple

import numpy as np
from _memory import forget_peak, peak_mb
from _moving_masks import MovingBlob

from pmvis_mm.structures.rle import areas, tight_boxes
from pmvis_mm.utils.fileio import dump_json, load_json

NUM_CATEGORIES = 40


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--videos', type=int, default=3000)
    parser.add_argument('--frames', type=int, default=36)
    parser.add_argument('--objects', type=int, default=3)
    parser.add_argument('--height', type=int, default=360)
    parser.add_argument('--width', type=int, default=640)
    parser.add_argument('--box-only', action='store_true')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--check', help=argparse.SUPPRESS)
    return parser.parse_args()


def draw(args: argparse.Namespace) -> Dict[str, Any]:
    """Draw a dataset; tracks are borrowed from a pool, which is faster."""
    size = args.height, args.width
    rng = np.random.default_rng(args.seed)
    pool = [
        _draw_track(size, args.frames, rng)
        for _ in range(min(args.videos * args.objects, 48))
    ]
    videos, annotations = [], []
    shape = dict(width=args.width, height=args.height, length=args.frames)
    for video in range(1, args.videos + 1):
        names = [f'{video:05d}/{5 * t:05d}.jpg' for t in range(args.frames)]
        videos.append(dict(id=video, file_names=names, **shape))
        for i in rng.choice(len(pool), args.objects, replace=False):
            ids = dict(id=len(annotations) + 1, video_id=video, iscrowd=0)
            ids['category_id'] = int(rng.integers(NUM_CATEGORIES)) + 1
            annotations.append(dict(ids, **pool[i]))
    categories = [
        dict(id=k + 1, name=f'class{k}') for k in range(NUM_CATEGORIES)
    ]
    return dict(videos=videos, categories=categories, annotations=annotations)


def _draw_track(
    size: Tuple[int, int], frames: int, rng: np.random.Generator
) -> Dict[str, Any]:
    masks = [m if m else None for m in MovingBlob(size, rng).track(frames)]
    boxes = tight_boxes(masks)
    boxes[:, 2:] -= boxes[:, :2]
    there = [mask for mask in masks if mask is not None]
    pixels = iter(areas(there).tolist())
    return dict(
        bboxes=[m and b for m, b in zip(masks, boxes.tolist())],
        segmentations=masks,
        areas=[m and next(pixels) for m in masks],
    )


def check(path: str, box_only: bool) -> Dict[str, Any]:
    """Check a file; only this is measured."""
    from pmvis_mm.checking import check_annotations, count

    forget_peak()
    begin = time.perf_counter()
    data = load_json(path)
    loaded = time.perf_counter()
    found, content = check_annotations(data, path, box_only)
    counts = count(content, box_only)
    end = time.perf_counter()
    return dict(
        videos=counts.videos,
        frames=counts.frames,
        boxes=counts.boxes,
        masks=counts.masks,
        findings=found.counts,
        seconds=end - begin,
        load_seconds=loaded - begin,
        check_seconds=end - loaded,
        peak_mb=peak_mb(),
        file_mb=Path(path).stat().st_size / 2**20,
    )


def main() -> None:
    args = parse_args()
    if args.check:
        print(json.dumps(check(args.check, args.box_only)))
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder, 'instances.json')
        dump_json(draw(args), path)
        words = [sys.executable, __file__, '--check', str(path)]
        if args.box_only:
            words.append('--box-only')
        done = subprocess.run(
            words, check=True, stdout=subprocess.PIPE, text=True
        )
    print(done.stdout.splitlines()[-1])


if __name__ == '__main__':
    main()
