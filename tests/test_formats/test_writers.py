"""What every writer must do, and real masks through all of them."""

import json
import shutil
import signal
import subprocess
import sys
from contextlib import contextmanager
from pathlib import Path

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from pmvis_mm.formats import RESULT_WRITERS, write_mask_set
from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.structures.frame_reader import FrameReader
from pmvis_mm.structures.rle import area, decode
from pmvis_mm.utils.errors import OutputError

NAMES = ('mp4', 'webm', 'json', 'coco_video', 'mots', 'csv', 'png')


def _build(name, path, **kwargs):
    return RESULT_WRITERS.build(dict(type=name, path=path, **kwargs))


def test_all_names_are_registered_with_different_suffixes(tmp_path):
    suffixes = [_build(name, tmp_path).suffix for name in NAMES]
    assert sorted(suffixes) == sorted(
        ['.mp4', '.webm', '.json', '_coco.json', '.txt', '.csv', '_masks']
    )
    assert [n for n in NAMES if _build(n, tmp_path).needs_images] == [
        'mp4',
        'webm',
    ]


@pytest.mark.parametrize('name', NAMES)
def test_same_input_same_bytes_and_existing_files_are_replaced(
    clip, write, tmp_path, name
):
    path = tmp_path / ('bear' + _build(name, tmp_path).suffix)
    contents = []
    for _ in range(2):
        write(dict(type=name, path=str(path)), clip)
        files = [path] if path.is_file() else sorted(path.iterdir())
        contents.append([file.read_bytes() for file in files])
    if name != 'webm':  # has a random id in it
        assert contents[0] == contents[1]
    assert [p.name for p in tmp_path.iterdir()] == [path.name]


@pytest.mark.parametrize('name', NAMES)
def test_unwritable_targets_are_refused_before_any_work(clip, tmp_path, name):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OutputError, match='cannot write here') as error:
        _build(name, tmp_path / 'file' / 'a').start(clip.info, clip.classes)
    assert 'Fix: choose another output folder' in str(error.value)


@pytest.mark.parametrize('name', NAMES)
def test_a_name_that_is_too_long(clip, tmp_path, name):
    writer = _build(name, tmp_path / ('x' * 300))
    with pytest.raises(OutputError, match='cannot write here: File name too'):
        writer.start(clip.info, clip.classes)


@pytest.mark.parametrize('name', [n for n in NAMES if n != 'png'])
def test_a_folder_is_no_file(clip, tmp_path, name):
    (tmp_path / 'a').mkdir()
    with pytest.raises(OutputError, match='this is a folder'):
        _build(name, tmp_path / 'a').start(clip.info, clip.classes)
    assert [p.name for p in tmp_path.iterdir()] == ['a']


@pytest.mark.parametrize('name', NAMES)
def test_abort_leaves_the_old_result(clip, write, tmp_path, name):
    path = tmp_path / 'bear'
    path = tmp_path / f'bear{_build(name, path).suffix}'
    write(dict(type=name, path=path), clip)
    writer = _build(name, path)
    writer.abort()  # nothing was begun
    writer.start(clip.info, clip.classes)
    writer.add_frame(0, clip.instances[0], clip.images[0])
    writer.abort()
    assert [p.name for p in tmp_path.iterdir()] == [path.name]
    assert path.is_dir() or path.stat().st_size


@contextmanager
def _small_disk(limit):
    """Refuse files beyond a size, as a full disk does."""
    resource = pytest.importorskip('resource')
    old = resource.getrlimit(resource.RLIMIT_FSIZE)
    handler = signal.signal(signal.SIGXFSZ, signal.SIG_IGN)
    resource.setrlimit(resource.RLIMIT_FSIZE, (limit, old[1]))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, old)
        signal.signal(signal.SIGXFSZ, handler)


@pytest.mark.parametrize('name', NAMES)
def test_a_full_disk_is_a_typed_error(clip, write, tmp_path, name):
    with _small_disk(64):
        with pytest.raises(OutputError) as error:
            write(dict(type=name, path=tmp_path / 'a'), clip)
    assert 'Fix: ' in str(error.value)
    assert str(tmp_path / 'a') in str(error.value)


_KILLED = """
import os, signal, sys
import numpy as np
from mmengine.structures import InstanceData
from pmvis_mm.formats import RESULT_WRITERS
from pmvis_mm.structures import StreamInfo
from pmvis_mm.structures.rle import box_rle
found = InstanceData(
    instances_id=np.zeros(1, int), labels=np.zeros(1, int),
    scores=np.ones(1), bboxes=np.array([[0, 0, 8.0, 8]]),
    masks=[box_rle((0, 0, 8, 8), 24, 32)])
writers = [
    RESULT_WRITERS.build(dict(type=name, path=os.path.join(sys.argv[1], name)))
    for name in sys.argv[2:]]
for writer in writers:
    writer.start(StreamInfo('bear', 24, 32), ['cat'])
    for frame in range(50):
        writer.add_frame(frame, found, np.zeros((24, 32, 3), np.uint8))
os.kill(os.getpid(), signal.SIGKILL)
"""


def test_a_kill_leaves_no_half_result(clip, write, tmp_path):
    command = [sys.executable, '-c', _KILLED, str(tmp_path), *NAMES]
    assert subprocess.run(command).returncode == -signal.SIGKILL
    # Only videos begin before the end, under a hidden name.
    left = sorted(path.name for path in tmp_path.iterdir())
    assert left == ['.mp4.part.mp4', '.webm.part.webm']
    for name in NAMES:  # the next run uses that name
        write(dict(type=name, path=tmp_path / name), clip)
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(NAMES)


# ------------------------------------------------------------- real masks
_DAVIS = Path(__file__).parents[3] / 'shared/data/davis_mini'


@pytest.fixture(scope='module')
def davis(tmp_path_factory):
    if not (_DAVIS / 'instances.json').is_file():
        pytest.skip('the clips of davis_mini are not there')
    masks = PseudoMaskSet.load(_DAVIS / 'instances.json')
    video_id = max(masks.tracks, key=lambda key: len(masks.tracks[key]))
    root = tmp_path_factory.mktemp('davis')
    ids = [c['id'] for c in masks.categories]
    keep = dict(id_offset=0)
    writers = [
        _build('mp4', root / 'a.mp4'),
        _build('coco_video', root / 'coco.json', category_ids=ids, **keep),
        _build(
            'json',
            root / 'set.json',
            category_ids=ids,
            as_dataset=True,
            **keep,
        ),
        _build('png', root / 'png', **keep),
    ]
    for path in ('gt/clip/gt/gt.txt', 'tr/ours/data/clip.txt'):
        names = dict.fromkeys([c['name'] for c in masks.categories], 2)
        writers.append(
            _build('mots', root / path, class_ids=names, id_style='plain')
        )
    reader = FrameReader(masks.videos[video_id], _DAVIS / 'JPEGImages')
    write_mask_set(masks, video_id, writers, reader, fps=24.0)
    return root, masks, video_id


def test_davis_set_is_read_back(davis):
    root, masks, video_id = davis
    (tracks,) = PseudoMaskSet.load(root / 'set.json').tracks.values()
    truth = {track.id: track for track in masks.tracks[video_id]}
    assert len(tracks) == len(truth) >= 2
    for track in tracks:
        assert track.masks == truth[track.id].masks
        assert track.category_id == truth[track.id].category_id


def test_davis_through_pycocotools(davis):
    root, masks, video_id = davis
    coco = COCO(str(root / 'coco.json'))
    number = 0
    for track in masks.tracks[video_id]:
        for frame, mask in enumerate(track.masks):
            if mask is None:
                continue
            number += 1
            (found,) = [
                a
                for a in coco.loadAnns(coco.getAnnIds(imgIds=[frame + 1]))
                if a['track_id'] == track.id
            ]
            assert found['area'] == area(mask)
            np.testing.assert_array_equal(coco.annToMask(found), decode(mask))
    assert len(coco.anns) == number > 30


def test_davis_png_has_every_disjoint_mask(davis):
    root, masks, video_id = davis
    tracks = masks.tracks[video_id]
    files = sorted((root / 'png').iterdir())
    assert len(files) == masks.videos[video_id].length
    for frame, file in enumerate(files):
        with Image.open(file) as image:
            assert image.mode == 'P'
            pixels = np.asarray(image)
        dense = [
            np.zeros(pixels.shape, bool) if m is None else decode(m)
            for m in (track.masks[frame] for track in tracks)
        ]
        alone = np.sum(dense, axis=0) == 1
        for track, mask in zip(tracks, dense):
            np.testing.assert_array_equal(
                (pixels == track.id) & alone, mask & alone
            )
        np.testing.assert_array_equal(pixels > 0, np.any(dense, axis=0))


def test_davis_through_trackeval(davis):
    trackeval = pytest.importorskip('trackeval')
    root, masks, video_id = davis
    dataset = trackeval.datasets.MOTSChallenge(
        dict(
            GT_FOLDER=str(root / 'gt'),
            TRACKERS_FOLDER=str(root / 'tr'),
            TRACKERS_TO_EVAL=['ours'],
            SEQ_INFO={'clip': masks.videos[video_id].length},
            SKIP_SPLIT_FOL=True,
            PRINT_CONFIG=False,
        )
    )
    raw = dataset.get_raw_seq_data('ours', 'clip')
    data = dataset.get_preprocessed_seq_data(raw, 'pedestrian')
    result = trackeval.metrics.HOTA().eval_sequence(data)
    assert result['HOTA'].mean() == pytest.approx(1.0)
    assert data['num_gt_ids'] == len(masks.tracks[video_id])


def test_davis_video_has_every_frame(davis):
    if shutil.which('ffprobe') is None:
        pytest.skip('ffprobe is not installed')
    root, masks, video_id = davis
    command = ['ffprobe', '-v', 'error', '-count_frames', '-of', 'json']
    command += ['-show_streams', str(root / 'a.mp4')]
    done = subprocess.run(command, check=True, capture_output=True)
    (stream,) = json.loads(done.stdout)['streams']
    assert int(stream['nb_read_frames']) == masks.videos[video_id].length
    assert stream['avg_frame_rate'] == '24/1'
    assert (stream['width'], stream['height']) == (428, 240)
