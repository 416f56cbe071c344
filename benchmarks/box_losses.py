"""Time and memory of the box losses against unfolding every edge.

Projection and pairwise loss, forward and backward, for the decoder layers of
one training step. The other side is the plain formulation of BoxInst: log
probabilities are unfolded to all neighbours, and every instance holds a copy
of the colour similarity of its frame.

Times are of interleaved pairs, so that other load on the machine hits both;
memory is of fresh processes.
"""

import argparse
import json
import statistics
import subprocess
import sys
import time
from typing import Callable, Dict, List, Tuple

import torch
import torch.nn.functional as F
from _memory import forget_peak, peak_mb
from torch import Tensor

from pmvis_mm.models.losses import BoxProjectionLoss, PairwiseAffinityLoss
from pmvis_mm.models.utils import pairwise_similarity
from pmvis_mm.structures.mask_targets import MaskTargets

STRIDE, PAD = 4, 32
THRESH, DILATION = 0.3, 2
SIDES = ('ours', 'unfold')
QUICK = dict(height=96, width=160, instances=5, layers=2, repeats=2)
# Losses of all layers from their logits.
Side = Callable[[List[Tensor], MaskTargets], Tensor]


def make_inputs(
    args: argparse.Namespace,
) -> Tuple[List[Tensor], MaskTargets]:
    """Make one frame, boxes on it, and mask logits per decoder layer.

    Colours are patches of 8 x 8 with noise: about 40 % of edges are similar.
    Sides of boxes are 10 to 50 % of those of the frame.

    Args:
        args (argparse.Namespace): The command line.

    Returns:
        tuple: Logits, float32, (instances, 1, h, w), per layer, and the
        targets of these rows.
    """
    generator = torch.Generator().manual_seed(args.seed)
    height, width = (
        -(-side // PAD) * PAD // STRIDE for side in (args.height, args.width)
    )
    shape: Tuple[int, ...] = (1, 3, height // 8 + 1, width // 8 + 1)
    patches = torch.rand(shape, generator=generator) * 100
    lab = F.interpolate(patches, (height, width))[0]
    lab += torch.randn(lab.shape, generator=generator)
    boxes = torch.zeros(args.instances, 1, height, width)
    for box in boxes[:, 0]:
        size = torch.rand(2, generator=generator) * 0.4 + 0.1
        start = torch.rand(2, generator=generator) * (1 - size)
        scale = torch.tensor([height, width])
        (y1, x1), (y2, x2) = (
            (value * scale).int().tolist() for value in (start, start + size)
        )
        box[y1 : max(y2, y1 + 1), x1 : max(x2, x1 + 1)] = 1
    similarity = pairwise_similarity(lab, 3, DILATION)
    targets = MaskTargets(
        boxes.to(args.device),
        similarity=similarity[None, None].to(args.device),
    )
    shape = (args.layers, *boxes.shape)
    logits = torch.randn(shape, generator=generator) * 4
    return list(logits.to(args.device)), targets


def ours(logits: List[Tensor], targets: MaskTargets) -> Tensor:
    """Sum our losses over the layers."""
    projection, pairwise = BoxProjectionLoss(), PairwiseAffinityLoss()
    return torch.stack(
        [projection(z, targets) + pairwise(z, targets) for z in logits]
    ).sum()


def unfold(logits: List[Tensor], targets: MaskTargets) -> Tensor:
    """Sum the plain losses over the layers."""
    assert targets.similarity is not None
    num, height, width = len(targets), *targets.box_masks.shape[-2:]
    boxes = targets.box_masks[:, 0]
    # One copy per instance, as BoxInst has it.
    similarity = targets.similarity[0].expand(num, -1, height, width)
    similarity = similarity.contiguous()
    return torch.stack(
        [
            _projection(z[:, 0].sigmoid(), boxes)
            + _pairwise(z[:, 0], boxes, similarity)
            for z in logits
        ]
    ).sum()


def _projection(scores: Tensor, boxes: Tensor) -> Tensor:
    losses = []
    for axis in (1, 2):
        u, v = scores.max(axis).values, boxes.max(axis).values
        norm = (u**2).sum(1) + (v**2).sum(1) + 1e-5
        losses.append(1 - 2 * (u * v).sum(1) / norm)
    return (losses[0] + losses[1]).mean()


def _pairwise(logits: Tensor, boxes: Tensor, similarity: Tensor) -> Tensor:
    log_in, log_out = F.logsigmoid(logits), F.logsigmoid(-logits)
    same_in = log_in[:, None] + _neighbors(log_in)
    same_out = log_out[:, None] + _neighbors(log_out)
    largest = torch.max(same_in, same_out)
    same = (same_in - largest).exp() + (same_out - largest).exp()
    edges = -(same.log() + largest)
    weights = (similarity >= THRESH).float() * boxes[:, None]
    return (edges * weights).sum() / weights.sum().clamp(min=1)


def _neighbors(maps: Tensor) -> Tensor:
    """Unfold (n, h, w) into (n, 8, h, w), zero outside."""
    columns = F.unfold(maps[:, None], 3, dilation=DILATION, padding=DILATION)
    columns = columns.view(len(maps), 9, *maps.shape[-2:])
    return torch.cat([columns[:, :4], columns[:, 5:]], 1)


def step(
    side: Side, logits: List[Tensor], targets: MaskTargets
) -> Tuple[Tensor, List[Tensor]]:
    """Run forward and backward; returns the value and its gradients."""
    leaves = [z.detach().requires_grad_() for z in logits]
    value = side(leaves, targets)
    value.backward()
    return value.detach(), [leaf.grad for leaf in leaves]


def measure_difference(args: argparse.Namespace) -> Dict[str, float]:
    """Compare values and gradients of both sides.

    Returns:
        dict: ``max_grad_diff``, the larger of the greatest difference of a
        gradient over the greatest gradient and the relative difference of
        the values, and the former without the division.
    """
    logits, targets = make_inputs(args)
    value, grads = step(ours, logits, targets)
    expected, expected_grads = step(unfold, logits, targets)
    pairs = list(zip(grads, expected_grads))
    largest = max(b.abs().max().item() for _, b in pairs)
    absolute = max((a - b).abs().max().item() for a, b in pairs)
    of_values = abs(value - expected).item() / expected.item()
    return dict(
        max_grad_diff=max(absolute / largest, of_values),
        max_grad_diff_absolute=absolute,
    )


def measure_times(args: argparse.Namespace) -> Dict[str, List[float]]:
    """Time both sides in turn, seconds per step."""
    logits, targets = make_inputs(args)
    seconds: Dict[str, List[float]] = {name: [] for name in SIDES}
    for turn in range(args.repeats + 1):
        for name in SIDES if turn % 2 else SIDES[::-1]:
            _wait(args.device)
            start = time.perf_counter()
            step(globals()[name], logits, targets)
            _wait(args.device)
            seconds[name].append(time.perf_counter() - start)
    return {name: values[1:] for name, values in seconds.items()}  # warm


def _wait(device: str) -> None:
    if device.startswith('cuda'):
        torch.cuda.synchronize()


def measure_memory(args: argparse.Namespace) -> float:
    """Peak of a step above its inputs, MB; meant for a fresh process.

    On a GPU that of torch's allocator, else the resident set.
    """
    logits, targets = make_inputs(args)
    side = globals()[args.memory_of]
    if args.device.startswith('cuda'):
        torch.cuda.reset_peak_memory_stats()
        before = torch.cuda.memory_allocated()
        step(side, logits, targets)
        return (torch.cuda.max_memory_allocated() - before) / 2**20
    # Code that is loaded on first use is not the step's.
    step(side, [z[:1, :, :16, :16] for z in logits[:1]], _corner(targets))
    forget_peak()
    before = peak_mb()
    step(side, logits, targets)
    return peak_mb() - before


def _corner(targets: MaskTargets) -> MaskTargets:
    assert targets.similarity is not None
    return MaskTargets(
        targets.box_masks[:1, :, :16, :16],
        similarity=targets.similarity[..., :16, :16],
    )


def fresh_memory(name: str) -> float:
    """Run :func:`measure_memory` of one side in a process of its own."""
    command = [sys.executable, __file__, *sys.argv[1:], '--memory-of', name]
    done = subprocess.run(command, check=True, stdout=subprocess.PIPE)
    return float(done.stdout.split()[-1])


def parse_args() -> argparse.Namespace:
    """Read the command line."""
    parser = argparse.ArgumentParser(description=__doc__)
    for name, default, text in (
        ('height', 480, 'of the frame, pixels; padded to a multiple of 32'),
        ('width', 864, 'of the frame, pixels; padded to a multiple of 32'),
        ('instances', 20, 'rows matched in each decoder layer'),
        ('layers', 6, 'decoder layers'),
        ('repeats', 7, 'pairs of timed steps'),
    ):
        parser.add_argument(
            f'--{name}',
            type=int,
            help=f'{text} (default: {default}, quick: {QUICK[name]})',
        )
        parser.set_defaults(**{f'full_{name}': default})
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument('--device', default='cpu', help='"cpu" or "cuda"')
    parser.add_argument('--quick', action='store_true', help='small sizes')
    parser.add_argument('--memory-of', choices=SIDES, help=argparse.SUPPRESS)
    args = parser.parse_args()
    for name, quick in QUICK.items():
        value = getattr(args, name)
        if value is None:
            full = getattr(args, f'full_{name}')
            setattr(args, name, quick if args.quick else full)
        elif value < 1:
            parser.error(f'--{name} should be at least 1: {value}')
    if args.device.startswith('cuda') and not torch.cuda.is_available():
        parser.error('--device cuda, but torch finds no GPU')
    return args


def main() -> None:
    """Measure and print a table, then one line of JSON."""
    args = parse_args()
    torch.set_num_threads(1)
    if args.memory_of:
        print(measure_memory(args))
        return
    found: Dict[str, object] = dict(measure_difference(args))
    times = measure_times(args)
    memory = {name: fresh_memory(name) for name in SIDES}
    ratios = [b / a for a, b in zip(times['ours'], times['unfold'])]
    _, targets = make_inputs(args)
    shape = tuple(targets.box_masks.shape[-2:])
    print(
        f'{args.layers} layers, {args.instances} instances, maps of '
        f'{shape[0]} x {shape[1]}, {args.device}, torch {torch.__version__}'
    )
    print(f'{"":8}{"ms per step":>14}{"extra MB":>12}')
    for name in SIDES:
        milliseconds = 1000 * statistics.median(times[name])
        print(f'{name:8}{milliseconds:14.1f}{memory[name]:12.1f}')
        found[f'ms_{name}'] = round(milliseconds, 2)
        found[f'mb_{name}'] = round(memory[name], 1)
    found.update(
        {name: getattr(args, name) for name in QUICK},
        speedup=round(statistics.median(ratios), 2),
        memory_ratio=round(memory['ours'] / max(memory['unfold'], 0.1), 4),
        memory_by='torch' if args.device.startswith('cuda') else 'peak RSS',
        similar_edges=round(
            (targets.similarity >= THRESH).float().mean().item(), 3
        ),
        box_area=round(targets.box_masks.mean().item(), 3),
    )
    print(json.dumps(found))


if __name__ == '__main__':
    main()
