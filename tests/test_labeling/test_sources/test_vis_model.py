import numpy as np
import pytest
import torch

from pmvis_mm.registry import MODELS
from pmvis_mm.structures.rle import decode
from pmvis_mm.testing.scripted_vis import (
    SIZE,
    make_video,
    prior_of,
    scripted_config,
)
from pmvis_mm.utils.errors import CheckpointError, ConfigError

LEFT, RIGHT = (0, 0, 4, 8), (6, 0, 10, 8)


def dense(*box):
    x0, y0, x1, y1 = box
    mask = np.zeros(SIZE, bool)
    mask[y0:y1, x0:x1] = True
    return mask


@pytest.fixture
def write_config(tmp_path):
    def write(script, **kwargs):
        return scripted_config(tmp_path / 'scripted.py', script, **kwargs)

    return write


def build(config, **kwargs):
    return MODELS.build(
        dict(type='VISModelSource', config=config, **kwargs)
    ).eval()


def label(source, video):
    (result,) = source.test_step([video])
    return result.tracks


def test_masks_go_to_their_boxes_with_scm_as_score(write_config):
    script = [
        # The right one first; a duplicate of lower fit; one below score_thr.
        [(0.9, 0, RIGHT), (0.8, 0, LEFT), (0.9, 0, (0, 0, 4, 4))],
        [(0.9, 0, (0, 0, 4, 6)), (0.04, 0, RIGHT)],
    ]
    video = make_video([[LEFT, LEFT], [RIGHT, RIGHT]])
    video.priors['prompted'] = prior_of(
        video, [[dense(*LEFT)] * 2, [dense(*RIGHT)] * 2]
    )
    source = build(write_config(script), reference='prompted')
    first, second = label(source, video)
    assert (decode(first.masks[0]) == dense(*LEFT)).all()
    assert (decode(second.masks[0]) == dense(*RIGHT)).all()
    assert first.scores[0] == second.scores[0] == 1
    assert first.sources == ['ibm', 'ibm'] and first.category_id == 7
    # IoU of masks 24 / 32, of boxes 24 / 32 and 1.
    assert first.scores[1] == pytest.approx(0.75**2)
    assert second.masks[1] is None and second.sources[1] is None
    assert (first.id, second.id) == (0, 1)


def test_filled_boxes_stand_in_for_a_reference(write_config):
    script = [[(0.5, 0, (0, 0, 2, 8))], []]
    (track,) = label(build(write_config(script)), make_video([[LEFT, LEFT]]))
    # IoU of mask and box 16 / 32, of boxes 16 / 32 and 1.
    assert track.scores == [pytest.approx(0.25), None]
    assert (decode(track.masks[0]) == dense(0, 0, 2, 8)).all()


def test_no_reference_mask_no_mask(write_config):
    script = [[(0.9, 0, LEFT)], [(0.9, 0, LEFT)]]
    video = make_video([[LEFT, LEFT], [None, LEFT]])
    video.priors['prompted'] = prior_of(
        video, [[None, dense(*LEFT)], [None, None]]
    )
    source = build(write_config(script), reference='prompted')
    first, second = label(source, video)
    assert [m is None for m in first.masks] == [True, False]
    assert second.num_masks == 0
    del video.priors['prompted'][1]  # a source without that instance
    assert label(source, video)[1].num_masks == 0


@pytest.mark.parametrize('clip_length', [1, 2, None])
def test_model_sees_frames_without_boxes(write_config, clip_length):
    script = [[], [(0.9, 0, LEFT)], [(0.9, 0, LEFT)]]
    video = make_video([[None, LEFT, None]])
    source = build(write_config(script), clip_length=clip_length)
    (track,) = label(source, video)
    assert source.model.seen == [0, 1, 2]
    assert [m is None for m in track.masks] == [True, False, True]


def test_video_without_instances(write_config):
    video = make_video([[LEFT]])
    video.tracks.clear()
    assert label(build(write_config([[(0.9, 0, LEFT)]])), video) == []


def test_classes_count_only_if_asked_for(write_config):
    # Label 0 is category 3: the wrong class for instance 0.
    script = [[(0.9, 0, LEFT), (0.9, 1, (0, 0, 4, 7))]]
    video = make_video([[LEFT]])
    (track,) = label(build(write_config(script)), video)
    assert track.scores[0] == 1
    strict = build(
        write_config(script),
        assign=dict(require_label=True),
        category_ids=(3, 7),
    )
    (track,) = label(strict, video)
    assert (decode(track.masks[0]) == dense(0, 0, 4, 7)).all()
    few = build(
        write_config(script),
        assign=dict(require_label=True),
        category_ids=[3],
    )
    with pytest.raises(ConfigError, match='label 1, which has no category'):
        label(few, video)


def test_options_reach_the_assignment(write_config):
    halves = [[(0.9, 0, (0, 0, 4, 4)), (0.9, 0, (0, 4, 4, 8))]]
    video = make_video([[LEFT]])
    (track,) = label(
        build(write_config(halves), assign=dict(method='union')), video
    )
    assert (decode(track.masks[0]) == dense(*LEFT)).all()
    (track,) = label(
        build(write_config(halves), assign=dict(min_scm=0.25)), video
    )
    assert track.masks == [None]  # SCM is 0.5 * 0.5, not more


def test_bad_input_is_named(write_config, tmp_path):
    config = write_config([[(0.9, 0, (0, 0, 2, 2))]], size=(4, 4))
    with pytest.raises(ConfigError, match=r"unknown options \['metod'\]"):
        build(config, assign=dict(metod='greedy'))
    with pytest.raises(ConfigError, match=r"assign\.method='best' is"):
        build(config, assign=dict(method='best'))
    with pytest.raises(ConfigError, match='give category_ids'):
        build(config, assign=dict(require_label=True))
    with pytest.raises(ConfigError, match='config not found'):
        build(str(tmp_path / 'none.py'))
    with pytest.raises(CheckpointError, match='does not exist'):
        build(config, checkpoint=str(tmp_path / 'none.pth'))
    video = make_video([[LEFT]])
    with pytest.raises(ConfigError, match=r"no masks named 'prompted'"):
        label(build(config, reference='prompted'), video)
    with pytest.raises(ConfigError, match=r'\[4, 4\], the frames.*frame 0'):
        label(build(config), video)


def test_with_a_real_model(repo_root, tmp_path):
    config = str(repo_root / 'tests/data/configs/tiny_mask_track_rcnn.py')
    torch.manual_seed(0)
    teacher = build(config, score_thr=0.0)
    path = tmp_path / 'teacher.pth'
    torch.save(
        dict(
            state_dict=teacher.model.state_dict(),
            meta=dict(dataset_meta=dict(category_ids=(3, 7))),
        ),
        path,
    )
    source = build(config, checkpoint=str(path), score_thr=0.0)
    assert source.category_ids.tolist() == [3, 7]
    source.init_weights()  # must not undo the checkpoint
    full = (0, 0, 56, 40)
    video = make_video([[full] * 2, [None, full]], size=(40, 56))
    tracks = label(source, video)
    assert tracks[0].num_masks > 0
    for track, same in zip(tracks, label(teacher, video)):
        assert track == same
        for mask, score in zip(track.masks, track.scores):
            assert (mask is None) == (score is None)
            assert mask is None or (mask['size'] == [40, 56] and score > 0)
    assert tracks[1].masks[0] is None
