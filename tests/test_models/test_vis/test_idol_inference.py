"""Streaming inference: chunks, batches and videos make no difference."""

import pickle
from pathlib import Path

import pytest
import torch

from pmvis_mm.structures.rle import decode
from pmvis_mm.testing.tiny_idol import join, random_clip, tiny_idol
from pmvis_mm.utils.errors import ConfigError, FrameError

CONFIG = (
    Path(__file__).resolve().parents[3]
    / 'configs/idol/idol_r18_1xb4-2k_own.py'
)
NUM_FRAMES = 23


@pytest.fixture(scope='module')
def model():
    return tiny_idol(CONFIG, seed=3).eval()


def predict(model, batch):
    data = model.data_preprocessor(batch, False)
    with torch.no_grad():
        return model(**data, mode='predict')


def video(video_id=1, size=(64, 96), seed=0, length=NUM_FRAMES):
    return random_clip(size, ((),) * length, seed, video_id, False)


def frames_of(batch):
    """The same video, one frame per clip, as a frame-wise sampler gives."""
    frames = batch['inputs'][0]
    (clip,) = batch['data_samples']
    singles = []
    for t, sample in enumerate(clip):
        single = clip.new()
        single.video_data_samples = [sample.clone()]
        singles.append(dict(inputs=[frames[t : t + 1]], data_samples=[single]))
    return singles


def summary(clips):
    """What was found: per frame, and for the whole videos."""
    frames, verdicts = [], []
    for clip in clips:
        for sample in clip:
            found = sample.pred_track_instances
            frames.append(
                (
                    found.instances_id.tolist(),
                    found.labels.tolist(),
                    [mask['counts'] for mask in found.masks],
                )
            )
        if 'pred_tracks' in clip:
            tracks = clip.pred_tracks
            verdicts.append(
                (
                    tracks.instances_id.tolist(),
                    tracks.start_frames.tolist(),
                    tracks.labels.tolist(),
                    [round(score, 4) for score in tracks.scores.tolist()],
                )
            )
    return frames, verdicts


def test_case_24_every_chunk_size_gives_the_same(model):
    results = []
    for chunk_size in (10, 1, 4):
        model.test_cfg['chunk_size'] = chunk_size
        results.append(summary(predict(model, video())))
    frames, (tracks,) = results[0]
    assert len(frames) == NUM_FRAMES and tracks[0]
    assert any(ids for ids, _, _ in frames[1:])
    assert results[1] == results[0] and results[2] == results[0]


def test_frames_one_by_one_give_the_same(model):
    whole = summary(predict(model, video()))
    singles = [predict(model, batch)[0] for batch in frames_of(video())]
    assert summary(singles) == whole
    assert 'pred_tracks' not in singles[0] and 'pred_tracks' in singles[-1]


def test_batches_across_videos_of_different_size(model):
    one, two = video(1), video(2, (48, 112), seed=5, length=4)
    expected = [summary(predict(model, v)) for v in (one, two)]
    singles = [*frames_of(video(1)), *frames_of(video(2, (48, 112), 5, 4))]
    found = []
    for start in range(0, len(singles), 10):
        found += predict(model, join(*singles[start : start + 10]))
    assert summary(found) == (
        expected[0][0] + expected[1][0],
        expected[0][1] + expected[1][1],
    )


def test_predictions_are_in_the_original_frame(model):
    batch = video(length=2)
    for sample in batch['data_samples'][0]:
        sample.set_metainfo(dict(ori_shape=(100, 150)))
    (clip,) = predict(model, batch)
    found = clip[0].pred_track_instances
    assert len(found) > 0
    assert all(decode(mask).shape == (100, 150) for mask in found.masks)
    assert found.bboxes[:, 2].max() <= 150 * 1.5 and found.bboxes.shape[1] == 4
    assert (found.scores > 0.1).all()


def test_a_video_shown_again_starts_anew(model):
    first = summary(predict(model, video(length=3)))
    assert summary(predict(model, video(length=3))) == first
    # Left in the middle: the next one does not inherit its tracks.
    predict(model, frames_of(video(7, seed=9))[0])
    assert summary(predict(model, video(length=3))) == first


def test_case_21_masks_follow_the_reference_not_the_box():
    model = tiny_idol(CONFIG).eval()
    batch = video(length=1)
    outputs = []
    for shift in (0.0, 0.3):
        last = model.detector.bbox_head.reg_branches[-1][-1]
        torch.nn.init.constant_(last.bias, shift)
        data = model.data_preprocessor(batch, False)
        with torch.no_grad():
            detector = model.detector
            out = detector.forward_frames(
                detector.extract_feat(data['inputs'][0]),
                list(data['data_samples'][0]),
            )
            _, boxes = detector.bbox_head.predict_raw(
                out.hidden_states, out.references
            )
            masks = model.mask_head.predict_masks(
                model.mask_head(out.memory)[0],
                out.hidden_states[-1, 0],
                out.references[-2][0, :, :2] * 64,
            )
        outputs.append((boxes, masks))
    assert torch.equal(outputs[0][1], outputs[1][1])
    assert not torch.equal(outputs[0][0], outputs[1][0])


def test_one_frame_video(model):
    (clip,) = predict(model, video(length=1))
    assert 'pred_tracks' in clip and len(clip.pred_tracks) > 0


def test_nothing_found(model):
    quiet = tiny_idol(CONFIG, dict(tracker=dict(init_score_thr=1.0))).eval()
    (clip,) = predict(quiet, video(length=2))
    assert len(clip.pred_tracks) == 0
    found = clip[1].pred_track_instances
    assert len(found) == 0 and found.masks == []


def test_frames_differ_in_size(model):
    batch = video(length=3)
    batch['data_samples'][0][2].set_metainfo(
        dict(ori_shape=(10, 10), img_path='v/2.jpg')
    )
    with pytest.raises(FrameError, match=r'\(10, 10\).*v/2.jpg.*frame 2'):
        predict(model, batch)


def test_no_tracker():
    model = tiny_idol(CONFIG, dict(tracker=None)).eval()
    with pytest.raises(ConfigError, match='no tracker'):
        predict(model, video(length=1))


def test_state_does_not_grow_with_the_video(model):
    """No mask and no frame is kept, only embeddings of live tracks."""
    sizes = []
    for batch in frames_of(video(3, seed=2, length=40)):
        predict(model, batch)
        if model._video is not None:
            sizes.append(len(pickle.dumps((model._video, model.tracker))))
    one_frame = 64 * 96 * 3
    assert sizes[-1] - sizes[9] < one_frame  # after 29 more frames
