"""Speed and memory of streaming inference with IDOL, R-50, random weights.

Measures frames per second and peak memory at 360p and 720p, and how both grow
with the length of the video (small frames, so that a thousand of them fit
into a coffee break). Frames come from a generator and results are dropped:
what remains is what the model holds. Every measurement is a process of its
own. Thresholds are set so that about ``--instances`` queries survive.

The last line is one JSON object.
"""

import argparse
import json
import resource
import subprocess
import sys
import time
from pathlib import Path
from typing import Any, Dict, List, Tuple

import numpy as np
import torch

from pmvis_mm.apis import init_vis_model, iter_predictions

ROOT = Path(__file__).resolve().parents[1]
CONFIG = ROOT / 'configs/idol/idol_r50_8xb4-12k_youtubevis2019.py'
SIZES = {'360p': (360, 640), '720p': (720, 1280)}


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--config', default=str(CONFIG))
    parser.add_argument('--device', default='cpu')
    parser.add_argument('--frames', type=int, default=10)
    parser.add_argument(
        '--lengths',
        type=int,
        nargs='+',
        default=[10, 100, 1000],
        help='video lengths whose memory is compared, in frames',
    )
    parser.add_argument('--growth-size', type=int, nargs=2, default=(96, 160))
    parser.add_argument('--instances', type=int, default=20)
    parser.add_argument('--chunk-size', type=int, default=5)
    parser.add_argument('--sizes', nargs='*', default=list(SIZES))
    parser.add_argument(
        '--one', type=int, nargs=3, help=argparse.SUPPRESS
    )  # height, width, frames of this process
    return parser


class NoiseVideo:
    """Moving noise; every frame is made when it is asked for."""

    def __init__(self, size: Tuple[int, int], length: int) -> None:
        rng = np.random.default_rng(0)
        self._canvas = rng.integers(0, 256, (*size, 3), dtype=np.uint8)
        self._length = length

    def __len__(self) -> int:
        return self._length

    def __getitem__(self, t: int) -> np.ndarray:
        return np.roll(self._canvas, t % 50, axis=1)


def peak_mb(device: str) -> float:
    """Highest memory of this process (or of the GPU) so far, MB."""
    if device != 'cpu':
        return torch.cuda.max_memory_allocated() / 2**20
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / 1024


def build(args: argparse.Namespace, size: Tuple[int, int]) -> Any:
    """A model of which about ``--instances`` queries survive."""
    torch.manual_seed(0)
    short = min(size)
    options = {
        'test_dataloader.dataset.pipeline.0.transforms.1.scale': (
            max(size),
            short,
        ),
        'model.test_cfg.chunk_size': args.chunk_size,
        'model.detector.backbone.init_cfg': None,
    }
    model = init_vis_model(args.config, None, args.device, options)
    for branch in model.detector.bbox_head.cls_branches:
        torch.nn.init.normal_(branch.weight, std=0.1)
    found: List[float] = []
    # Random masks overlap; without this one of them would be left.
    model.tracker.mask_nms_thr = model.test_cfg['nms_iou'] = 1.0
    model.test_cfg['score_thr'] = 0.0
    select = model.tracker.track

    def spy(frame_id: int, scores: torch.Tensor, *rest: Any) -> torch.Tensor:
        found.extend(scores.tolist())
        return select(frame_id, scores, *rest)

    model.tracker.track = spy
    list(iter_predictions(model, NoiseVideo(size, 1), 1))
    del model.tracker.track
    rank = min(args.instances, len(found)) - 1
    threshold = sorted(found, reverse=True)[rank]
    model.test_cfg['score_thr'] = threshold * 0.999
    model.tracker.init_score_thr = model.tracker.new_score_thr = 0.0
    return model


def measure(args: argparse.Namespace) -> Dict[str, Any]:
    """Walk over one video in this process."""
    height, width, frames = args.one
    model = build(args, (height, width))
    start_mb = peak_mb(args.device)
    instances = 0
    start = time.perf_counter()
    video = NoiseVideo((height, width), frames)
    for _, found in iter_predictions(model, video, args.chunk_size):
        instances += len(found.scores)
    seconds = time.perf_counter() - start
    return dict(
        size=[height, width],
        frames=frames,
        fps=frames / seconds,
        instances_per_frame=instances / frames,
        start_mb=start_mb,
        peak_mb=peak_mb(args.device),
    )


def in_new_process(
    args: argparse.Namespace, size: Tuple[int, int], frames: int
) -> Dict[str, Any]:
    """Measure without what earlier measurements left behind."""
    command = [sys.executable, __file__, '--one']
    command += [str(value) for value in (*size, frames)]
    for name in ('config', 'device', 'instances', 'chunk_size'):
        command += [f'--{name.replace("_", "-")}', str(getattr(args, name))]
    done = subprocess.run(command, stdout=subprocess.PIPE, text=True)
    if done.returncode:
        raise SystemExit(done.returncode)
    found = json.loads(done.stdout.splitlines()[-1])
    print(
        f'{size[0]}x{size[1]}, {frames} frames: {found["fps"]:.2f} frames/s, '
        f'{found["instances_per_frame"]:.1f} instances each, peak '
        f'{found["peak_mb"]:.0f} MB',
        flush=True,
    )
    return found


def main() -> None:
    """Measure everything and print it."""
    args = build_parser().parse_args()
    if args.one:
        print(json.dumps(measure(args)))
        return
    speed = {
        name: in_new_process(args, SIZES[name], args.frames)
        for name in args.sizes
    }
    size = (args.growth_size[0], args.growth_size[1])
    growth = [in_new_process(args, size, n) for n in args.lengths]
    result: Dict[str, Any] = dict(
        device=args.device, chunk_size=args.chunk_size, growth=growth
    )
    for name, found in speed.items():
        result[f'fps_{name}'] = found['fps']
        result[f'peak_mb_{name}'] = found['peak_mb']
    result['memory_growth'] = growth[-1]['peak_mb'] / growth[0]['peak_mb']
    result['speed_growth'] = growth[-1]['fps'] / growth[0]['fps']
    print(json.dumps(result))


if __name__ == '__main__':
    main()
