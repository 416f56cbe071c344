"""A labelled dataset of thousands of videos, for load tests."""

from pathlib import Path
from typing import Any, Dict, List, Optional, Sequence, Tuple, Union

import numpy as np
from PIL import Image

from ..structures import (
    Box,
    BoxTrack,
    MaskTrack,
    PseudoMaskSet,
    VideoAnnotations,
    VideoInfo,
)
from ..structures.rle import RLE, encode, tight_boxes
from ..utils.fileio import dump_json

SOURCES = ('prompted', 'predicted', 'track')
CATEGORIES = ('person', 'dog', 'giant_panda', 'surfboard')
# Shapes, sizes and places are few, so that a mask is drawn once for many
# tracks; files and an index do not notice.
_NUM_SHAPES = 6
_STEP = 20


def write_many_tracks(
    folder: Union[str, Path],
    num_videos: int = 3000,
    tracks_per_video: int = 3,
    num_frames: int = 36,
    size: Tuple[int, int] = (180, 320),
    sources: Sequence[str] = SOURCES,
    seed: int = 0,
) -> Dict[str, Any]:
    """Write masks of several sources, their selection, boxes and frames.

    Objects are wobbly ellipses that move. Every source adds noise of its
    own; some tracks of every source are bad throughout, and masks are absent
    now and then. The selection takes a random source in each frame, with a
    score that is close to what it deserves. All frames of a video are the
    same small jpeg; there are 16 pictures.

    Args:
        folder (str | Path): Gets ``JPEGImages``, ``instances.json`` (boxes
            only), ``final.json`` and one ``NAME.json`` per source.
        num_videos (int): Number of videos. Defaults to 3000.
        tracks_per_video (int): Number of tracks in each. Defaults to 3.
        num_frames (int): Frames per video. Defaults to 36.
        size (tuple[int]): (height, width), pixels. Defaults to (180, 320).
        sources (Sequence[str]): Names of the candidates.
        seed (int): The same one gives the same bytes. Defaults to 0.

    Returns:
        dict: ``ann_file``, ``img_prefix`` and ``final`` (Path), and
        ``sources`` (dict of Path by name).
    """
    folder = Path(folder)
    rng = np.random.default_rng(seed)
    _write_frames(folder / 'JPEGImages', size, rng)
    videos = {
        v: VideoInfo(
            v, size[1], size[0], (f'picture{v % 16:02d}/0.jpg',) * num_frames
        )
        for v in range(1, num_videos + 1)
    }
    categories = [
        dict(id=i, name=name) for i, name in enumerate(CATEGORIES, 1)
    ]
    boxes = VideoAnnotations(videos, categories, {v: [] for v in videos})
    sets = {
        name: PseudoMaskSet.empty_like(boxes, name)
        for name in ('final', *sources)
    }
    shapes = _Shapes(size, rng)
    for number in range(num_videos * tracks_per_video):
        video = number // tracks_per_video + 1
        made = _make_track(number + 1, video, num_frames, sources, shapes, rng)
        for name, track in made.items():
            sets[name].tracks[video].append(track)
    paths = {name: folder / f'{name}.json' for name in sets}
    for name, path in paths.items():
        sets[name].dump(path)
    dump_json(_boxes_json(sets['final']), folder / 'instances.json')
    return dict(
        ann_file=folder / 'instances.json',
        img_prefix=folder / 'JPEGImages',
        final=paths.pop('final'),
        sources=paths,
    )


def _write_frames(
    folder: Path, size: Tuple[int, int], rng: np.random.Generator
) -> None:
    for picture in range(16):
        coarse = rng.integers(40, 216, (6, 10, 3)).astype(np.uint8)
        path = folder / f'picture{picture:02d}' / '0.jpg'
        path.parent.mkdir(parents=True, exist_ok=True)
        image = Image.fromarray(coarse).resize((size[1], size[0]))
        image.save(path, quality=80)


def _boxes_json(masks: PseudoMaskSet) -> Dict[str, Any]:
    """Keep the annotated boxes and nothing else."""
    data = masks.to_json()
    for entry in data['annotations']:
        entry['bboxes'] = entry.pop('annotated_bboxes')
        for key in ('segmentations', 'areas', 'sources', 'scores'):
            del entry[key]
    return data


class _Shapes:
    """Masks at places of a coarse grid, made once.

    Args:
        size (tuple[int]): (height, width) of the frames, pixels.
        rng (np.random.Generator): Draws the shapes.
    """

    def __init__(self, size: Tuple[int, int], rng: np.random.Generator):
        self.size, self.rng = size, rng
        self.rows, self.columns = np.mgrid[: size[0], : size[1]]
        self.outlines = [self._outline() for _ in range(_NUM_SHAPES)]
        self._made: Dict[Tuple[int, ...], Tuple[RLE, Box]] = {}

    def _outline(self) -> np.ndarray:
        """Radius by angle, as a share of the mean one: float, (64,)."""
        angle = np.linspace(0, 2 * np.pi, 64, endpoint=False)
        waves = [
            self.rng.uniform(0, 0.3 / k) * np.cos(k * angle + phase)
            for k, phase in enumerate(self.rng.uniform(0, 6, 4), 2)
        ]
        return np.asarray(1 + np.sum(waves, axis=0))

    def get(self, shape: int, x: int, y: int, radius: int) -> Tuple[RLE, Box]:
        """Give a mask with its tight box."""
        key = (shape, x, y, radius)
        if key not in self._made:
            dx, dy = self.columns - x, self.rows - y
            angle = np.arctan2(dy, dx) / (2 * np.pi) * 64
            limit = radius * self.outlines[shape][angle.astype(int) % 64]
            mask = encode(np.hypot(dx, 1.3 * dy) < limit)
            x0, y0, x1, y1 = tight_boxes([mask])[0].tolist()
            self._made[key] = mask, (x0, y0, x1, y1)
        return self._made[key]


def _make_track(
    key: int,
    video: int,
    num_frames: int,
    sources: Sequence[str],
    shapes: _Shapes,
    rng: np.random.Generator,
) -> Dict[str, MaskTrack]:
    """Make the tracks of all sources and the selection, 'final'."""
    height, width = shapes.size
    shape, radius = int(rng.integers(_NUM_SHAPES)), height // 12
    radius *= int(rng.integers(1, 3))
    first, last = rng.uniform(0.2, 0.8, (2, 2))
    path = np.linspace(first, last, num_frames)
    boxes: List[Optional[Box]] = []
    places = []
    for x, y in (path * (width, height)).astype(int) // _STEP * _STEP:
        places.append((int(x), int(y)))
        boxes.append(shapes.get(shape, *places[-1], radius)[1])
    category = int(rng.integers(len(CATEGORIES))) + 1
    box_track = BoxTrack(key, video, category, boxes)
    tracks: Dict[str, MaskTrack] = {}
    for name in sources:
        tracks[name] = MaskTrack.empty_like(box_track)
        badness = rng.choice([0.05, 0.3], p=[0.85, 0.15])
        _add_noisy_masks(
            tracks[name], name, (shape, radius), places, badness, shapes, rng
        )
    final = MaskTrack.empty_like(box_track)
    for t, winner in enumerate(rng.choice(list(sources), num_frames)):
        chosen = tracks[winner]
        final.set(t, chosen.masks[t], str(winner), chosen.scores[t])
    return dict(final=final, **tracks)


def _add_noisy_masks(
    track: MaskTrack,
    source: str,
    shape: Tuple[int, int],
    places: Sequence[Tuple[int, int]],
    badness: float,
    shapes: _Shapes,
    rng: np.random.Generator,
) -> None:
    luck = rng.random((len(places), 3))
    for t, (x, y) in enumerate(places):
        if luck[t, 0] < badness / 4:
            continue  # absent
        radius = shape[1]
        if luck[t, 1] < badness:
            radius = max(radius * 2 // 3, 4)
        if luck[t, 2] < badness:
            x += _STEP
        score = 0.95 - 0.3 * (radius != shape[1]) - 0.2 * (x != places[t][0])
        mask = shapes.get(shape[0], x, y, radius)[0]
        track.set(t, mask, source, score)
