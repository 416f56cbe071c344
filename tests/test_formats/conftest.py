"""A small clip with everything that formats stumble over."""

from types import SimpleNamespace

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from pmvis_mm.formats import RESULT_WRITERS
from pmvis_mm.structures import StreamInfo, VideoTrack
from pmvis_mm.structures.rle import box_rle, tight_boxes

HEIGHT, WIDTH, LENGTH = 24, 32, 4


def fill(x0, y0, x1, y1):
    return box_rle((x0, y0, x1, y1), HEIGHT, WIDTH)


def make_track(key, labels, scores, masks, start=0, frame_scores=None):
    frames = sorted(masks)
    rles = [masks[t] for t in frames]
    return VideoTrack(
        key,
        tuple(labels),
        tuple(scores),
        start,
        np.array(frames, np.int64),
        tuple(rles),
        tight_boxes(rles).astype(np.float32),
        np.array(frame_scores or [scores[0]] * len(frames), np.float32),
    )


def make_instances(rows):
    """From (id, label, score, RLE), as a model gives them."""
    keys, labels, scores, masks = list(zip(*rows)) or ((), (), (), ())
    return InstanceData(
        instances_id=torch.tensor(keys, dtype=torch.long),
        labels=torch.tensor(labels, dtype=torch.long),
        scores=torch.tensor(scores, dtype=torch.float32),
        bboxes=torch.as_tensor(tight_boxes(masks), dtype=torch.float32),
        masks=list(masks),
    )


@pytest.fixture
def clip():
    """Four frames with three tracks.

    Track 0 has two classes; track 2 overlaps it and has a mask before it
    counts; track 5 is one pixel in one frame.
    """
    first = {t: fill(4 + t, 2, 14 + t, 12) for t in range(4)}
    second = {1: fill(10, 6, 20, 16), 3: fill(10, 6, 20, 16)}
    pixel = {2: fill(31, 23, 32, 24)}
    tracks = [
        make_track(0, [1, 0], [0.75, 0.25], first),
        make_track(2, [0], [0.5], second, 1, [0.875, 0.5]),
        make_track(5, [2], [0.125], pixel),
    ]
    frames = [
        [(0, 1, 0.75, first[0]), (2, 0, 0.5, fill(0, 0, 9, 9))],
        [(2, 0, 0.875, second[1]), (0, 1, 0.75, first[1])],
        [(0, 1, 0.75, first[2]), (5, 2, 0.125, pixel[2])],
        [(0, 1, 0.75, first[3]), (2, 0, 0.5, second[3])],
    ]
    rng = np.random.default_rng(0)
    return SimpleNamespace(
        info=StreamInfo('bear', HEIGHT, WIDTH, 12.5, None),
        classes=('cat', 'big dog', 'ant'),
        tracks=tracks,
        instances=[make_instances(rows) for rows in frames],
        images=rng.integers(0, 255, (4, HEIGHT, WIDTH, 3), np.uint8),
        length=LENGTH,
        make_track=make_track,
        make_instances=make_instances,
        fill=fill,
    )


@pytest.fixture
def write():
    """Function that lets a writer write a clip."""

    def run(writer, clip):
        if isinstance(writer, dict):
            writer = RESULT_WRITERS.build(writer)
        writer.start(clip.info, clip.classes)
        for frame, found in enumerate(clip.instances):
            image = clip.images[frame] if writer.needs_images else None
            writer.add_frame(frame, found, image)
        return writer.finish(iter(clip.tracks), len(clip.instances))

    return run


@pytest.fixture
def empty_clip(clip):
    """Three frames in which nothing was found."""
    clip.tracks = []
    clip.instances = [make_instances([]) for _ in range(3)]
    return clip
