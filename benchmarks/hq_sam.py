"""Speed of HQ-SAM with boxes against the package segment-anything-hq.

Three ways to the masks of all boxes of a frame, with the same random weights:
ours (one embedding, all boxes together), the package as it is commonly used
(``set_image``, then ``predict`` for each box), and an embedding for each
instance (``set_image`` and ``predict`` for each box). Each way starts from
the frame and ends with masks of its size. They take turns in one process on
one thread, so that other load on the machine hits all of them.

Needs the package: ``pip install segment-anything-hq timm torchvision``. The
last line is one JSON object; the speedups are medians over the turns.
"""

import argparse
import json
import statistics
import sys
import time
import warnings
from typing import Any, Callable, Dict, List, Tuple

import cv2
import numpy as np
import torch

from pmvis_mm.labeling.sources import SegmentAnythingHQSource
from pmvis_mm.models.sam import HQSAMSegmenter, load_sam_weights
from pmvis_mm.utils.errors import PMVISError

# Boxes of the comparison with an embedding for each instance.
PER_INSTANCE = 5
# Rounding may turn a logit that is almost 0: one pixel in 100,000.
MAX_DIFFERING = 1e-5
Way = Callable[[np.ndarray, np.ndarray], np.ndarray]


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument(
        '--arch', default='vit_tiny', choices=('vit_tiny', 'vit_b', 'vit_l')
    )
    parser.add_argument('--boxes', type=int, nargs='+', default=[1, 5, 20])
    parser.add_argument('--size', type=int, nargs=2, default=(360, 640))
    parser.add_argument('--repeats', type=int, default=3, help='turns')
    parser.add_argument('--threads', type=int, default=1)
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--device', default='cpu', help='"cpu" or "cuda"')
    return parser


def make_frame(
    size: Tuple[int, int], boxes: int, seed: int
) -> Tuple[np.ndarray, np.ndarray]:
    """Make coloured blobs and boxes on them.

    Args:
        size (tuple[int]): (height, width), pixels.
        boxes (int): Their number.
        seed (int): Of both.

    Returns:
        tuple[np.ndarray]: BGR, uint8, (H, W, 3), and float64, (n, 4), xyxy,
        pixels; sides are 10 to 50 % of those of the frame.
    """
    rng = np.random.default_rng(seed)
    height, width = size
    small = rng.integers(0, 256, (9, 16, 3), dtype=np.uint8)
    image = cv2.resize(small, (width, height), interpolation=cv2.INTER_CUBIC)
    whole = np.array([width, height])
    sides = rng.uniform(0.1, 0.5, (boxes, 2)) * whole
    corners = rng.uniform(0, 1, (boxes, 2)) * (whole - sides)
    return image, np.concatenate([corners, corners + sides], axis=1)


def build_ways(arch: str, seed: int, device: str) -> Dict[str, Way]:
    """Build both models with the same weights, and the ways through them.

    Args:
        arch (str): Of the image encoder.
        seed (int): Of the weights.
        device (str): Where both are.

    Returns:
        dict: By name what makes bool masks, (n, H, W), of a BGR frame and
        its boxes.
    """
    torch.manual_seed(seed)
    segmenter = HQSAMSegmenter(arch).to(device)
    source = SegmentAnythingHQSource(arch)
    load_sam_weights(source.model, segmenter.state_dict())
    # TinyViT of the package caches its attention biases in eval mode.
    source.model.train().eval()
    predictor = source.to(device).predictor

    def ours(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        (frame,) = segmenter.encode([image])
        return segmenter.segment(frame, boxes)[0]

    def predict(box: np.ndarray) -> np.ndarray:
        return predictor.predict(box=box, multimask_output=False)[0][0]

    def package(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        predictor.set_image(np.ascontiguousarray(image[..., ::-1]))
        return np.stack([predict(box) for box in boxes])

    def per_instance(image: np.ndarray, boxes: np.ndarray) -> np.ndarray:
        return np.concatenate([package(image, box[None]) for box in boxes])

    return dict(ours=ours, package=package, per_instance=per_instance)


def measure(
    ways: Dict[str, Way], args: argparse.Namespace
) -> Tuple[Dict[str, Dict[int, List[float]]], Dict[str, Any]]:
    """Let the ways take turns.

    Args:
        ways (dict): Of :func:`build_ways`.
        args (argparse.Namespace): The command line.

    Returns:
        tuple: Seconds by way and number of boxes, one for each turn, and how
        far the masks differ from ours.

    Raises:
        AssertionError: If the masks differ.
    """
    seconds: Dict[str, Dict[int, List[float]]] = {name: {} for name in ways}
    frames = {n: make_frame(args.size, n, args.seed) for n in args.boxes}
    for way in list(ways.values())[:2]:
        way(*make_frame(args.size, 1, args.seed))  # warm
    differing = total = inside = 0
    for turn in range(args.repeats):
        for count, frame in frames.items():
            names = [n for n in ways if n in ('ours', 'package')]
            if count == PER_INSTANCE:
                names = list(ways)
            masks = {}
            for name in names if turn % 2 else names[::-1]:
                start = time.perf_counter()
                masks[name] = ways[name](*frame)
                spent = time.perf_counter() - start
                seconds[name].setdefault(count, []).append(spent)
            for name in names[1:]:
                differing += int((masks[name] != masks['ours']).sum())
                total += masks['ours'].size
            inside += int(masks['ours'].sum()) * len(names[1:])
    assert differing <= MAX_DIFFERING * total, (differing, total)
    found = dict(
        differing_pixels=differing,
        compared_pixels=total,
        masked_share=round(inside / total, 3),
    )
    return seconds, found


def summarize(
    seconds: Dict[str, Dict[int, List[float]]],
) -> Dict[str, Any]:
    """Turn seconds into frames per second and speedups."""
    found: Dict[str, Any] = {}
    for name, by_count in seconds.items():
        for count, values in by_count.items():
            fps = 1 / statistics.median(values)
            found[f'fps_{name}_{count}_boxes'] = round(fps, 3)
    for count, own in seconds['ours'].items():
        other = seconds['package'][count]
        found[f'speedup_{count}_boxes'] = _median_ratio(other, own)
    if PER_INSTANCE in seconds['per_instance']:
        found['speedup_per_instance'] = _median_ratio(
            seconds['per_instance'][PER_INSTANCE],
            seconds['ours'][PER_INSTANCE],
        )
    return found


def _median_ratio(slow: List[float], fast: List[float]) -> float:
    return round(statistics.median(a / b for a, b in zip(slow, fast)), 2)


def main() -> int:
    """Measure and print a table, then one line of JSON."""
    parser = build_parser()
    args = parser.parse_args()
    if min([*args.boxes, args.repeats, args.threads, *args.size]) < 1:
        parser.error('numbers should be at least 1')
    torch.set_num_threads(args.threads)
    warnings.simplefilter('ignore')  # the package's, about timm
    try:
        ways = build_ways(args.arch, args.seed, args.device)
    except PMVISError as error:
        print(f'error: {error}', file=sys.stderr)
        return 1
    seconds, found = measure(ways, args)
    found.update(summarize(seconds))
    height, width = args.size
    print(
        f'{args.arch}, {width} x {height}, {args.device}, {args.threads} '
        f'thread(s), torch {torch.__version__}; frames/s'
    )
    print(f'{"boxes":14}' + ''.join(f'{n:>9}' for n in args.boxes))
    for name in ways:
        values = [found.get(f'fps_{name}_{n}_boxes') for n in args.boxes]
        cells = ''.join(f'{"" if v is None else v:>9}' for v in values)
        print(f'{name:14}{cells}')
    found.update(arch=args.arch, repeats=args.repeats, torch=torch.__version__)
    print(json.dumps(found))
    return 0


if __name__ == '__main__':
    sys.exit(main())
