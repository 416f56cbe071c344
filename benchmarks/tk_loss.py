"""Time and memory of the temporal loss against unfolding every candidate.

Matching and loss, forward and backward, for the predictions of one training
step, at the setting of MaskFreeVIS. The other side is the plain formulation:
patches are unfolded to descriptors and these to all candidates, then, for
each connection of each prediction, the log probabilities of every instance.
Both find the matches once per step.

Times are of interleaved steps, so that other load on the machine hits both;
memory is of fresh processes. The last line is one JSON object.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from typing import Any, Callable, Dict, List, NamedTuple, Tuple

import torch
import torch.nn.functional as F
from _memory import forget_peak, peak_mb
from _moving_ellipses import moving_ellipses
from torch import Tensor

from pmvis_mm.models.losses import TKLoss, temporal_connections
from pmvis_mm.models.temporal_matchers import PatchMatcher
from pmvis_mm.models.utils import box_bitmasks, lab_features
from pmvis_mm.structures.mask_targets import MaskTargets

STRIDE, PAD = 4, 32
PATCH, KERNEL, DILATION, THRESH = 3, 3, 3, 0.05
SIDES = ('ours', 'unfold')
SIZES = dict(
    height=(480, 96, 'of a frame, pixels; padded to a multiple of 32'),
    width=(864, 160, 'of a frame, pixels; padded to a multiple of 32'),
    frames=(5, 3, 'of the clip'),
    instances=(10, 3, 'in the clip, each matched to one prediction'),
    predictions=(10, 2, 'of the decoder, each with a loss of its own'),
    neighbors=(5, 5, 'matches of a pixel at most, of 9 candidates'),
    repeats=(3, 1, 'timed steps of each side'),
)
# What grows in which steps, the others as at the paper's setting.
GROWTH: Dict[str, List[int]] = dict(
    frames=[1, 2, 3, 5, 7],
    neighbors=[1, 3, 5, 9],
    radius=[1, 3, 5, 7],
    instances=[1, 5, 10, 20, 40],
)


class Inputs(NamedTuple):
    """One clip.

    Attributes:
        logits (list[Tensor]): float32, (instances, T, h, w), of each
            prediction.
        targets (MaskTargets): Its boxes and colours.
    """

    logits: List[Tensor]
    targets: MaskTargets


def make_inputs(args: argparse.Namespace) -> Inputs:
    """Make a clip with boxes and mask logits.

    About a sixth of the candidates is similar enough, twice as many as in
    real video.
    """
    generator = torch.Generator().manual_seed(args.seed)
    height, width = (
        -(-side // PAD) * PAD for side in (args.height, args.width)
    )
    frames, boxes = moving_ellipses(
        args.frames, (height, width), args.instances, generator
    )
    lab = lab_features(frames)
    targets = MaskTargets(
        box_bitmasks(boxes, (height, width), STRIDE, 'exact', 'bilinear').to(
            args.device
        ),
        lab=lab[None].to(args.device),
    )
    shape = (args.predictions, *targets.box_masks.shape)
    logits = torch.randn(shape, generator=generator) * 4
    return Inputs(list(logits.to(args.device)), targets)


def make_loss(args: argparse.Namespace) -> TKLoss:
    """Build our loss."""
    search = dict(kernel=KERNEL, dilation=DILATION)
    if args.radius:
        search = dict(radius=args.radius)
    return TKLoss(
        1.0, PatchMatcher(PATCH, search, args.neighbors, threshold=THRESH)
    )


def ours(args: argparse.Namespace, inputs: Inputs) -> Tensor:
    """Sum our loss over the predictions."""
    loss = make_loss(args)
    targets = loss.prepare(inputs.targets)
    return torch.stack([loss(z, targets) for z in inputs.logits]).sum()


def unfold(args: argparse.Namespace, inputs: Inputs) -> Tensor:
    """Sum the plain loss over the predictions."""
    boxes, lab = inputs.targets.box_masks, inputs.targets.lab
    assert lab is not None
    connections = temporal_connections(lab.size(1), 'cyclic')
    region = (boxes.sum(1) >= 1).float()[:, None]
    weights = [
        _weights(args, lab[:, a], lab[:, b]) * region for a, b in connections
    ]
    total = lab.new_zeros(())
    for logits in inputs.logits:
        log_in, log_out = F.logsigmoid(logits), F.logsigmoid(-logits)
        for (a, b), weight in zip(connections, weights):
            same_in = log_in[:, b, None] + _candidates(log_in[:, a, None])
            same_out = log_out[:, b, None] + _candidates(log_out[:, a, None])
            largest = torch.max(same_in, same_out)
            same = (same_in - largest).exp() + (same_out - largest).exp()
            cost = -(same.log() + largest)
            total = total + (cost * weight).sum() / weight.sum().clamp(min=1)
    return total


def _candidates(maps: Tensor) -> Tensor:
    """Unfold (n, c, h, w) into (n, c * 9, h, w), zero outside."""
    columns = F.unfold(
        maps, KERNEL, dilation=DILATION, padding=KERNEL // 2 * DILATION
    )
    return columns.view(len(maps), -1, *maps.shape[-2:])


def _weights(args: argparse.Namespace, lab_a: Tensor, lab_b: Tensor) -> Tensor:
    """1 for the most similar candidates, (1, 9, h, w)."""
    patches_a, patches_b = (
        F.unfold(lab, PATCH, padding=PATCH // 2).view(1, -1, *lab.shape[-2:])
        for lab in (lab_a, lab_b)
    )
    candidates = _candidates(patches_a)
    candidates = candidates.view(1, patches_a.size(1), -1, *lab_a.shape[-2:])
    distance = (candidates - patches_b[:, :, None]).norm(dim=1)
    similarity = (-0.5 * distance).exp()
    top = similarity.topk(args.neighbors, dim=1).indices
    nearest = torch.zeros_like(similarity).scatter_(1, top, 1.0)
    return nearest * (similarity >= THRESH)


Side = Callable[[argparse.Namespace, Inputs], Tensor]
_SIDES: Dict[str, Side] = dict(ours=ours, unfold=unfold)


def step(
    name: str, args: argparse.Namespace, inputs: Inputs
) -> Tuple[Tensor, List[Tensor]]:
    """Run forward and backward; returns the value and its gradients."""
    leaves = [z.detach().requires_grad_() for z in inputs.logits]
    value = _SIDES[name](args, inputs._replace(logits=leaves))
    value.backward()
    grads = [z.grad for z in leaves if z.grad is not None]
    return value.detach(), grads


def measure_difference(args: argparse.Namespace) -> Dict[str, float]:
    """Compare values and gradients of both sides.

    Returns:
        dict: ``max_grad_diff``, the larger of the greatest difference of a
        gradient over the greatest gradient and the relative difference of
        the values, and the former without the division.
    """
    inputs = make_inputs(args)
    value, grads = step('ours', args, inputs)
    expected, expected_grads = step('unfold', args, inputs)
    pairs = list(zip(grads, expected_grads))
    largest = max(b.abs().max().item() for _, b in pairs)
    absolute = max((a - b).abs().max().item() for a, b in pairs)
    of_values = abs(value - expected).item() / expected.item()
    return dict(
        max_grad_diff=max(absolute / largest, of_values),
        max_grad_diff_absolute=absolute,
    )


def _matching(name: str, args: argparse.Namespace, inputs: Inputs) -> Any:
    """Do what a side does once per step."""
    if name == 'ours':
        return make_loss(args).prepare(inputs.targets)
    lab = inputs.targets.lab
    assert lab is not None
    return [
        _weights(args, lab[:, a], lab[:, b])
        for a, b in temporal_connections(lab.size(1), 'cyclic')
    ]


def _timed(args: argparse.Namespace, run: Callable[[], Any]) -> float:
    """Seconds that a call takes."""
    _wait(args.device)
    start = time.perf_counter()
    run()
    _wait(args.device)
    return time.perf_counter() - start


def _wait(device: str) -> None:
    if device.startswith('cuda'):
        torch.cuda.synchronize()


def measure_times(
    args: argparse.Namespace, sides: Tuple[str, ...] = SIDES
) -> Dict[str, Dict[str, List[float]]]:
    """Time the sides in turn: all of a step, and what is done once in it."""
    inputs = make_inputs(args)
    found: Dict[str, Dict[str, List[float]]] = {
        name: dict(step=[], matching=[]) for name in sides
    }
    for turn in range(args.repeats + 1):
        for name in sides if turn % 2 else sides[::-1]:
            seconds = dict(
                step=_timed(args, lambda: step(name, args, inputs)),  # noqa: B023
                matching=_timed(
                    args,
                    lambda: _matching(name, args, inputs),  # noqa: B023
                ),
            )
            if turn:  # the first one warms up
                for key, value in seconds.items():
                    found[name][key].append(value)
    return found


def measure_memory(args: argparse.Namespace) -> float:
    """Peak of a step above its inputs, MB; meant for a fresh process.

    On a GPU that of torch's allocator, else the resident set.
    """
    inputs = make_inputs(args)
    if args.device.startswith('cuda'):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(args.memory_of, args, inputs)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    # Code that is loaded on first use is not the step's.
    small = argparse.Namespace(**vars(args))
    small.height = small.width = PAD
    step(args.memory_of, args, make_inputs(small))
    forget_peak()
    before = peak_mb()
    step(args.memory_of, args, inputs)
    return peak_mb() - before


def fresh_memory(args: argparse.Namespace, name: str) -> float:
    """Run :func:`measure_memory` of one side in a process of its own."""
    command = [sys.executable, __file__, '--memory-of', name]
    for key in (*SIZES, 'radius', 'seed', 'device'):
        if getattr(args, key) is not None:
            command += [f'--{key}', str(getattr(args, key))]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return float(done.stdout.split()[-1])


def measure_growth(args: argparse.Namespace) -> Dict[str, Dict[str, Any]]:
    """Measure ours alone while one number grows."""
    found: Dict[str, Dict[str, Any]] = {}
    for name, values in GROWTH.items():
        found[name] = {}
        for value in values:
            other = argparse.Namespace(**vars(args))
            setattr(other, name, value)
            if name == 'radius':
                other.neighbors = 5
            times = measure_times(other, ('ours',))['ours']
            ms, matching = (
                round(1000 * statistics.median(times[key]), 1)
                for key in ('step', 'matching')
            )
            mb = round(fresh_memory(other, 'ours'), 1)
            found[name][str(value)] = dict(ms=ms, ms_matching=matching, mb=mb)
            print(f'{name:>12} {value:4}{ms:10.1f} ms{mb:10.1f} MB')
    return found


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, (full, quick, text) in SIZES.items():
        parser.add_argument(
            f'--{name}',
            type=int,
            help=f'{text} (default: {full}, quick: {quick})',
        )
    parser.add_argument(
        '--radius', type=int, help='of a disc of candidates, ours only'
    )
    parser.add_argument('--threads', type=int, default=1, help='of torch')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--device', default='cpu', help='"cpu" or "cuda"')
    parser.add_argument('--quick', action='store_true', help='small sizes')
    parser.add_argument(
        '--growth', action='store_true', help='with T, K, R and instances'
    )
    parser.add_argument('--memory-of', choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    for name, (full, quick, _) in SIZES.items():
        if getattr(args, name) is None:
            setattr(args, name, quick if args.quick else full)
        elif getattr(args, name) < 1:
            parser.error(
                f'--{name} should be at least 1: {getattr(args, name)}'
            )
    if args.device.startswith('cuda') and not torch.cuda.is_available():
        parser.error('--device cuda, but torch finds no GPU')
    return args


def measure(args: argparse.Namespace) -> Dict[str, Any]:
    """Compare both sides and print a table."""
    found: Dict[str, Any] = dict(measure_difference(args))
    times = measure_times(args)
    print(f'{"":8}{"ms per step":>14}{"of it once":>12}{"extra MB":>12}')
    for name in SIDES:
        total, once = (
            1000 * statistics.median(times[name][key])
            for key in ('step', 'matching')
        )
        memory = fresh_memory(args, name)
        print(f'{name:8}{total:14.1f}{once:12.1f}{memory:12.1f}')
        found[f'ms_{name}'] = round(total, 2)
        found[f'ms_matching_{name}'] = round(once, 2)
        found[f'mb_{name}'] = round(memory, 1)
    ratios = [
        b / a for a, b in zip(times['ours']['step'], times['unfold']['step'])
    ]
    found['speedup'] = round(statistics.median(ratios), 2)
    found['memory_ratio'] = round(
        found['mb_ours'] / max(found['mb_unfold'], 0.1), 4
    )
    return found


def describe(args: argparse.Namespace) -> Dict[str, Any]:
    """Describe the clip: box area and similar candidates, shares."""
    targets = make_inputs(args).targets
    pairs = make_loss(args).prepare(targets).pairs
    assert pairs is not None
    everything = PatchMatcher(PATCH, num_neighbors=None, threshold=THRESH)
    assert targets.lab is not None
    found = everything(
        targets.lab, temporal_connections(args.frames, 'cyclic')
    )
    size = max(found.counts.numel(), 1) * targets.lab[0, 0, 0].numel()
    return dict(
        box_area=round(targets.box_masks.mean().item(), 3),
        similar_candidates=round(len(found) / size / KERNEL**2, 3),
        pairs_per_prediction=int(pairs.totals.sum()),
    )


def main() -> None:
    """Measure and print a table, then one line of JSON."""
    args = parse_args()
    torch.set_num_threads(args.threads)
    if args.memory_of:
        print(measure_memory(args))
        return
    print(
        f'{args.predictions} predictions of {args.instances} instances in '
        f'{args.frames} frames of {args.height} x {args.width}, '
        f'{args.device}, torch {torch.__version__}, {args.threads} thread(s)'
    )
    found = measure(args)
    found.update(describe(args))
    found.update({name: getattr(args, name) for name in (*SIZES, 'threads')})
    found['memory_by'] = (
        'torch' if args.device.startswith('cuda') else 'peak RSS'
    )
    if args.growth:
        found['growth'] = measure_growth(args)
    print(json.dumps(found))


if __name__ == '__main__':
    main()
