"""Candidate masks whose IoU is known, to fit the quality estimator on.

Not imported by the package itself: it runs mask sources, which need torch.
"""

from typing import Any, Dict, Iterator, List, Optional, Sequence, Tuple

import numpy as np

from ...datasets.shapes_vis import (
    ShapesVideo,
    ShapesVISGenerator,
    ShapeTrack,
)
from ...structures import RLE, Box, BoxTrack, MaskTrack, VideoInfo
from ...structures.rle import decode, encode, mask_iou
from ..label_video import LabelVideo
from ..sources.flow import FlowPropagator
from ..sources.grabcut import GrabCutSource
from .degraded_masks import DEGRADERS, ExactTrack, degrade, imitate
from .doob import doob
from .hard_scenes import harden
from .quality_table import CueTable, collect_cues

# Sources that nearly every set of candidates has, in one form or another.
COMMON = ('model', 'saliency', 'ellipse', 'tracker')
IMITATED = ('grabcut', 'ellipse', 'saliency', 'flow')
# DOOB is applied to what works frame by frame.
_SLOWER = 3
_CLEANED = ('grabcut', 'model', 'saliency', 'color', 'like_')


class _Frames:
    """Frames in memory, with the interface of a FrameReader."""

    def __init__(self, video: VideoInfo, images: Sequence[np.ndarray]) -> None:
        self.video, self.images = video, images

    def __len__(self) -> int:
        return len(self.images)

    def __getitem__(self, frame: int) -> np.ndarray:
        return self.images[frame].copy()


def make_corpus(
    num_videos: int,
    seed: int = 0,
    size: Tuple[int, int] = (192, 320),
    num_frames: int = 8,
    num_kinds: int = 5,
) -> Iterator[Tuple[List[CueTable], List[np.ndarray]]]:
    """Make candidates for hardened ShapesVIS videos.

    Args:
        num_videos (int): Number of videos.
        seed (int): Of everything random. Defaults to 0.
        size (tuple[int]): Height and width, pixels.
        num_frames (int): Frames of every video. Defaults to 8.
        num_kinds (int): Kinds of spoiled masks per video, drawn anew for
            each, besides the common ones. Defaults to 5.

    Yields:
        tuple: Per instance of one video its cues, and the IoU of its S
        candidates with the truth: float64, (S, T), NaN where there is no
        candidate. The sources are those of ``COMMON``, GrabCut, flow from it
        or from the model, imitations ('like_NAME') and ``num_kinds`` others.
    """
    # Objects cross the frame within a video, however short: real ones are
    # slower, so that only a part is used.
    generator = ShapesVISGenerator(_SLOWER * num_frames, size, seed, 4)
    for index in range(num_videos):
        rng = np.random.default_rng([seed, index])
        start = int(rng.integers((_SLOWER - 1) * num_frames + 1))
        video = generator.generate_video(index)
        video = _cut(video, start, start + num_frames)
        if video.tracks:
            yield _Scene(video, index, rng).known_tables(num_kinds)


def _cut(video: ShapesVideo, start: int, stop: int) -> ShapesVideo:
    """Take some frames, and the objects that show in them."""
    tracks = [
        ShapeTrack(
            track.category,
            track.masks[start:stop],
            track.boxes[start:stop],
            track.full_areas[start:stop],
        )
        for track in video.tracks
        if track.masks[start:stop].any()
    ]
    return ShapesVideo(video.frames[start:stop], tracks)


class _Scene:
    """One video and all its candidate masks."""

    def __init__(
        self,
        video: ShapesVideo,
        index: int,
        rng: np.random.Generator,
    ) -> None:
        self.rng = rng
        length, height, width = video.frames.shape[:3]
        names = tuple(f'{t:05d}.png' for t in range(length))
        self.info = VideoInfo(index, width, height, names)
        images = harden(
            [frame[..., ::-1] for frame in video.frames], video.tracks, rng
        )
        self.frames: Any = _Frames(self.info, images)
        masks = [
            [mask if mask.any() else None for mask in track.masks]
            for track in video.tracks
        ]
        self.boxes = self._annotate([track.boxes for track in video.tracks])
        self.exact = [
            ExactTrack(
                [m if b else None for m, b in zip(masks[i], self.boxes[i])],
                self.boxes[i],
                [other for j, other in enumerate(masks) if j != i],
                images,
            )
            for i in range(len(masks))
        ]
        self.candidates: List[Dict[str, MaskTrack]] = [{} for _ in masks]

    def _annotate(
        self, boxes: Sequence[Sequence[Optional[Box]]]
    ) -> List[List[Optional[Box]]]:
        """Boxes as people draw them: in a third of videos a pixel off."""
        jitter = self.rng.choice([0.0, 0.0, 1.0])
        limit = np.array([self.info.width, self.info.height] * 2)
        result: List[List[Optional[Box]]] = []
        for track in boxes:
            drawn: List[Optional[Box]] = []
            for box in track:
                if box is None:
                    drawn.append(None)
                    continue
                moved = np.rint(self.rng.normal(box, jitter)).clip(0, limit)
                large = (moved[2:] - moved[:2]).min() >= 3
                drawn.append(tuple(moved.tolist()) if large else None)
            result.append(drawn)
        return result

    def known_tables(
        self, num_kinds: int
    ) -> Tuple[List[CueTable], List[np.ndarray]]:
        """Run every source and compare it with the truth."""
        others = sorted(set(DEGRADERS) - set(COMMON))
        chosen = self.rng.choice(others, num_kinds, replace=False).tolist()
        for kind in [*COMMON, 'tracker', *chosen]:
            self._spoil(kind)
        self._run_grabcut()
        self._run_flow('flow', 'grabcut', {})
        if self.rng.random() < 0.5:
            free = bool(self.rng.integers(2))
            options = dict(keep_in_box=free, fit_to_box=free)
            self._run_flow('flow_model', 'model', options)
        for name in self.rng.choice(IMITATED, 2, replace=False):
            self._imitate(name)
        self._clean()
        tables = collect_cues(self.frames, self.candidates, self.boxes)
        truths = [self._truth(i, table) for i, table in enumerate(tables)]
        return tables, truths

    def _add(
        self, name: str, masks: Sequence[Sequence[Optional[RLE]]]
    ) -> None:
        for number, mine in enumerate(masks):
            track = MaskTrack.empty_like(self._box_track(number))
            for frame, mask in enumerate(mine):
                if track.boxes[frame] is not None:
                    track.set(frame, mask, name)
            self.candidates[number][name] = track

    def _box_track(self, number: int) -> BoxTrack:
        return BoxTrack(number, self.info.id, 1, self.boxes[number])

    def _spoil(self, kind: str) -> None:
        name = kind
        if name in self.candidates[0]:
            name += '_2'  # another one of the same kind
        masks = [degrade(kind, track, self.rng) for track in self.exact]
        self._add(name, [_encoded(mine) for mine in masks])

    def _imitate(self, name: str) -> None:
        copies = []
        for mine, boxes in zip(self.candidates, self.boxes):
            masks = [
                None if mask is None else decode(mask)
                for mask in mine[name].masks
            ]
            copies.append(_encoded(imitate(masks, boxes, self.rng)))
        self._add(f'like_{name}', copies)

    def _run_grabcut(self) -> None:
        core = float(self.rng.choice([0, 0.3]))
        source = GrabCutSource(core=core, max_side=128)
        self._run(source, 'grabcut', {})

    def _run_flow(self, name: str, prior: str, options: Dict) -> None:
        source = FlowPropagator(
            'prior',
            reference=None,
            keyframe_interval=int(self.rng.choice([4, 8, 30])),
            **options,
        )
        tracks = {i: mine[prior] for i, mine in enumerate(self.candidates)}
        self._run(source, name, dict(prior=tracks))

    def _run(self, source: Any, name: str, priors: Dict) -> None:
        boxes = [self._box_track(i) for i in range(len(self.boxes))]
        video = LabelVideo(self.info, boxes, self.frames, priors)
        tracks = source.label(video).tracks
        self._add(name, [track.masks for track in tracks])

    def _clean(self) -> None:
        """Apply DOOB as a labelling run would."""
        for name in self.candidates[0] if self.candidates else ():
            if not name.startswith(_CLEANED):
                continue
            tracks = [mine[name] for mine in self.candidates]
            for frame in range(self.info.length):
                cleaned = doob(
                    [track.masks[frame] for track in tracks],
                    [track.boxes[frame] for track in tracks],
                )
                for track, mask in zip(tracks, cleaned):
                    track.set(frame, mask, name)

    def _truth(self, number: int, table: CueTable) -> np.ndarray:
        result = np.full(table.present.shape, np.nan)
        tracks = list(self.candidates[number].values())
        for frame in range(self.info.length):
            rows = np.flatnonzero(table.present[:, frame])
            if len(rows):
                masks = [tracks[row].masks[frame] for row in rows]
                real = encode(self.exact[number].mask(frame))
                result[rows, frame] = mask_iou(masks, [real])[:, 0]
        return result


def _encoded(
    masks: Sequence[Optional[np.ndarray]],
) -> List[Optional[RLE]]:
    return [None if mask is None else encode(mask) for mask in masks]
