"""Memory of inference on a long video, and what a kill does to it.

Two generated mp4 files, a short and a long one, go through ``VISInferencer``
with a small IDOL (random weights), which writes an mp4, a json and a csv.
Then the long one again, killed (SIGKILL) on the way and continued in a new
process. Every run is a process of its own, whose highest resident memory is
compared; the files of the broken run must be those of the unbroken one, byte
by byte.

The last line is one JSON object: ``memory_ratio`` (long by short),
``memory_ratio_continued``, ``equal``, ``fps`` and the runs.
"""

import argparse
import json
import os
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterable, List, Tuple

import cv2
import numpy as np
from _memory import peak_mb

from pmvis_mm.formats import RESULT_WRITERS, ResultWriter
from pmvis_mm.structures.video_track import StreamInfo, VideoTrack
from pmvis_mm.testing.tiny_idol import tiny_idol_inferencer

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs/idol/idol_r18_1xb4-2k_own.py'
# OpenCV's VP9 encoder, the default, takes longer than the small model.
FORMATS = dict(
    mp4=dict(type='mp4', codecs=['mp4v'], min_height=0),
    json=dict(type='json'),
    csv=dict(type='csv'),
)


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--lengths', type=int, nargs=2, default=(500, 10000), help='in frames'
    )
    parser.add_argument('--size', type=int, nargs=2, default=(64, 96))
    parser.add_argument('--batch-size', type=int, default=10)
    parser.add_argument(
        '--kill-at',
        type=int,
        default=6000,
        help='frame of the long video at which the process is killed',
    )
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--work-dir', help='defaults to a temporary folder')
    parser.add_argument('--one', nargs=2, help=argparse.SUPPRESS)
    parser.add_argument('--die', action='store_true', help=argparse.SUPPRESS)
    return parser


@RESULT_WRITERS.register_module(name='kill', force=True)
class KillWriter(ResultWriter):
    """Kills the process that uses it, as a power cut would.

    Args:
        path (str | Path): Not used.
        frame (int): When.
    """

    def __init__(self, path: Any, frame: int) -> None:
        super().__init__(path)
        self.frame = frame

    def start(self, video: StreamInfo, classes: Any) -> None:
        """Wait."""

    def add_frame(self, frame: int, instances: Any, image: Any = None) -> None:
        """Kill at the frame."""
        if frame == self.frame:
            os.kill(os.getpid(), signal.SIGKILL)

    def finish(self, tracks: Iterable[VideoTrack], length: int) -> Path:
        """Complain: it should have been over by now."""
        raise SystemExit(f'frame {self.frame} never came, of {length}')


def write_video(path: Path, length: int, size: Tuple[int, int]) -> None:
    """Write rectangles that wander over a textured ground, frame by frame."""
    rng = np.random.default_rng(0)
    height, width = size
    ground = cv2.resize(
        rng.integers(60, 180, (12, 20, 3), dtype=np.uint8), (width, height)
    )
    speeds = rng.uniform(0.5, 3, (6, 2))
    colors = rng.integers(0, 256, (6, 3)).tolist()
    codec = cv2.VideoWriter_fourcc(*'mp4v')
    writer = cv2.VideoWriter(str(path), codec, 25.0, (width, height))
    for t in range(length):
        frame = np.roll(ground, t // 4, axis=1)
        for (vx, vy), color in zip(speeds, colors):
            # There and back again.
            x = int(abs((vx * t) % (2 * width) - width)) * 3 // 4
            y = int(abs((vy * t) % (2 * height) - height)) * 3 // 4
            cv2.rectangle(
                frame,
                (x, y),
                (x + width // 6, y + height // 4),
                color,
                thickness=-1,
            )
        writer.write(frame)
    writer.release()


def measure(args: argparse.Namespace) -> Dict[str, Any]:
    """Run over one video in this process."""
    video, out_dir = args.one
    inferencer = tiny_idol_inferencer(
        CONFIG, (args.size[0], args.size[1]), args.device
    )
    formats: List[Any] = list(FORMATS.values())
    if args.die:
        formats.append(dict(type='kill', frame=args.kill_at, path='unused'))
    start_mb = peak_mb()
    start = time.perf_counter()
    found = inferencer(
        video,
        out_dir,
        formats,
        batch_size=args.batch_size,
        resume=True,
    )
    seconds = time.perf_counter() - start
    (prediction,) = found['predictions']
    peak = peak_mb()
    tracks = sum(1 for _ in prediction.tracks)
    instances = sum(len(found) for _, found in prediction.frames())
    return dict(
        frames=prediction.length,
        seconds=seconds,
        fps=prediction.length / seconds,
        start_mb=start_mb,
        peak_mb=peak,
        tracks=tracks,
        instances_per_frame=instances / prediction.length,
    )


def in_new_process(
    args: argparse.Namespace, video: Path, out_dir: Path, die: bool = False
) -> Dict[str, Any]:
    """Run where nothing is left of earlier runs."""
    command = [sys.executable, __file__, '--one', str(video), str(out_dir)]
    command += ['--size', *map(str, args.size), '--device', args.device]
    command += ['--batch-size', str(args.batch_size)]
    command += ['--kill-at', str(args.kill_at)]
    if die:
        command.append('--die')
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if die:
        if done.returncode != -signal.SIGKILL:
            raise SystemExit(f'not killed: exit code {done.returncode}')
        print(f'{video.name}: killed at frame {args.kill_at}', flush=True)
        return {}
    if done.returncode:
        raise SystemExit(done.returncode)
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f'{video.name}: {found["frames"]} frames, {found["fps"]:.1f} '
        f'frames/s, {found["instances_per_frame"]:.1f} instances each, '
        f'{found["tracks"]} tracks, peak {found["peak_mb"]:.0f} MB',
        flush=True,
    )
    return found


def run(args: argparse.Namespace, folder: Path) -> Dict[str, Any]:
    """Make the videos and measure all runs."""
    short, long = (folder / f'video_{n}.mp4' for n in args.lengths)
    for path, length in zip((short, long), args.lengths):
        write_video(path, length, args.size)
    runs = dict(
        short=in_new_process(args, short, folder / 'short'),
        long=in_new_process(args, long, folder / 'long'),
    )
    in_new_process(args, long, folder / 'broken', die=True)
    runs['continued'] = in_new_process(args, long, folder / 'broken')
    equal = {
        suffix: (folder / 'long' / f'{long.stem}.{suffix}').read_bytes()
        == (folder / 'broken' / f'{long.stem}.{suffix}').read_bytes()
        for suffix in FORMATS
    }
    base = runs['short']['peak_mb']
    return dict(
        memory_ratio=runs['long']['peak_mb'] / base,
        memory_ratio_continued=runs['continued']['peak_mb'] / base,
        equal=all(equal.values()),
        equal_files=equal,
        killed_at=args.kill_at,
        fps=runs['long']['fps'],
        runs=runs,
    )


def main() -> None:
    """Measure and print."""
    args = build_parser().parse_args()
    if args.one:
        print(json.dumps(measure(args)))
        return
    if args.work_dir:
        Path(args.work_dir).mkdir(parents=True, exist_ok=True)
        print(json.dumps(run(args, Path(args.work_dir))))
        return
    with tempfile.TemporaryDirectory() as folder:
        print(json.dumps(run(args, Path(folder))))


if __name__ == '__main__':
    main()
