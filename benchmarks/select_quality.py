"""Mean IoU of selectors over given sets of masks, where the truth is known.

Prints, per video, every source, SHQM, QualitySelector and the oracle (the
best source of every mask), and how well predicted and true IoU agree. The
last line is one JSON object.

    python benchmarks/select_quality.py --ann-file boxes.json \
        --img-prefix JPEGImages --truth-file instances.json \
        --sources grabcut=a.json flow=b.json --videos camel dog
"""

import argparse
import json
import time
from dataclasses import dataclass
from typing import Any, Dict, List

import numpy as np

from pmvis_mm.evaluation.functional import MaskQuality, measure_masks, oracle
from pmvis_mm.labeling.label_video import LabelVideo
from pmvis_mm.registry import TASK_UTILS
from pmvis_mm.structures import (
    MaskTrack,
    PseudoMaskSet,
    VideoAnnotations,
    VideoInfo,
)
from pmvis_mm.structures.frame_reader import FrameReader

SELECTORS: Dict[str, Dict[str, Any]] = dict(
    shqm=dict(type='SHQM'), quality=dict(type='QualitySelector')
)


def parse_args() -> argparse.Namespace:
    """Parse the command line."""
    parser = argparse.ArgumentParser(description=__doc__.split('\n')[0])
    parser.add_argument('--ann-file', required=True, help='annotated boxes')
    parser.add_argument('--img-prefix', required=True)
    parser.add_argument('--truth-file', required=True, help='real masks')
    parser.add_argument(
        '--sources',
        nargs='+',
        required=True,
        metavar='NAME=FILE',
        help='masks to choose from, in ascending order of trust; a set may '
        'lack instances',
    )
    parser.add_argument(
        '--videos', nargs='+', help='names of videos; all by default'
    )
    return parser.parse_args()


@dataclass
class Selection:
    """What one selector chose, and its seconds."""

    masks: PseudoMaskSet
    seconds: float = 0.0


def keep_videos(data: Any, names: Any) -> Any:
    """Leave out videos, in place, from annotations or a set of masks."""
    if names is not None:
        known = {video.name for video in data.videos.values()}
        unknown = sorted(set(names) - known)
        if unknown:
            raise SystemExit(f'error: no videos named {unknown}')
        data.videos = {k: v for k, v in data.videos.items() if v.name in names}
        data.tracks = {k: data.tracks[k] for k in data.videos}
    return data


def select(
    selector: Any,
    selection: Selection,
    video: VideoInfo,
    tracks: List[MaskTrack],
    sets: Dict[str, PseudoMaskSet],
    img_prefix: str,
) -> None:
    """Choose for one video."""
    by_id = {
        name: {track.id: track for track in masks.tracks[video.id]}
        for name, masks in sets.items()
    }
    candidates = [
        {n: mine[track.id] for n, mine in by_id.items() if track.id in mine}
        for track in tracks
    ]
    frames = FrameReader(video, img_prefix)
    start = time.perf_counter()
    chosen = selector.select(LabelVideo(video, [], frames), tracks, candidates)
    selection.seconds += time.perf_counter() - start
    selection.masks.tracks[video.id] = chosen


def correlation(masks: PseudoMaskSet, quality: MaskQuality) -> float:
    """Correlation of scores and true IoU over all chosen masks."""
    pairs = [
        (score, quality.ious[track.id, frame])
        for track in masks
        for frame, score in enumerate(track.scores)
        if score is not None and (track.id, frame) in quality.ious
    ]
    values = np.array(pairs).T
    if len(pairs) < 2 or not values.std(1).all():
        return float('nan')
    return float(np.corrcoef(values)[0, 1])


def print_table(rows: Dict[str, MaskQuality], truth: VideoAnnotations) -> None:
    """Print mean IoU per row and video."""
    videos = [v for v in truth.videos.values() if truth.tracks[v.id]]
    print(
        ' ' * 16 + '     mean ' + ' '.join(f'{v.name[:9]:>9s}' for v in videos)
    )
    for name, quality in rows.items():
        per_video = quality.per_video()
        values = [quality.summary()['miou']]
        values += [per_video[v.id]['miou'] for v in videos]
        print(f'{name:16s}' + ' '.join(f'{v:9.3f}' for v in values))


def main() -> None:
    """Select, measure, print."""
    args = parse_args()
    truth = VideoAnnotations.from_file(args.truth_file, with_masks=True)
    boxes = VideoAnnotations.from_file(args.ann_file)
    for data in (truth, boxes):
        keep_videos(data, args.videos)
    sets: Dict[str, PseudoMaskSet] = {}
    for item in args.sources:
        name, path = item.split('=', 1)
        sets[name] = keep_videos(PseudoMaskSet.load(path, name), args.videos)
    rows = {n: measure_masks(masks, truth) for n, masks in sets.items()}
    figures: Dict[str, Any] = {}
    for name, config in SELECTORS.items():
        selector = TASK_UTILS.build(config)
        selection = Selection(PseudoMaskSet.empty_like(boxes, name))
        for video in boxes.videos.values():
            tracks = [MaskTrack.empty_like(t) for t in boxes.tracks[video.id]]
            select(selector, selection, video, tracks, sets, args.img_prefix)
        quality = measure_masks(selection.masks, truth)
        count = sum(masks.num_masks for masks in sets.values())
        figures[name] = dict(
            correlation=round(correlation(selection.masks, quality), 4),
            ms_per_mask=round(1000 * selection.seconds / max(count, 1), 2),
        )
        rows[name] = quality
    rows['oracle'] = oracle([rows[name] for name in sets])
    print_table(rows, truth)
    miou = {n: round(q.summary()['miou'], 4) for n, q in rows.items()}
    print(json.dumps(dict(miou=miou, selectors=figures)))


if __name__ == '__main__':
    main()
