"""Speed and memory of the evaluation, and whether its numbers are right.

Without options: average precision of one crowded 720p video against mmdet's
``YTVISeval``, both in this process and on one core, on the same predictions.
``track_iou`` is timed too: it intersects all pairs of masks, while AP asks
only for those that may reach an IoU of 0.5.

With ``--validation``: a validation of the size of YouTube-VIS 2021 (421
videos) through ``VISMetric``, results files included, as a test loop would
call it. Time is that of the metric; drawing the masks does not count.

Seconds of the comparison are those of this process alone (CPU time, one
thread); of the validation both these and those on the wall are told.

The last line is one JSON object.
"""

import argparse
import json
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, Tuple

import numpy as np
from _memory import forget_peak, peak_mb
from _moving_masks import MaskTrack, MovingBlob

from pmvis_mm.evaluation.functional import (
    evaluate_tracks,
    find_track_errors,
    track_iou,
)
from pmvis_mm.structures import VideoAnnotations, parse_annotations
from pmvis_mm.structures.rle import areas
from pmvis_mm.testing.public_evaluator import PLACES, judge_publicly
from pmvis_mm.testing.strip_tracks import predicted_track

NUM_CATEGORIES = 40


def parse_args() -> argparse.Namespace:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument('--validation', action='store_true')
    parser.add_argument('--height', type=int, default=720)
    parser.add_argument('--width', type=int, default=1280)
    parser.add_argument('--frames', type=int, help='200, or a mean of 36')
    parser.add_argument('--truths', type=int, default=20)
    parser.add_argument('--predictions', type=int, default=100)
    parser.add_argument('--videos', type=int, default=421)
    parser.add_argument('--errors', action='store_true', help='break down')
    parser.add_argument(
        '--roughness',
        type=float,
        default=0.0,
        help='noise at the borders of predictions, share of the radius',
    )
    parser.add_argument('--seed', type=int, default=0)
    return parser.parse_args()


# ------------------------------------------------------------------ crowded
def draw_crowd(
    args: argparse.Namespace, frames: int
) -> Tuple[List[MaskTrack], List[MaskTrack]]:
    """Draw instances, and predictions that follow them more or less."""
    rng = np.random.default_rng(args.seed)
    size = (args.height, args.width)
    blobs = [MovingBlob(size, rng) for _ in range(args.truths)]
    real = [blob.track(frames) for blob in blobs]
    found = []
    for number in range(args.predictions):
        blob = blobs[number % len(blobs)]
        shift = (rng.normal(0, 0.2, 2) * blob.radius).tolist()
        found.append(blob.track(frames, 0, shift, args.roughness, rng))
    return real, found


def as_dataset(
    tracks: List[Tuple[int, int, MaskTrack]],
    lengths: Dict[int, int],
    size: Tuple[int, int],
    num_categories: int,
) -> Dict[str, Any]:
    """Write real tracks, (video, category, masks), as YouTube-VIS json."""
    height, width = size
    return dict(
        videos=[
            dict(
                id=video,
                height=height,
                width=width,
                length=length,
                file_names=[f'{video}/{t}.jpg' for t in range(length)],
            )
            for video, length in lengths.items()
        ],
        categories=[
            dict(id=k + 1, name=f'class{k}') for k in range(num_categories)
        ],
        annotations=[
            dict(
                id=i + 1,
                video_id=video,
                category_id=category,
                iscrowd=0,
                segmentations=list(masks),
                areas=_areas(masks),
                bboxes=[m and [0, 0, width, height] for m in masks],
            )
            for i, (video, category, masks) in enumerate(tracks)
        ],
    )


def _areas(masks: MaskTrack) -> list:
    sizes = iter(areas([mask for mask in masks if mask]).tolist())
    return [next(sizes) if mask else None for mask in masks]


def compare(args: argparse.Namespace) -> Dict[str, Any]:
    """Time both evaluators on one crowded video."""
    frames = args.frames or 200
    size = (args.height, args.width)
    real, found = draw_crowd(args, frames)
    data = as_dataset([(1, 1, masks) for masks in real], {1: frames}, size, 1)
    rng = np.random.default_rng(args.seed)
    entries = [
        predicted_track(masks, 1, 1, float(rng.random())) for masks in found
    ]
    truth = parse_annotations(data, with_masks=True)
    times: Dict[str, float] = {}
    # Twice, the better one: the first call also warms up caches.
    for _ in range(2):
        begin = time.process_time()
        summary = evaluate_tracks(entries, truth, sizes=True).summary()
        _keep_best(times, 'evaluate_tracks', begin)
        begin = time.process_time()
        track_iou(found, real)
        _keep_best(times, 'track_iou', begin)
    if args.errors:
        begin = time.process_time()
        find_track_errors(entries, truth)
        _keep_best(times, 'errors', begin)
    judge, public = judge_publicly(data, entries)
    ours = {key: summary[key] for key in PLACES}
    # Where nothing is real the public evaluator says -1.
    diff = max(
        abs((-1 if np.isnan(value) else value) - judge.stats[PLACES[key]])
        for key, value in ours.items()
    )
    return dict(
        truths=len(real),
        predictions=len(found),
        frames=frames,
        size=size,
        AP=summary['AP'],
        seconds_ytviseval=public,
        **{f'seconds_{key}': value for key, value in times.items()},
        speedup=public / times['evaluate_tracks'],
        speedup_all_pairs=public / times['track_iou'],
        max_diff=float(diff),
    )


def _keep_best(times: Dict[str, float], name: str, begin: float) -> None:
    seconds = time.process_time() - begin
    times[name] = min(seconds, times.get(name, seconds))


# --------------------------------------------------------------- validation
class Clock:
    """Adds up seconds, on the wall and of this process."""

    def __init__(self) -> None:
        self.wall = self.cpu = 0.0

    def start(self) -> None:
        self._begin = time.perf_counter(), time.process_time()

    def stop(self) -> None:
        self.wall += time.perf_counter() - self._begin[0]
        self.cpu += time.process_time() - self._begin[1]


class Pool:
    """Tracks drawn once, from which videos borrow: drawing takes longest."""

    def __init__(
        self, size: Tuple[int, int], rng: np.random.Generator, length: int
    ) -> None:
        self.rng = rng
        self.real: List[MaskTrack] = []
        self.found: List[List[MaskTrack]] = []
        for _ in range(24):
            blob = MovingBlob(size, rng)
            self.real.append(blob.track(length))
            self.found.append(
                [
                    blob.track(length, 0, (shift * blob.radius).tolist())
                    for shift in rng.normal(0, 0.15, (3, 2))
                ]
            )

    def video(
        self, length: int, predictions: int
    ) -> Tuple[List[Tuple[int, MaskTrack]], List[Tuple[int, MaskTrack]]]:
        """Choose instances and predictions, each with a category."""
        rng = self.rng
        number = int(rng.integers(1, 5))
        chosen = rng.choice(len(self.real), number, replace=False)
        classes = rng.integers(1, NUM_CATEGORIES + 1, number).tolist()
        real = [
            (label, self.real[i][:length]) for label, i in zip(classes, chosen)
        ]
        found = []
        for i in range(predictions):
            place = int(rng.integers(number))
            near = rng.random() < 0.5
            source = chosen[place] if near else rng.integers(len(self.real))
            label = classes[place]
            if rng.random() < 0.5:
                label = int(rng.integers(1, NUM_CATEGORIES + 1))
            masks = self.found[source][i % 3][:length]
            found.append((label, masks))
        return real, found


def draw_validation(
    args: argparse.Namespace,
) -> Tuple[Dict[str, Any], Dict[int, List[Tuple[int, MaskTrack]]]]:
    """Draw a whole validation: truth, and predictions by video."""
    rng = np.random.default_rng(args.seed)
    size, mean = (args.height, args.width), args.frames or 36
    pool = Pool(size, rng, mean * 3 // 2)
    real: List[Tuple[int, int, MaskTrack]] = []
    found: Dict[int, List[Tuple[int, MaskTrack]]] = {}
    lengths: Dict[int, int] = {}
    for video in range(1, args.videos + 1):
        lengths[video] = int(rng.integers(mean // 2, mean * 3 // 2 + 1))
        own, found[video] = pool.video(lengths[video], args.predictions)
        real.extend((video, label, masks) for label, masks in own)
    return as_dataset(real, lengths, size, NUM_CATEGORIES), found


def clips(
    truth: VideoAnnotations,
    found: Dict[int, List[Tuple[int, MaskTrack]]],
    seed: int,
) -> Iterator[Dict[str, Any]]:
    """Give the predictions as a model does, video by video."""
    rng = np.random.default_rng(seed)
    for key, tracks in found.items():
        scores = rng.random(len(tracks)).tolist()
        frames = []
        for t in range(truth.videos[key].length):
            here = [i for i, (_, masks) in enumerate(tracks) if masks[t]]
            frames.append(
                dict(
                    video_id=key,
                    frame_id=t,
                    pred_track_instances=dict(
                        instances_id=here,
                        labels=[tracks[i][0] - 1 for i in here],
                        scores=[scores[i] for i in here],
                        masks=[tracks[i][1][t] for i in here],
                    ),
                )
            )
        yield dict(video_data_samples=frames)


def validate(args: argparse.Namespace) -> Dict[str, Any]:
    """Run a validation through the metric."""
    from pmvis_mm.evaluation import VISMetric

    data, found = draw_validation(args)
    with tempfile.TemporaryDirectory() as folder:
        ann_file = Path(folder, 'truth.json')
        ann_file.write_text(json.dumps(data))
        del data
        forget_peak()
        before = peak_mb()
        clock = Clock()
        clock.start()
        metric = VISMetric(
            str(ann_file),
            outfile_prefix=str(Path(folder, 'r')),
            by_size=True,
            long_videos=36,
            error_breakdown=args.errors,
        )
        clock.stop()
        for clip in clips(metric.truth, found, args.seed):
            clock.start()
            metric.process({}, [clip])
            clock.stop()
        clock.start()
        metrics = metric.evaluate(args.videos)
        clock.stop()
        sizes = {
            path.suffix[1:]: path.stat().st_size / 2**20
            for path in Path(folder).glob('r.results.*')
        }
        num_masks = sum(
            mask is not None
            for tracks in found.values()
            for _, masks in tracks
            for mask in masks
        )
        return dict(
            videos=args.videos,
            frames=sum(v.length for v in metric.truth.videos.values()),
            predictions=args.predictions,
            masks=num_masks,
            size=(args.height, args.width),
            AP=metrics['vis/AP'],
            seconds=clock.wall,
            cpu_seconds=clock.cpu,
            peak_mb=peak_mb(),
            before_mb=before,
            megabytes=sizes,
        )


def main() -> None:
    args = parse_args()
    report = validate(args) if args.validation else compare(args)
    print(json.dumps(report))


if __name__ == '__main__':
    main()
