"""A walk that is interrupted goes on as if nothing had happened."""

import tracemalloc

import numpy as np
import pytest
import torch
from mmengine.config import Config

from pmvis_mm.apis import build_frame_pipeline, init_vis_model, iter_clips
from pmvis_mm.models.vis.clip_walk import ClipWalk, autocast, check_precision
from pmvis_mm.models.vis.video_state import is_online, video_state
from pmvis_mm.structures.rle import tight_boxes
from pmvis_mm.testing.scripted_vis import scripted_config
from pmvis_mm.testing.tiny_idol import TINY_MODEL
from pmvis_mm.testing.tiny_maskfree import TINY_MASKFREE
from pmvis_mm.testing.videos import moving_frames
from pmvis_mm.utils.errors import ConfigError

NUM_FRAMES = 14
FRAMES = moving_frames(NUM_FRAMES)
# Per model: length of clips, frames in common.
CLIPS = dict(
    idol=(3, 0),
    mask_track_rcnn=(2, 0),
    mask2former=(5, 2),
    maskfreevis=(4, 1),
)


@pytest.fixture(scope='module')
def models(repo_root):
    """Tiny models with random weights, by name."""
    built = {}

    def build(name):
        if name in built:
            return built[name]
        data = repo_root / 'tests/data/configs'
        torch.manual_seed(1)
        if name == 'mask_track_rcnn':
            model = init_vis_model(data / 'tiny_mask_track_rcnn.py')
        elif name == 'mask2former':
            model = init_vis_model(data / 'tiny_mask2former_video.py')
        elif name == 'maskfreevis':
            path = 'configs/maskfreevis/maskfreevis_r18_1xb4-1k_own-box.py'
            cfg = Config.fromfile(repo_root / path)
            cfg.merge_from_dict(dict(model=TINY_MASKFREE))
            model = init_vis_model(cfg)
        else:
            path = 'configs/idol/idol_r18_1xb4-2k_own.py'
            cfg = Config.fromfile(repo_root / path)
            cfg.merge_from_dict(dict(model=TINY_MODEL))
            model = init_vis_model(cfg)
            for branch in model.detector.bbox_head.cls_branches:
                torch.nn.init.normal_(branch.weight, std=0.5)
                torch.nn.init.constant_(branch.bias, -1.0)
        built[name] = model
        return model

    return build


def new_walk(model, name):
    pipeline = build_frame_pipeline(model.cfg)
    return ClipWalk(model, pipeline, *CLIPS[name])


def summary(clips):
    """Everything that was predicted, in plain lists."""
    frames, verdict = {}, None
    for clip in clips:
        for t, found in enumerate(clip.frames, clip.start):
            assert t == len(frames)
            frames[t] = [
                found.instances_id.tolist(),
                found.labels.tolist(),
                found.scores.tolist(),
                found.bboxes.tolist(),
                found.masks,
            ]
        if clip.tracks is not None:
            assert verdict is None
            verdict = {
                key: clip.tracks.get(key).tolist()
                for key in ('instances_id', 'labels', 'scores', 'start_frames')
            }
    return frames, verdict


@pytest.mark.parametrize('name', list(CLIPS))
def test_interrupted_walks_go_on_alike(models, name):
    model = models(name)
    whole = summary(new_walk(model, name).run(iter(FRAMES)))
    assert len(whole[0]) == NUM_FRAMES
    assert any(frame[0] for frame in whole[0].values())
    assert (whole[1] is not None) == (name == 'idol')
    for stop in (1, 3):  # clips
        walk = new_walk(model, name)
        run = walk.run(iter(FRAMES))
        clips = [next(run) for _ in range(stop)]
        state = walk.state()
        run.close()
        # Another video comes in between.
        list(new_walk(model, name).run(moving_frames(3, seed=5)))
        other = new_walk(model, name)
        other.load_state(state)
        assert other.next_frame == walk.next_frame
        assert other.first_needed == walk.next_frame - CLIPS[name][1]
        clips += other.run(iter(FRAMES[other.first_needed :]))
        assert summary(clips) == whole


def test_killed_after_the_last_frame(models):
    model = models('idol')
    whole = summary(new_walk(model, 'idol').run(iter(FRAMES)))
    walk = new_walk(model, 'idol')
    run = walk.run(iter(FRAMES))
    clips = [next(run) for _ in range(5)]
    state = walk.state()
    run.close()
    other = new_walk(model, 'idol')
    other.load_state(state)
    assert other.next_frame == NUM_FRAMES
    assert summary([*clips, *other.run(iter([]))]) == whole


def test_known_and_unknown_length_give_the_same(models):
    model = models('idol')
    known = list(iter_clips(model, FRAMES, 4))
    unknown = list(iter_clips(model, iter(FRAMES), 4))
    assert summary(known) == summary(unknown)
    assert known[-1].frames and known[-1].tracks is not None
    assert not unknown[-1].frames and unknown[-1].start == NUM_FRAMES
    # A video left in the middle leaves no verdict to the next one.
    next(iter_clips(model, iter(FRAMES), 4))
    assert list(iter_clips(model, iter([]), 4)) == []


def test_nothing_is_read_ahead(models):
    asked = []

    def frames():
        for t, frame in enumerate(FRAMES):
            asked.append(t)
            yield frame

    walk = new_walk(models('mask2former'), 'mask2former')
    seen = 0
    for clip in walk.run(frames()):
        seen += len(clip.frames)
        assert asked == list(range(seen))  # 5, then 3 at a time
    assert seen == NUM_FRAMES


def test_scripted_tracks_are_linked_over_windows(tmp_path):
    left, right = (0, 0, 4, 4), (5, 4, 9, 8)
    script = [[(0.9, 0, left, 0), (0.8, 1, right, 1)]] * 6
    other = [[(0.9, 1, right, 0), (0.8, 0, left, 1)]] * 6
    frames = [np.zeros((8, 10, 3), np.uint8)] * 6
    model = init_vis_model(scripted_config(tmp_path / 'c.py', script))
    pipeline = build_frame_pipeline(model.cfg)
    for overlap, expected in (
        (2, {0: {left}, 1: {right}}),
        (0, {0: {left, right}, 1: {left, right}}),
    ):
        model.script = script
        clips = ClipWalk(model, pipeline, 4, overlap).run(frames)
        found = [next(clips)]
        model.script = other  # other numbers from the second clip on
        found += clips
        assert _boxes_by_id(found) == expected


def test_verdicts_about_one_clip_are_none_about_the_video(tmp_path):
    script = [[(0.9, 0, (0, 0, 4, 4), 0)]] * 4
    config = scripted_config(
        tmp_path / 'c.py', script, verdict=[(0, 0, 0, 0.5)]
    )
    model = init_vis_model(config)
    pipeline = build_frame_pipeline(model.cfg)
    frames = [np.zeros((8, 10, 3), np.uint8)] * 4
    for length, overlap, judged in ((3, 1, False), (None, 0, True)):
        clips = list(ClipWalk(model, pipeline, length, overlap).run(frames))
        assert (clips[-1].tracks is not None) == judged


def _boxes_by_id(clips):
    found = {}
    for clip in clips:
        for frame in clip.frames:
            boxes = tight_boxes(frame.masks).astype(int).tolist()
            for key, box in zip(frame.instances_id.tolist(), boxes):
                found.setdefault(key, set()).add(tuple(box))
    return found


def test_trackers_of_mmdet_keep_no_masks(models):
    model = models('mask_track_rcnn')
    assert is_online(model) and not is_online(models('mask2former'))
    sizes = []
    for _ in new_walk(model, 'mask_track_rcnn').run(iter(FRAMES)):
        for track in model.tracker.tracks.values():
            assert track['masks'] == []
            assert all(len(v) <= 1 for v in track.values())
        sizes.append(len(model.tracker.tracks))
    assert max(sizes) > 0
    state = video_state(model)
    assert set(state) == {'num_tracks', 'memo_items', 'tracks'}

    class Own(type(model.tracker)):
        """A tracker that may remember more."""

    model.tracker.__class__ = Own
    try:
        assert video_state(model) is None
        assert new_walk(model, 'mask_track_rcnn').state() is None
    finally:
        model.tracker.__class__ = Own.__mro__[1]


def test_memory_does_not_grow(models):
    model = models('idol')
    peaks = []
    for length in (10, 40):
        walk = new_walk(model, 'idol')
        frames = (FRAMES[t % NUM_FRAMES] for t in range(length))
        tracemalloc.start()
        for clip in walk.run(frames):
            del clip
        peaks.append(tracemalloc.get_traced_memory()[1])
        tracemalloc.stop()
    assert peaks[1] < 1.5 * peaks[0] + 1e5


@pytest.mark.parametrize('name', ['idol', 'mask2former', 'maskfreevis'])
def test_half_precision_on_the_cpu(models, name):
    model = models(name)
    pipeline = build_frame_pipeline(model.cfg)
    walk = ClipWalk(model, pipeline, *CLIPS[name], precision='bf16')
    seen = 0
    for clip in walk.run(FRAMES[:6]):
        for found in clip.frames:
            assert found.scores.dtype == found.bboxes.dtype == torch.float32
            seen += 1
    assert seen == 6


def test_what_a_model_cannot_compute_is_named(models):
    model = models('mask_track_rcnn')
    walk = ClipWalk(model, build_frame_pipeline(model.cfg), precision='bf16')
    with pytest.raises(ConfigError, match=r"not work in bf16.*'fp32'"):
        next(walk.run(FRAMES))
    with pytest.raises(RuntimeError, match='something else'):
        with autocast('bf16', torch.device('cpu')):
            raise RuntimeError('something else')


def test_bad_options(models):
    model = models('mask2former')
    for length, overlap in ((4, 4), (4, -1), (None, 2), (3, 9)):
        with pytest.raises(ConfigError, match=f'clip_overlap={overlap} does'):
            ClipWalk(model, None, length, overlap)
    with pytest.raises(ConfigError, match='clip_length=0 is not positive'):
        ClipWalk(model, None, 0)
    with pytest.raises(ConfigError, match="precision='int8' is unknown"):
        ClipWalk(model, None, precision='int8')
    with pytest.raises(ConfigError, match=r"fp16.*CPU.*'bf16'"):
        check_precision('fp16', torch.device('cpu'))
    check_precision('fp16', torch.device('cuda'))
