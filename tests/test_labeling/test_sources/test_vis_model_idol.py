"""IDOL-BoxInst-masks from a tiny IDOL: tracks, streaming, memory."""

import weakref

import pytest
import torch
from mmengine.config import Config

from pmvis_mm.models.vis.inference import iter_clips
from pmvis_mm.registry import MODELS
from pmvis_mm.structures.rle import area
from pmvis_mm.testing.scripted_vis import make_video, scripted_config
from pmvis_mm.testing.tiny_idol import TINY_MODEL, tiny_idol

SIZE = (48, 64)
LENGTH = 14
BOXES = [
    [(0, 0, 40, 48)] * LENGTH,
    [None] * 3 + [(8, 4, 64, 44)] * 9 + [None] * 2,
]
CLASSES = ('a', 'b', 'c', 'd')


@pytest.fixture(scope='module')
def teacher(repo_root, tmp_path_factory):
    """Config and checkpoint of a box-supervised model."""
    folder = tmp_path_factory.mktemp('teacher')
    base = repo_root / 'configs/idol_boxinst'
    base = base / 'idol-boxinst_r18_1xb4-2k_own-box.py'
    # On noise this follows most queries, and gives a few tracks up.
    tracker = dict(match_metric='cosine')
    config = folder / 'teacher.py'
    cfg = Config.fromfile(base)
    cfg.merge_from_dict(dict(model=dict(TINY_MODEL, tracker=tracker)))
    steps = cfg.test_dataloader.dataset.pipeline[0].transforms
    steps[1].scale = (SIZE[1], SIZE[0])
    cfg.dump(config)
    model = tiny_idol(config, seed=3)
    checkpoint = folder / 'teacher.pth'
    meta = dict(classes=CLASSES, category_ids=(7, 3, 8, 9))
    torch.save(
        dict(state_dict=model.state_dict(), meta=dict(dataset_meta=meta)),
        checkpoint,
    )
    return str(config), str(checkpoint)


def build(teacher, **kwargs):
    config, checkpoint = teacher
    return MODELS.build(
        dict(
            type='VISModelSource',
            config=config,
            checkpoint=checkpoint,
            **kwargs,
        )
    ).eval()


def label(source, video):
    (result,) = source.test_step([video])
    return result.tracks


@pytest.fixture(scope='module')
def clips(teacher):
    source = build(teacher)
    return list(iter_clips(source.model, make_video(BOXES, SIZE).frames, 5))


def test_the_last_clip_judges_the_tracks(clips):
    assert [clip.start for clip in clips] == [0, 5, 10]
    assert [len(clip.frames) for clip in clips] == [5, 5, 4]
    assert [clip.tracks is None for clip in clips] == [True, True, False]
    keys = clips[-1].tracks.instances_id.tolist()
    assert len(set(keys)) < len(keys)  # several classes of one track
    shown = {
        key
        for clip in clips
        for found in clip.frames
        for key in found.instances_id.tolist()
    }
    assert set(keys) < shown  # some were given up


def candidates(clips, mode, frame):
    """Masks that may be assigned, worked out from the raw predictions."""
    verdict = clips[-1].tracks
    first = dict(
        zip(verdict.instances_id.tolist(), verdict.start_frames.tolist())
    )
    found = [f for clip in clips for f in clip.frames][frame]
    return [
        mask
        for mask, key, score in zip(
            found.masks, found.instances_id.tolist(), found.scores.tolist()
        )
        if area(mask)
        and (
            score > 0.05
            if mode == 'per_frame'
            else frame >= first.get(key, LENGTH)
        )
    ]


@pytest.mark.parametrize('mode', ['tracks', 'per_frame'])
def test_masks_are_of_the_tracks_that_count(teacher, clips, mode):
    video = make_video(BOXES, SIZE)
    tracks = label(build(teacher, mode=mode, clip_length=5), video)
    for frame in range(LENGTH):
        allowed = candidates(clips, mode, frame)
        masks = [t.masks[frame] for t in tracks if t.masks[frame]]
        assert all(mask in allowed for mask in masks)
        wanted = sum(t.boxes[frame] is not None for t in tracks)
        # Every noisy mask touches both boxes a little.
        assert len(masks) <= min(wanted, len(allowed))
        assert bool(masks) == bool(wanted and allowed)
    assert tracks[1].masks[:3] == [None] * 3
    assert [t.category_id for t in tracks] == [7, 3]


def test_modes_differ_and_clip_length_does_not_matter(teacher):
    video = make_video(BOXES, SIZE)
    by_tracks = label(build(teacher, mode='tracks', clip_length=1), video)
    by_frame = label(build(teacher, mode='per_frame'), video)
    assert by_tracks != by_frame
    for clip_length in (4, 10, None):
        source = build(teacher, clip_length=clip_length)
        again = label(source, video)
        for one, two in zip(by_tracks, again):
            assert one.masks == two.masks
        # The next video starts anew.
        assert label(source, video) == again


def test_a_frame_without_box_is_tracking_context(teacher):
    """Frame 13 has the same masks, whoever has boxes before it."""
    alone = [[None] * (LENGTH - 1) + [BOXES[0][0]]]
    source = build(teacher, mode='tracks')
    (late,) = label(source, make_video(alone, SIZE))
    whole = label(source, make_video(BOXES[:1], SIZE))[0]
    assert late.num_masks == 1
    assert late.masks[-1] == whole.masks[-1]


def test_classes_of_the_model_are_no_labels(teacher):
    video = make_video(BOXES, SIZE)
    options = dict(assign=dict(require_label=True))
    strict = label(build(teacher, **options), video)
    assert [t.category_id for t in strict] == [7, 3]
    shifted = build(teacher, category_ids=(3, 7, 7, 7), **options)
    assert [t.category_id for t in label(shifted, video)] == [7, 3]
    nowhere = build(teacher, category_ids=(1, 2, 4, 5), **options)
    assert [t.num_masks for t in label(nowhere, video)] == [0, 0]


class CountedFrames:
    """Frames that tell how many of them are alive at once."""

    def __init__(self, frames):
        self.frames, self.alive, self.most = frames, [], 0

    def __len__(self):
        return len(self.frames)

    def __getitem__(self, t):
        frame = self.frames[t].copy()
        self.alive.append(weakref.ref(frame))
        living = sum(ref() is not None for ref in self.alive)
        self.most = max(self.most, living)
        return frame


@pytest.mark.parametrize('mode', ['tracks', 'per_frame'])
def test_memory_does_not_grow_with_the_video(tmp_path, mode):
    length, clip_length = 60, 4
    box = (0, 0, 40, 40)
    script = [[(0.9, 0, box, n) for n in range(3)]] * length
    config = scripted_config(
        tmp_path / 'scripted.py', script, size=SIZE, verdict=[(0, 0, 0, 0.9)]
    )
    source = MODELS.build(
        dict(
            type='VISModelSource',
            config=config,
            mode=mode,
            clip_length=clip_length,
        )
    ).eval()
    emit, dense, most = source.model._emit, [], []

    def counting_emit(rows):
        found = emit(rows)
        dense.append(weakref.ref(found.masks))
        most.append(sum(ref() is not None for ref in dense))
        return found

    source.model._emit = counting_emit
    video = make_video([[box] * length], SIZE)
    video.frames = frames = CountedFrames(video.frames)
    (track,) = label(source, video)
    assert track.num_masks == length
    # No more than the clip that is worked on and the one before.
    assert max(most) <= 2 * clip_length
    assert frames.most <= 2 * clip_length
