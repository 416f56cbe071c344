"""From videos of every kind to files, also after a kill."""

import csv
import json
import shutil
import subprocess
from pathlib import Path

import cv2
import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import INFERENCERS
from pycocotools import mask as coco_mask

from pmvis_mm.apis import VISInferencer
from pmvis_mm.evaluation.metrics.predicted_track import PredictedTrack
from pmvis_mm.structures.rle import decode, tight_boxes
from pmvis_mm.testing.scripted_vis import scripted_config
from pmvis_mm.testing.tiny_idol import TINY_MODEL, tiny_idol_inferencer
from pmvis_mm.testing.tiny_maskfree import TINY_MASKFREE
from pmvis_mm.testing.videos import (
    count_frames,
    moving_frames,
    plain_prediction,
    write_mp4,
)
from pmvis_mm.utils.errors import (
    CheckpointError,
    ConfigError,
    FrameError,
    OutputError,
)

ROOT = Path(__file__).resolve().parents[2]
FRAMES = moving_frames(12)
CONFIG = ROOT / 'configs/idol/idol_r18_1xb4-2k_own.py'
DAVIS = ROOT.parent / 'shared/data/davis_mini/JPEGImages'
# Small and fast: OpenCV's VP9 encoder is slow.
MP4 = dict(type='mp4', codecs=['mp4v'], min_height=0)
LEFT, RIGHT = (0, 0, 4, 4), (5, 4, 9, 8)


@pytest.fixture(scope='module')
def inferencer():
    return tiny_idol_inferencer(CONFIG, seed=2)


@pytest.fixture
def scripted(tmp_path):
    script = [[(0.9, 0, LEFT, 4), (0.2, 1, RIGHT, 6)]] * 5
    config = scripted_config(tmp_path / 'scripted.py', script)
    return VISInferencer(config, device='cpu', show_progress=False)


SMALL = [np.full((8, 10, 3), 20 * t, np.uint8) for t in range(5)]


# ------------------------------------------------------------------- results
def test_scripted_results_are_what_was_scripted(scripted, tmp_path):
    found = scripted(SMALL, tmp_path / 'out', ('json', 'csv', MP4))
    (prediction,) = found['predictions']
    one, two = prediction.tracks
    assert (one.id, two.id) == (0, 1)  # linked over clips
    assert one.labels == (0,) and one.scores == pytest.approx((0.9,))
    assert one.frames.tolist() == list(range(5))
    assert tight_boxes(two.masks).tolist() == [list(RIGHT)] * 5
    names = [path.name for path in found['outputs']]
    assert names == ['video.json', 'video.csv', 'video.mp4']
    results = json.loads(found['outputs'][0].read_text())
    assert [row['score'] for row in results] == pytest.approx([0.9, 0.2])
    assert decode(results[0]['segmentations'][3])[:4, :4].all()
    assert count_frames(found['outputs'][2]) == 5
    with open(found['outputs'][1]) as file:
        assert len(list(csv.DictReader(file))) == 10
    assert found['visualization'] == []


def test_pictures_are_returned_and_thresholds_apply_to_them(scripted):
    everything, sure = (
        scripted(SMALL, return_vis=True, pred_score_thr=thr)['visualization']
        for thr in (0.1, 0.5)
    )
    ((picture, *rest),) = everything
    assert len(rest) == 4 and picture.dtype == np.uint8
    assert picture.shape[2] == 3
    assert not np.array_equal(picture, sure[0][0])
    (nothing,) = scripted(SMALL, return_vis=True, pred_score_thr=1.0)[
        'visualization'
    ]
    assert np.unique(nothing[2]).tolist() == [40]  # the frame itself


def test_several_videos_and_names(scripted, tmp_path):
    folder = tmp_path / 'clip'
    folder.mkdir()
    for t, frame in enumerate(SMALL):
        cv2.imwrite(str(folder / f'{t}.png'), frame)
    video = write_mp4(tmp_path / 'clip.mp4', SMALL)
    array = np.stack(SMALL)
    found = scripted([str(folder), video, array], tmp_path / 'o', ['json'])
    names = [path.name for path in found['outputs']]
    assert names == ['clip.json', 'clip_2.json', 'video.json']
    assert [p.length for p in found['predictions']] == [5, 5, 5]
    assert found['predictions'][0].info.file_names[1] == '1.png'
    ids = [json.loads(p.read_text())[0]['video_id'] for p in found['outputs']]
    assert ids == [1, 2, 3]
    paths = [str(folder / f'{t}.png') for t in range(3)]
    (single,) = scripted(paths)['predictions']  # images are one video
    assert single.length == 3


def test_iterate_is_lazy(scripted):
    asked = []

    def frames():
        for t, frame in enumerate(SMALL):
            asked.append(t)
            yield frame

    run = scripted.iterate(frames(), clip_length=2, clip_overlap=0)
    first = next(run)
    assert asked == [0, 1] and first.frame == 0
    assert np.array_equal(first.image, SMALL[0])
    with pytest.raises(FrameError, match='only 2 frames have been predicted'):
        assert run.tracks
    rest = list(run)
    assert [item.frame for item in rest] == [1, 2, 3, 4]
    assert run.length == 5 and len(list(run.tracks)) == 2
    short = scripted.iterate(SMALL, max_frames=2, with_images=False)
    assert [item.image for item in short] == [None, None]
    assert short.length == 2


def test_stopped_by_the_user(scripted):
    run = scripted.iterate(SMALL, clip_length=1, clip_overlap=0)
    next(run)
    run.stop()
    assert list(run) == [] and run.length == 1
    assert [t.frames.tolist() for t in run.tracks] == [[0], [0]]


def test_batches_and_progress_make_no_difference(inferencer, capsys):
    one = plain_prediction(inferencer(FRAMES, batch_size=1)['predictions'][0])
    assert len(one[0]) == 12 and one[1]
    inferencer.show_progress = True
    many = plain_prediction(
        inferencer(iter(FRAMES), batch_size=5)['predictions'][0]
    )
    inferencer.show_progress = False
    assert 'video' in capsys.readouterr().out
    # Scores of other batches differ in the last digits.
    for (t, ids, scores, masks), other in zip(one[0], many[0]):
        assert (t, ids, masks) == (other[0], other[1], other[3])
        assert scores == pytest.approx(other[2], abs=1e-5)
    assert [row[0] for row in one[1]] == [row[0] for row in many[1]]


def test_broken_videos(scripted, tmp_path):
    whole = write_mp4(tmp_path / 'whole.avi', SMALL * 8, codec='MJPG')
    content = Path(whole).read_bytes()
    cut = tmp_path / 'cut.avi'
    cut.write_bytes(content[: len(content) // 2])
    scripted.model.script = scripted.model.script * 8
    with pytest.raises(FrameError, match=r'ends after \d+ of about 40'):
        scripted(str(cut))
    (found,) = scripted(str(cut), on_error='stop')['predictions']
    assert 0 < found.length < 40
    empty = tmp_path / 'empty.mp4'
    empty.touch()
    # What came before is there.
    with pytest.raises(FrameError, match=r'is empty .*empty\.mp4'):
        scripted([whole, str(empty)], tmp_path / 'out', ['json'])
    assert (tmp_path / 'out/whole.json').exists()


# ----------------------------------------------------------------- all models
@pytest.mark.parametrize(
    'config', ['tiny_mask_track_rcnn.py', 'tiny_mask2former_video.py']
)
def test_models_of_mmdet(config, tmp_path):
    torch.manual_seed(0)
    path = ROOT / 'tests/data/configs' / config
    inferencer = VISInferencer(path, device='cpu', show_progress=False)
    options = {}
    if 'mask2former' in config:
        options = dict(clip_length=5, clip_overlap=2)
    found = inferencer(FRAMES, tmp_path, ['json', 'coco_video'], **options)
    (prediction,) = found['predictions']
    assert prediction.length == 12
    assert len(list(prediction.tracks)) > 0
    results = json.loads(found['outputs'][0].read_text())
    assert {len(row['segmentations']) for row in results} == {12}
    if options:
        whole = inferencer(FRAMES[:4], clip_length=None)['predictions'][0]
        assert whole.length == 4


@pytest.mark.parametrize(
    'config, tiny',
    [
        ('idol_boxinst/idol-boxinst_r18_1xb4-2k_own-box.py', TINY_MODEL),
        ('pm_vis/pm-vis_r18_1xb4-2k_own-pseudo.py', TINY_MODEL),
        ('pm_vis/pm-vis-tk_r18_1xb4-2k_own-pseudo.py', TINY_MODEL),
        ('maskfreevis/maskfreevis_r18_1xb4-1k_own-box.py', TINY_MASKFREE),
    ],
)
def test_models_of_ours(config, tiny, tmp_path):
    cfg = Config.fromfile(ROOT / 'configs' / config)
    cfg.merge_from_dict(dict(model=tiny))
    torch.manual_seed(0)
    inferencer = VISInferencer(cfg, device='cpu', show_progress=False)
    found = inferencer(FRAMES[:4], tmp_path, ['json'])
    (prediction,) = found['predictions']
    assert prediction.length == 4
    results = json.loads(found['outputs'][0].read_text())
    assert len(results) == sum(len(t.labels) for t in prediction.tracks)


def test_half_precision(inferencer):
    with pytest.raises(ConfigError, match=r"'fp16' does not work on a CPU"):
        inferencer(FRAMES, precision='fp16')
    (found,) = inferencer(FRAMES[:3], precision='bf16')['predictions']
    assert found.length == 3


# -------------------------------------------------------------------- building
def test_models_by_name_and_from_checkpoints(inferencer, tmp_path):
    assert INFERENCERS.get('VISInferencer') is VISInferencer
    cfg, weights = inferencer._load_model_from_metafile('IDOL_R18_1xb4-2k_own')
    assert cfg.model.type == 'IDOL' and weights is None
    with pytest.raises(ConfigError, match="'nonsense' is neither a config"):
        VISInferencer('nonsense')
    with pytest.raises(ConfigError, match='neither a model nor weights'):
        VISInferencer()
    with pytest.raises(CheckpointError, match='does not exist'):
        VISInferencer(CONFIG, tmp_path / 'none.pth')
    path = tmp_path / 'model.pth'
    meta = dict(
        cfg='a = 1', dataset_meta=dict(classes=('x',), category_ids=(7,))
    )
    torch.save(dict(state_dict={}, meta={}), path)
    with pytest.raises((ConfigError, CheckpointError)):
        VISInferencer(weights=path)
    config = scripted_config(tmp_path / 's.py', [[(0.9, 0, LEFT)]])
    meta['cfg'] = Path(config).read_text()
    weights = dict(scale=torch.ones(1))
    torch.save(dict(state_dict=weights, meta=meta), path)
    found = VISInferencer(weights=path, device='cpu', show_progress=False)
    assert found.classes == ('x',)
    (out,) = found(SMALL[:1], tmp_path / 'o', ['json'])['outputs']
    assert json.loads(out.read_text())[0]['category_id'] == 7


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(batchsize=3), r"\['batchsize'\] are unknown.*batch_size"),
        (dict(batch_size=0), 'batch_size=0 is out of range'),
        (dict(max_frames=0), 'max_frames=0 is out of range'),
        (dict(batch_size='4'), "batch_size='4' is out of range"),
        (dict(batch_size=1.5), 'batch_size=1.5 is out of range'),
        (dict(clip_length=2.5), 'clip_length=2.5 is no number of frames'),
        (dict(clip_overlap='1'), "clip_overlap='1' is no number of frames"),
        (dict(link_thr='a'), "link_thr='a' is no number"),
        (dict(clip_length=4), 'links frames by itself.*set batch_size'),
        (dict(on_error='skip'), "on_error='skip' is unknown"),
        (dict(precision='int4'), "precision='int4' is unknown"),
    ],
)
def test_bad_options(inferencer, options, message):
    with pytest.raises(ConfigError, match=message):
        inferencer(FRAMES, **options)


def test_bad_formats(scripted, tmp_path):
    with pytest.raises(ConfigError, match="format 'gif' is unknown.*'mp4'"):
        scripted(SMALL, tmp_path, ['gif'])
    with pytest.raises(ConfigError, match=r'several formats write .*\.json'):
        scripted(SMALL, tmp_path, ['json', 'json'])
    with pytest.raises(ConfigError, match="clip_length='long' is no number"):
        scripted(SMALL, clip_length='long')
    with pytest.raises(FrameError, match='the video has no frame'):
        scripted([])
    (path,) = scripted(SMALL, tmp_path, 'json')['outputs']  # a single one
    assert path.name == 'video.json'


@pytest.mark.parametrize('resume', [True, False])
def test_a_file_in_place_of_the_folder(scripted, tmp_path, resume):
    path = tmp_path / 'file'
    path.write_text('')
    with pytest.raises(OutputError, match='journal cannot be'):
        scripted(SMALL, path, 'json', resume=resume)


def test_tracks_are_those_of_the_metric(tmp_path):
    # Two detections of one id in a frame, as MaskTrack R-CNN may give.
    rows = [(0.9, 0, LEFT, 1), (0.8, 0, RIGHT, 1)]
    config = scripted_config(tmp_path / 'c.py', [rows] * 2)
    inferencer = VISInferencer(config, device='cpu', show_progress=False)
    prediction = inferencer(SMALL[:2], clip_length=None)['predictions'][0]
    (track,) = prediction.tracks
    judged = PredictedTrack()
    for frame, found in prediction.frames():
        for score, mask in zip(found.scores.tolist(), found.masks):
            judged.add(frame, 0, score, mask)
    assert list(track.masks) == list(judged.masks.values())
    assert track.bboxes.tolist() == [list(RIGHT)] * 2
    assert tight_boxes(track.masks).tolist() == [list(RIGHT)] * 2
    assert track.scores == pytest.approx([judged.score('mean')])


def test_windows_need_a_screen(scripted, monkeypatch):
    def imshow(*args):
        raise cv2.error('no screen')

    monkeypatch.setattr(cv2, 'imshow', imshow)
    with pytest.raises(OutputError, match='no window can be opened'):
        scripted(SMALL, show=True)
    shown = []
    monkeypatch.setattr(cv2, 'imshow', lambda name, image: shown.append(name))
    monkeypatch.setattr(cv2, 'waitKey', lambda delay: ord('q'))
    found = scripted(SMALL, show=True, clip_length=1, clip_overlap=0)
    assert shown == ['video'] and found['predictions'][0].length == 1


# ------------------------------------------------------------------ real video
def test_real_clip_and_the_mp4_made_from_it(inferencer, tmp_path):
    if not DAVIS.is_dir():
        pytest.skip('the sample clips of DAVIS are not here')
    clip = tmp_path / 'clip'
    clip.mkdir()
    source = sorted(path for path in DAVIS.iterdir() if path.is_dir())[0]
    names = sorted(source.iterdir())[:6]
    for path in names:
        shutil.copy(path, clip)
    images = [cv2.imread(str(path)) for path in names]
    height, width = images[0].shape[:2]
    width -= width % 2  # as codecs want it
    video = write_mp4(
        tmp_path / 'from_clip.mp4', [image[:, :width] for image in images]
    )
    found = inferencer(
        [str(clip), video], tmp_path / 'out', ['json', MP4], batch_size=3
    )
    sizes = [images[0].shape[:2], (height, width)]
    for prediction, size in zip(found['predictions'], sizes):
        assert prediction.length == 6
        assert (prediction.info.height, prediction.info.width) == size
        tracks = list(prediction.tracks)
        masks = [mask for track in tracks for mask in track.masks]
        assert masks and all(mask['size'] == list(size) for mask in masks)
        _check_files(tmp_path / 'out' / prediction.info.name, size, tracks)
    # The same pictures but for the compression: most labels are the same.
    labels = [
        set(next(p.frames())[1].labels.tolist()) for p in found['predictions']
    ]
    assert labels[0] & labels[1]


def _check_files(stem, size, tracks):
    """Read what was written with tools of others."""
    results = json.loads(Path(f'{stem}.json').read_text())
    assert len(results) == sum(len(track.labels) for track in tracks)
    for row in results:
        dense = [coco_mask.decode(m) for m in row['segmentations'] if m]
        assert dense and all(m.shape == size and m.any() for m in dense)
    if shutil.which('ffprobe') is None:
        return
    shown = subprocess.run(
        ['ffprobe', '-v', 'error', '-count_frames', '-of', 'json']
        + ['-show_entries', 'stream=nb_read_frames,height', f'{stem}.mp4'],
        stdout=subprocess.PIPE,
        check=True,
    )
    (stream,) = json.loads(shown.stdout)['streams']
    assert stream['nb_read_frames'] == '6' and stream['height'] == size[0]
