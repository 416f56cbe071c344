"""How often temporal matchers pair pixels of the same instance.

Of tubes of frames as training samples them, every pair of pixels whose
centre lies in an annotated box is judged with the real masks: are both of
the same instance, or both of none? The paper of MaskFreeVIS reports 95.7 %
for its patches on YouTube-VIS 2019. "same place" is a matcher that never
moves, the floor of all others.

Without data, videos of ShapesVIS are made. Prints a table; the last line is
one JSON object.

    python benchmarks/temporal_matchers.py --ann-file instances.json \
        --img-prefix JPEGImages
"""

import argparse
import json
import sys
import tempfile
import time
from pathlib import Path
from typing import Any, Dict, Iterator, List, NamedTuple, Optional, Tuple

import cv2
import numpy as np
import torch
from mmengine.registry import DefaultScope
from torch import Tensor

import pmvis_mm.models  # noqa: F401
from pmvis_mm.datasets.shapes_vis import write_shapes_vis
from pmvis_mm.models.utils import box_bitmasks, lab_features
from pmvis_mm.registry import MODELS
from pmvis_mm.structures import BoxTrack, VideoAnnotations, VideoInfo
from pmvis_mm.structures.frame_reader import FrameReader
from pmvis_mm.structures.rle import decode
from pmvis_mm.structures.temporal_matches import TemporalMatches
from pmvis_mm.utils.errors import PMVISError

STRIDE, PAD = 4, 32
LEAST = dict(num_frames=2, frame_range=1, every=1, max_videos=1, short_side=8)
MATCHERS: Dict[str, dict] = {
    'patch': dict(type='PatchMatcher'),
    # What benchmarks/temporal_consistency.py takes for its small frames.
    'patch, near': dict(type='PatchMatcher', search=3, threshold=0.001),
    'flow': dict(type='FlowMatcher'),
    'flow, full size': dict(
        type='FlowMatcher', flow=dict(type='DIS', scale='full')
    ),
    'flow, checked': dict(type='FlowMatcher', consistency=1.0),
    'color': dict(type='ColorMatcher'),
    'same place': dict(type='DeformableMatcher'),  # untrained
}


class Clip(NamedTuple):
    """One tube.

    Attributes:
        video (str): Name of its video.
        images (Tensor): uint8, (1, T, 3, H, W), RGB, zero-padded.
        labels (Tensor): int64, (T, h, w), number of the instance at the
            middle of each block, 0 for none.
        in_box (Tensor): bool, (T, h, w), whether a box covers it.
    """

    video: str
    images: Tensor
    labels: Tensor
    in_box: Tensor


class Tally:
    """Counts of one matcher."""

    def __init__(self) -> None:
        self.same = self.pairs = self.covered = self.pixels = 0.0
        self.clips, self.seconds = 0, 0.0
        self.of_video: Dict[str, List[float]] = {}

    def add(
        self, clip: Clip, matches: TemporalMatches, seconds: float
    ) -> None:
        """Judge the matches of a clip."""
        region, labels = clip.in_box.flatten(), clip.labels.flatten()
        partners = matches.partners
        if matches.mix is not None:
            # Between pixels, the nearest one counts.
            partners = partners.gather(1, matches.mix.argmax(1, keepdim=True))
        centers, partners = matches.centers, partners[:, 0]
        inside = region[centers] & (partners >= 0)
        weights = torch.ones_like(centers, dtype=torch.float64)
        if matches.weights is not None:
            weights = matches.weights.detach().double()
        weights = weights * inside
        agree = labels[centers] == labels[partners.clamp(min=0)]
        same, pairs = (weights * agree).sum().item(), weights.sum().item()
        own = self.of_video.setdefault(clip.video, [0.0, 0.0])
        own[0] += same
        own[1] += pairs
        self.same += same
        self.pairs += pairs
        frames = torch.tensor([b for _, b in matches.connections])
        # A frame may be a centre several times, or never.
        area = labels.numel() // len(clip.labels)
        link = torch.arange(len(frames)).repeat_interleave(matches.counts[0])
        seen = torch.unique(link[inside] * area + centers[inside] % area)
        self.covered += len(seen)
        self.pixels += clip.in_box[frames].sum().item()
        self.clips += 1
        self.seconds += seconds

    def summary(self) -> Dict[str, float]:
        """Round the figures for the report."""
        return dict(
            accuracy=round(self.same / max(self.pairs, 1), 4),
            coverage=round(self.covered / max(self.pixels, 1), 4),
            pairs_per_pixel=round(self.pairs / max(self.pixels, 1), 3),
            ms_per_clip=round(1000 * self.seconds / max(self.clips, 1), 1),
        )


def sample_tube(
    length: int, reference: int, num_frames: int, reach: int, rng: Any
) -> List[int]:
    """Draw the frames of a tube as MaskFreeVIS does.

    Args:
        length (int): Of the video.
        reference (int): Frame that is in it for sure.
        num_frames (int): T.
        reach (int): Others are at most so far away; drawn with replacement.
        rng (np.random.Generator): Draws.

    Returns:
        list[int]: T frames in random order.
    """
    first, last = max(reference - reach, 0), min(reference + reach, length - 1)
    pool = [t for t in range(first, last + 1) if t != reference]
    others = rng.choice(pool or [reference], num_frames - 1).tolist()
    frames = [reference, *others]
    rng.shuffle(frames)
    return frames


def load_clip(
    video: VideoInfo,
    tracks: List[BoxTrack],
    reader: FrameReader,
    frames: List[int],
    short_side: Optional[int],
) -> Clip:
    """Read and label the frames of a tube.

    Raises:
        PMVISError: If a frame is missing or a track has no masks.
    """
    scale = 1.0
    if short_side is not None:
        scale = short_side / min(video.height, video.width)
    width, height = (round(s * scale) for s in (video.width, video.height))
    size = -(-height // PAD) * PAD, -(-width // PAD) * PAD
    images = np.zeros((len(frames), *size, 3), np.uint8)
    labels = np.zeros((len(frames), *size), np.int64)
    boxes = torch.zeros(len(frames), len(tracks), 4)
    for number, t in enumerate(frames):
        frame = cv2.resize(reader[t], (width, height))
        images[number, :height, :width] = frame[..., ::-1]
        for own, track in enumerate(tracks):
            if track.segmentations is None:
                raise PMVISError(
                    'no masks to judge matches with',
                    video=video.id,
                    instance=track.id,
                    fix='give an annotation file with "segmentations"',
                )
            mask, box = track.segmentations[t], track.boxes[t]
            if mask is None or box is None:
                continue
            dense = decode(mask).astype(np.uint8)
            dense = cv2.resize(
                dense, (width, height), interpolation=cv2.INTER_NEAREST
            )
            labels[number, :height, :width][dense > 0] = own + 1
            boxes[number, own] = torch.tensor(box) * scale
    middle = slice(STRIDE // 2, None, STRIDE)
    return Clip(
        video.name,
        torch.from_numpy(images).permute(0, 3, 1, 2)[None].contiguous(),
        torch.from_numpy(labels)[:, middle, middle],
        box_bitmasks(boxes, size, STRIDE, rule='exact').amax(1) > 0,
    )


def iter_clips(
    args: argparse.Namespace, data: VideoAnnotations, img_prefix: str
) -> Iterator[Clip]:
    """Go through the tubes of all videos."""
    rng = np.random.default_rng(args.seed)
    for video in list(data.videos.values())[: args.max_videos]:
        tracks = data.tracks[video.id]
        reader = FrameReader(
            video, img_prefix, cache_size=2 * args.frame_range + 1
        )
        for reference in range(0, video.length, args.every):
            frames = sample_tube(
                video.length,
                reference,
                args.num_frames,
                args.frame_range,
                rng,
            )
            yield load_clip(video, tracks, reader, frames, args.short_side)


def build_matchers(args: argparse.Namespace) -> Dict[str, Any]:
    """Build those that were asked for."""
    configs = {name: MATCHERS[name] for name in args.matchers}
    if args.raft is not None:
        flow = dict(type='RAFT', weights=args.raft, model=args.raft_model)
        configs['flow, RAFT'] = dict(type='FlowMatcher', flow=flow)
    return {
        name: MODELS.build(dict(config)).to(args.device).eval()
        for name, config in configs.items()
    }


def cyclic(num_frames: int) -> List[Tuple[int, int]]:
    """Connect each frame with the next, and the last with the first."""
    if num_frames == 2:
        return [(0, 1)]
    return [(t, (t + 1) % num_frames) for t in range(num_frames)]


@torch.no_grad()
def measure(
    args: argparse.Namespace, data: VideoAnnotations, img_prefix: str
) -> Dict[str, Tally]:
    """Run all matchers on all tubes."""
    matchers = build_matchers(args)
    tallies = {name: Tally() for name in matchers}
    connections = cyclic(args.num_frames)
    for clip in iter_clips(args, data, img_prefix):
        images = clip.images.to(args.device)
        lab = lab_features(images, STRIDE, args.swap_rb)
        for name, matcher in matchers.items():
            start = _clock(args.device)
            matches = matcher(lab, connections, images)
            seconds = _clock(args.device) - start
            tallies[name].add(clip, _to_cpu(matches), seconds)
    return tallies


def _clock(device: str) -> float:
    """Seconds; on the CPU those of one thread, whatever else runs."""
    if device.startswith('cuda'):
        torch.cuda.synchronize()
        return time.perf_counter()
    return time.process_time()


def _to_cpu(matches: TemporalMatches) -> TemporalMatches:
    fields = dict(vars(matches))
    for name, value in fields.items():
        if isinstance(value, Tensor):
            fields[name] = value.cpu()
    return TemporalMatches(**fields)


def build_parser() -> argparse.ArgumentParser:
    """Describe the command line."""
    parser = argparse.ArgumentParser(
        description=__doc__,
        formatter_class=argparse.RawDescriptionHelpFormatter,
    )
    parser.add_argument('--ann-file', help='YouTube-VIS json with real masks')
    parser.add_argument('--img-prefix')
    parser.add_argument('--max-videos', type=int)
    parser.add_argument(
        '--matchers', nargs='+', choices=list(MATCHERS), default=list(MATCHERS)
    )
    parser.add_argument('--raft', metavar='FILE', help='weights of RAFT, too')
    parser.add_argument('--raft-model', default='raft_large')
    parser.add_argument('--num-frames', type=int, default=5, help='of a tube')
    parser.add_argument('--frame-range', type=int, default=5)
    parser.add_argument(
        '--every', type=int, default=5, help='one tube for so many frames'
    )
    parser.add_argument(
        '--short-side', type=int, help='resize frames, pixels (default: not)'
    )
    parser.add_argument('--swap-rb', action='store_true', help='as released')
    parser.add_argument('--seed', type=int, default=0)
    parser.add_argument(
        '--device', default='cuda' if torch.cuda.is_available() else 'cpu'
    )
    return parser


def run(args: argparse.Namespace) -> Dict[str, Tally]:
    """Measure on the given data, or on ShapesVIS."""
    if args.ann_file is not None:
        data = VideoAnnotations.from_file(args.ann_file, with_masks=True)
        return measure(args, data, args.img_prefix or '')
    with tempfile.TemporaryDirectory() as folder:
        root = write_shapes_vis(
            Path(folder) / 'shapes', args.max_videos or 10, seed=args.seed
        )
        data = VideoAnnotations.from_file(
            root / 'instances.json', with_masks=True
        )
        return measure(args, data, str(root / 'JPEGImages'))


def main() -> None:
    """Measure and print a table, then one line of JSON."""
    parser = build_parser()
    args = parser.parse_args()
    for name, least in LEAST.items():
        value = getattr(args, name)
        if value is not None and value < least:
            parser.error(f'--{name.replace("_", "-")} is too small: {value}')
    torch.set_num_threads(1)
    cv2.setNumThreads(1)
    with DefaultScope.overwrite_default_scope('pmvis_mm'):
        try:
            tallies = run(args)
        except PMVISError as error:
            sys.exit(str(error))
    first = next(iter(tallies.values()))
    print(f'{"accuracy, %":20}' + ''.join(f'{n:>17}' for n in tallies))
    for video in first.of_video:
        values = (tally.of_video[video] for tally in tallies.values())
        cells = ''.join(f'{100 * s / max(p, 1):17.1f}' for s, p in values)
        print(f'{video:20}{cells}')
    found = {name: tally.summary() for name, tally in tallies.items()}
    for key, unit in (
        ('accuracy', 100),
        ('coverage', 100),
        ('pairs_per_pixel', 1),
        ('ms_per_clip', 1),
    ):
        cells = ''.join(f'{unit * row[key]:17.2f}' for row in found.values())
        print(f'{key:20}{cells}')
    data = 'ShapesVIS' if args.ann_file is None else Path(args.ann_file).name
    keys = ('num_frames', 'frame_range', 'short_side', 'swap_rb', 'device')
    settings = {key: getattr(args, key) for key in keys}
    print(
        json.dumps(
            dict(matchers=found, data=data, num_clips=first.clips, **settings)
        )
    )


if __name__ == '__main__':
    main()
