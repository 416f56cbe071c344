"""Multi-keyframe tracking with DeAOT against one run per keyframe, and memory.

Both sides are the same network with the same random weights. Separately, each
keyframe and direction is a loop of its own that encodes its frames itself, as
the public code would; together, ``DeAOTSource`` tracks from all keyframes both
ways. The masks of both are compared: they must be equal. ``joint`` tracks all
keyframes in one pass per direction, against the same loops (of R50).

On a CPU all times are CPU times of one thread, so that other load matters
little; the sides take turns and the best of the repeats counts. Memory is that
of a process per length, with a cache that is much smaller than the features.

The last line is one JSON object: ``r50``, ``swinb`` and ``joint`` are
speed-ups at ``--size``, ``large`` has those at ``--large-size`` with fewer
frames, ``memory`` the peak against the length of the video.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Callable, Dict, List, Tuple

import numpy as np
import torch
from mmengine.registry import DefaultScope

from pmvis_mm.labeling.label_video import LabelResult, LabelVideo
from pmvis_mm.labeling.sources import DeAOTSource
from pmvis_mm.models.vos import label_map
from pmvis_mm.registry import MODELS
from pmvis_mm.structures import RLE, BoxTrack, MaskTrack, VideoInfo
from pmvis_mm.structures.rle import box_rle, decode, encode

SHORT = dict(r50_deaotl='r50', swinb_deaotl='swinb')
Masks = Dict[Tuple[int, int, int], RLE]


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--archs', nargs='*', default=list(SHORT))
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--size', type=int, nargs=2, default=(97, 161))
    parser.add_argument('--frames', type=int, default=60)
    parser.add_argument('--keyframes', type=int, default=6)
    parser.add_argument('--repeats', type=int, default=2)
    parser.add_argument('--large-size', type=int, nargs=2, default=(241, 417))
    parser.add_argument(
        '--large-frames',
        type=int,
        default=12,
        help='frames of the larger size, 0 to leave it out',
    )
    parser.add_argument(
        '--lengths',
        type=int,
        nargs='*',
        default=[50, 250, 1000],
        help='video lengths whose memory is compared (DeAOT-T)',
    )
    parser.add_argument('--memory-size', type=int, nargs=2, default=(65, 97))
    parser.add_argument(
        '--cache-mb', type=int, default=4, help='of the memory runs'
    )
    parser.add_argument(
        '--spill-mb', type=int, default=16384, help='of the memory runs'
    )
    parser.add_argument('--one', type=int, help=argparse.SUPPRESS)
    return parser


class NoiseVideo:
    """Two squares that move over noise, made when a frame is asked for."""

    def __init__(self, size: Tuple[int, int], length: int) -> None:
        names = tuple(f'{t}.png' for t in range(length))
        self.video = VideoInfo(1, size[1], size[0], names)
        rng = np.random.default_rng(0)
        self._ground = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        self._colours = ((230, 40, 40), (40, 40, 230))

    def __len__(self) -> int:
        return self.video.length

    def box(self, instance: int, t: int) -> Tuple[int, int, int, int]:
        """Where a square is, half-open xyxy, pixels."""
        height, width = self.video.height, self.video.width
        side = height // 3
        x = (instance * width // 2 + t) % (width - side)
        y = instance * height // 2
        return x, y, x + side, y + side

    def __getitem__(self, t: int) -> np.ndarray:
        image = self._ground.copy()
        for instance, colour in enumerate(self._colours):
            x0, y0, x1, y1 = self.box(instance, t)
            image[y0:y1, x0:x1] = colour
        return image


def make_video(
    size: Tuple[int, int], length: int, keyframes: int
) -> LabelVideo:
    """Two instances with masks in evenly spaced keyframes."""
    frames = NoiseVideo(size, length)
    chosen = [int((n + 0.5) * length / keyframes) for n in range(keyframes)]
    tracks, prior = [], {}
    for i in range(2):
        boxes = [
            tuple(float(v) for v in frames.box(i, t)) for t in range(length)
        ]
        track = BoxTrack(i, 1, 1, boxes)  # type: ignore[arg-type]
        found = MaskTrack.empty_like(track)
        for t in chosen:
            found.set(t, box_rle(frames.box(i, t), *size), 'given')
        tracks.append(track)
        prior[i] = found
    return LabelVideo(frames.video, tracks, frames, dict(given=prior))  # type: ignore[arg-type]


def make_source(
    arch: str, video: LabelVideo, keyframes: int, device: str, **kwargs: Any
) -> DeAOTSource:
    """A source with the same random weights every time."""
    torch.manual_seed(0)
    config = dict(
        type='DeAOTSource',
        prior='given',
        keyframe_interval=video.info.length // keyframes,
        propagator=dict(
            type='DeAOTPropagator', network=dict(type='DeAOT', arch=arch)
        ),
        **kwargs,
    )
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        return MODELS.build(config).to(device).eval()


def run_together(source: DeAOTSource, video: LabelVideo) -> LabelResult:
    """All keyframes and directions in one go."""
    with torch.no_grad():
        return source.label(video)


def run_apart(source: DeAOTSource, video: LabelVideo) -> Masks:
    """Run the network for each keyframe and direction on its own.

    Returns:
        dict: Masks by instance, number of the keyframe and frame.
    """
    found: Masks = {}
    prior = video.priors['given']
    first = prior[video.tracks[0].id]
    keyframes = [t for t, m in enumerate(first.masks) if m is not None]
    propagator = source.propagator
    for number, key in enumerate(keyframes):
        given = np.zeros((video.info.height, video.info.width), int)
        for label, track in enumerate(video.tracks, 1):
            given[decode(prior[track.id].masks[key])] = label  # type: ignore
        for order in (range(key, video.info.length), range(key, -1, -1)):
            if len(order) < 2:
                continue
            features = propagator.encode(video.frames[key])
            state = propagator.start(features, given)
            for t in order[1:]:
                features = propagator.encode(video.frames[t])
                logits, state = propagator.step(state, features)
                labels = label_map(logits, 2).cpu().numpy()
                for i in range(2):
                    found[i, number, t] = encode(labels == i + 1)
    return found


def check_equal(result: LabelResult, apart: Masks) -> None:
    """Refuse to time two things that do not give the same."""
    for (i, number, t), mask in apart.items():
        other = result.candidates[f'track_{number + 1}'][i].masks[t]
        if other is None:
            other = encode(np.zeros(mask['size'], bool))
        if other != mask:
            raise SystemExit(f'masks differ: object {i}, frame {t}')


def timed(call: Callable[[], Any], device: str) -> Tuple[float, Any]:
    """Seconds of the CPU, or of the clock where another device works."""
    on_cpu = device == 'cpu'
    clock = time.process_time if on_cpu else time.perf_counter
    start = clock()
    result = call()
    if not on_cpu:
        torch.cuda.synchronize(device)
    return clock() - start, result


def compare(
    args: argparse.Namespace,
    arch: str,
    size: Tuple[int, int],
    length: int,
    repeats: int,
) -> Dict[str, float]:
    """Best times and speed-ups of one network at one size."""
    video = make_video(size, length, args.keyframes)
    source = make_source(arch, video, args.keyframes, args.device)
    joint = make_source(
        arch, video, args.keyframes, args.device, references='joint'
    )
    calls: Dict[str, Callable[[], Any]] = dict(
        apart=lambda: run_apart(source, video),
        together=lambda: run_together(source, video),
        joint=lambda: run_together(joint, video),
    )
    timed(lambda: source.propagator.encode(video.frames[0]), args.device)
    best = dict.fromkeys(calls, float('inf'))
    for _ in range(repeats):
        before = source.features.num_computed
        results = {}
        for name, call in calls.items():
            seconds, results[name] = timed(call, args.device)
            best[name] = min(best[name], seconds)
        check_equal(results['together'], results['apart'])
        if source.features.num_computed - before != length:
            raise SystemExit('a frame was encoded more than once')
    found = {
        'speedup': best['apart'] / best['together'],
        'joint_speedup': best['apart'] / best['joint'],
        **{f'{name}_s': seconds for name, seconds in best.items()},
    }
    print(
        f'{arch}, {size[0]}x{size[1]}, {length} frames: apart '
        f'{best["apart"]:.1f} s, together {best["together"]:.1f} s '
        f'({found["speedup"]:.2f}x), joint {best["joint"]:.1f} s '
        f'({found["joint_speedup"]:.2f}x)',
        flush=True,
    )
    return found


def peak_mb(device: str) -> float:
    """Highest memory of this process (or of the GPU) so far, MB."""
    if device != 'cpu':
        return torch.cuda.max_memory_allocated(device) / 2**20
    status = Path('/proc/self/status')
    if status.is_file():  # getrusage remembers what the parent had
        words = status.read_text().split()
        return int(words[words.index('VmHWM:') + 1]) / 1024
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def measure_memory(args: argparse.Namespace) -> Dict[str, Any]:
    """Label one video in this process."""
    size = (args.memory_size[0], args.memory_size[1])
    video = make_video(size, args.one, 2)
    source = make_source(
        'deaott',
        video,
        2,
        args.device,
        cache_mb=args.cache_mb,
        spill_mb=args.spill_mb,
    )
    features = source.propagator.encode(video.frames[0])
    start = peak_mb(args.device)
    seconds, _ = timed(lambda: run_together(source, video), args.device)
    return dict(
        frames=args.one,
        start_mb=start,
        peak_mb=peak_mb(args.device),
        features_mb=args.one * features.nbytes / 2**20,
        encoder_calls=source.features.num_computed,
        seconds=seconds,
    )


def memory_in_new_process(
    args: argparse.Namespace, length: int
) -> Dict[str, Any]:
    """Measure without what earlier measurements left behind."""
    command = [sys.executable, __file__, '--one', str(length)]
    for name in ('device', 'memory_size', 'cache_mb', 'spill_mb'):
        value = getattr(args, name)
        words = value if isinstance(value, (list, tuple)) else [value]
        command += [f'--{name.replace("_", "-")}', *map(str, words)]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f'{length} frames: {found["start_mb"]:.0f} MB before, peak '
        f'{found["peak_mb"]:.0f} MB, the features '
        f'{found["features_mb"]:.0f} MB, encoder calls '
        f'{found["encoder_calls"]}',
        flush=True,
    )
    return found


def main() -> None:
    """Measure everything and print it."""
    args = build_parser().parse_args()
    torch.set_num_threads(1)
    if args.one:
        print(json.dumps(measure_memory(args)))
        return
    result: Dict[str, Any] = dict(device=args.device, large={}, details={})
    size = (args.size[0], args.size[1])
    large = (args.large_size[0], args.large_size[1])
    for arch in args.archs:
        name = SHORT.get(arch, arch)
        found = compare(args, arch, size, args.frames, args.repeats)
        result['details'][name] = found
        result[name] = found['speedup']
        if arch == args.archs[0]:
            result['joint'] = found['joint_speedup']
        if args.large_frames:
            result['large'][name] = compare(
                args, arch, large, args.large_frames, 1
            )
    memory: List[Dict[str, Any]] = [
        memory_in_new_process(args, n) for n in args.lengths
    ]
    result['memory'] = memory
    if memory:
        growth = memory[-1]['peak_mb'] / memory[0]['peak_mb']
        result['memory_growth'] = growth
    print(json.dumps(result))


if __name__ == '__main__':
    main()
