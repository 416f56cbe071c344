"""Time and memory of DOOB and SHQM on a set as large as YouTube-VIS.

Three sources of generated masks are cleaned (DOOB, two of them) and selected
from (SHQM), video by video, by the hooks that label real data. Making the
masks is not timed.
"""

import argparse
import json
import resource
import sys
import time
from typing import Dict, Iterator, List, Sequence, Tuple

import cv2
import numpy as np

from pmvis_mm.engine.hooks.label_hooks import DOOBHook, SHQMHook
from pmvis_mm.labeling.label_video import LabelResult, LabelVideo, TracksById
from pmvis_mm.structures import (
    RLE,
    Box,
    BoxTrack,
    MaskTrack,
    PseudoMaskSet,
    VideoInfo,
    join,
)
from pmvis_mm.structures.frame_reader import FrameReader
from pmvis_mm.structures.rle import encode, tight_boxes

FRAMES, INSTANCES = 30, 4
POOL = 200
# Jitter of the outline, offset (both in pixels) and share of missing masks.
SOURCES: Dict[str, Tuple[float, float, float]] = dict(
    hqsam=(1.5, 1.5, 0.0), ibm=(1.2, 1.5, 0.02), track=(1.0, 1.5, 0.0)
)
# Box and, by source, mask of every instance of a frame.
Scene = List[Tuple[Box, Dict[str, RLE]]]


def make_scene(rng: np.random.Generator, height: int, width: int) -> Scene:
    """Draw the instances of one frame, near enough to overlap.

    Args:
        rng (np.random.Generator): Source of randomness.
        height (int): Height of the frame, pixels.
        width (int): Width of the frame, pixels.

    Returns:
        list[tuple]: Per instance its box (half-open xyxy, pixels) and its
        mask by source.
    """
    size = np.array([width, height])
    scene: Scene = []
    for center in size * rng.uniform(0.25, 0.75, (INSTANCES, 2)):
        radii = height * rng.uniform(0.05, 0.2, 2)
        outline = _blob(rng, center, radii)
        boxes = tight_boxes([_fill(outline, height, width)])
        box: Box = tuple(float(v) for v in boxes[0])  # type: ignore
        masks = {}
        for name, (jitter, offset, _) in SOURCES.items():
            shift = rng.normal(0, offset, 2)
            noisy = outline + shift + rng.normal(0, jitter, outline.shape)
            masks[name] = _fill(noisy, height, width)
        scene.append((box, masks))
    return scene


def _blob(
    rng: np.random.Generator, center: np.ndarray, radii: np.ndarray
) -> np.ndarray:
    """Make a wavy ellipse, float, (160, 2), xy in pixels."""
    angle = np.linspace(0, 2 * np.pi, 160, endpoint=False)[:, None]
    wave = np.ones_like(angle)
    for order in range(2, 8):
        wave += rng.normal(0, 0.2 / order) * np.sin(
            order * angle + rng.uniform(0, 2 * np.pi)
        )
    return center + radii * wave * np.hstack([np.cos(angle), np.sin(angle)])


def _fill(outline: np.ndarray, height: int, width: int) -> RLE:
    canvas = np.zeros((height, width), np.uint8)
    cv2.fillPoly(canvas, [np.rint(outline).astype(np.int32)], 1)
    return encode(canvas)


def make_sets(
    annotations: int, height: int, width: int, seed: int
) -> Dict[str, PseudoMaskSet]:
    """Make as many (instance, frame) annotations as asked for.

    Frames are drawn from a pool of scenes. Every mask is an object of its
    own, so that memory is that of masks which all differ.

    Args:
        annotations (int): Annotations in total.
        height (int): Height of the frames, pixels.
        width (int): Width of the frames, pixels.
        seed (int): Seed of everything random.

    Returns:
        dict[str, PseudoMaskSet]: By source.
    """
    rng = np.random.default_rng(seed)
    pool = [make_scene(rng, height, width) for _ in range(POOL)]
    left, videos = annotations, 0
    infos: Dict[int, VideoInfo] = {}
    tracks: Dict[str, Dict[int, List[MaskTrack]]] = {n: {} for n in SOURCES}
    while left > 0:
        length = min(FRAMES, -(-left // INSTANCES))
        names = tuple(f'{videos:05d}/{t:05d}.jpg' for t in range(length))
        infos[videos] = VideoInfo(videos, width, height, names)
        scenes = [pool[k] for k in rng.integers(POOL, size=length)]
        made = _make_video(rng, infos[videos], scenes, left)
        for name in SOURCES:
            tracks[name][videos] = made[name]
        left -= length * INSTANCES
        videos += 1
    categories = [dict(id=1, name='blob')]
    return {
        name: PseudoMaskSet(infos, categories, tracks[name], name)
        for name in SOURCES
    }


def _make_video(
    rng: np.random.Generator,
    video: VideoInfo,
    scenes: Sequence[Scene],
    number: int,
) -> Dict[str, List[MaskTrack]]:
    """Turn scenes into tracks, at most ``number`` annotations."""
    result: Dict[str, List[MaskTrack]] = {name: [] for name in SOURCES}
    for k in range(INSTANCES):
        boxes = [
            scene[k][0] if t * INSTANCES + k < number else None
            for t, scene in enumerate(scenes)
        ]
        box_track = BoxTrack(video.id * INSTANCES + k, video.id, 1, boxes)
        for name, (_, _, missing) in SOURCES.items():
            track = MaskTrack.empty_like(box_track)
            for t, scene in enumerate(scenes):
                if boxes[t] is not None and rng.random() >= missing:
                    track.set(t, _own(scene[k][1][name]), name, 1.0)
            result[name].append(track)
    return result


def _own(mask: RLE) -> RLE:
    """Copy including the text, which Python would share."""
    text = mask['counts'].encode().decode()
    return dict(size=list(mask['size']), counts=text)


def select(
    sets: Dict[str, PseudoMaskSet],
) -> Iterator[Tuple[LabelResult, float, float]]:
    """Clean two sources, then select among three, video by video.

    Args:
        sets (dict[str, PseudoMaskSet]): See :func:`make_sets`.

    Yields:
        tuple: The result of a video, seconds of DOOB and of SHQM.
    """
    clean = DOOBHook()
    choose = SHQMHook(['hqsam', 'ibm'], own='track', require=['ibm'])
    for video, tracks in join(sets):
        start = time.perf_counter()
        priors: Dict[str, TracksById] = {}
        for name in ('hqsam', 'ibm'):
            mine = [by_source[name] for by_source in tracks.values()]
            result = _label(clean, video, mine, {})
            priors[name] = {track.id: track for track in result.tracks}
        cleaned = time.perf_counter()
        mine = [by_source['track'] for by_source in tracks.values()]
        result = _label(choose, video, mine, priors)
        yield result, cleaned - start, time.perf_counter() - cleaned


def _label(
    hook: object,
    video: VideoInfo,
    tracks: List[MaskTrack],
    priors: Dict[str, TracksById],
) -> LabelResult:
    result = LabelResult(video, tracks)
    inputs = LabelVideo(video, [], FrameReader(video), priors)
    hook.after_label(None, inputs, result)  # type: ignore[attr-defined]
    return result


def _mean_length(sets: Dict[str, PseudoMaskSet]) -> float:
    lengths = [
        len(mask['counts'])
        for masks in sets.values()
        for track in masks
        for mask in track.masks
        if mask is not None
    ]
    return float(np.mean(lengths))


def run(args: argparse.Namespace) -> Dict[str, object]:
    """Make the masks, then measure.

    Args:
        args (argparse.Namespace): See :func:`build_parser`.

    Returns:
        dict: What is printed last.
    """
    start = time.perf_counter()
    sets = make_sets(args.annotations, args.height, args.width, args.seed)
    total = sum(b is not None for t in sets['track'] for b in t.boxes)
    mean_length = _mean_length(sets)
    print(
        f'{total} annotations in {len(sets["track"].videos)} videos made in '
        f'{time.perf_counter() - start:.0f} s, {mean_length:.0f} characters '
        'per mask',
        flush=True,
    )
    final = PseudoMaskSet.empty_like(sets['track'], 'final')
    seconds = dict(doob=0.0, shqm=0.0)
    start = time.perf_counter()
    for number, (result, doob, shqm) in enumerate(select(sets), 1):
        final.tracks[result.video.id] = result.tracks
        seconds['doob'] += doob
        seconds['shqm'] += shqm
        if number % 100 == 0 or number == len(final.videos):
            now = time.perf_counter() - start
            print(f'{number} videos, {now:.1f} s', flush=True)
    elapsed = time.perf_counter() - start
    # Kilobytes, but bytes on macOS.
    unit = 2**20 if sys.platform == 'darwin' else 2**10
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / unit
    return dict(
        annotations=total,
        seconds=round(elapsed, 2),
        seconds_doob=round(seconds['doob'], 2),
        seconds_shqm=round(seconds['shqm'], 2),
        peak_mb=round(peak, 1),
        masks=final.num_masks,
        winners=final.source_counts(),
        mean_characters=round(mean_length, 1),
    )


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument(
        '--annotations',
        type=int,
        default=130000,
        help='(instance, frame) pairs; default: as many as YouTube-VIS 2019',
    )
    parser.add_argument('--height', type=int, default=720)
    parser.add_argument('--width', type=int, default=1280)
    parser.add_argument('--seed', type=int, default=0)
    return parser


def main() -> None:
    """Parse the command line and print one JSON object as the last line."""
    parser = build_parser()
    args = parser.parse_args()
    if args.annotations < 1:
        parser.error(f'--annotations should be at least 1: {args.annotations}')
    print(json.dumps(run(args)))


if __name__ == '__main__':
    main()
