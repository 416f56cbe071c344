"""Packed frames are those of the annotation file, also after a kill."""

import json
import tarfile

import numpy as np
import pytest
from PIL import Image

from pmvis_mm.datasets import VISDataset, frame_writers
from pmvis_mm.datasets import frame_packing as packing
from pmvis_mm.datasets.frame_packing import PackingOptions, pack_frames
from pmvis_mm.structures import VideoAnnotations, rle
from pmvis_mm.structures.frame_reader import FrameReader
from pmvis_mm.testing.videos import moving_frames
from pmvis_mm.utils.errors import (
    AnnotationError,
    ConfigError,
    FrameError,
    OutputError,
)

SIZE = (64, 96)
BACKENDS = dict(tar='tar', lmdb='frames_lmdb')


@pytest.fixture
def data(tmp_path):
    """Two videos, one of PNGs and one of JPEGs; a file nobody names."""
    root = tmp_path / 'frames Ü'
    mask = np.zeros(SIZE, bool)
    mask[10:30, 20:60] = True
    videos, tracks = [], []
    for video, suffix in ((3, 'png'), (1, 'jpg')):
        names = [f'v {video}/{t:03d}.{suffix}' for t in range(4)]
        for name, frame in zip(names, moving_frames(4, SIZE, seed=video)):
            path = root / name
            path.parent.mkdir(parents=True, exist_ok=True)
            Image.fromarray(frame).save(path)
        videos.append(
            dict(id=video, width=96, height=64, length=4, file_names=names)
        )
        tracks.append(
            dict(
                id=video,
                video_id=video,
                category_id=1,
                bboxes=[[20, 10, 40, 20], None, [20, 10, 40, 20], None],
                segmentations=[rle.encode(mask), None, None, None],
                areas=[800, None, 800, None],
            )
        )
    (root / 'v 3/extra.png').write_bytes(b'')
    ann_file = tmp_path / 'ann.json'
    content = dict(
        info=dict(year=2026),
        videos=videos,
        categories=[dict(id=1, name='person')],
        annotations=tracks,
    )
    ann_file.write_text(json.dumps(content))
    return str(ann_file), str(root)


def readers(ann_file, root, storage, out):
    """Readers of the files and of the storage."""
    args = dict(backend=BACKENDS[storage], path=out, root=root)
    for video in VideoAnnotations.from_file(ann_file).videos.values():
        yield FrameReader(video, root), FrameReader(video, root, args)


def check_same(data, storage, out):
    for files, packed in readers(*data, storage, out):
        packed.check_exists()
        for t in range(len(files)):
            np.testing.assert_array_equal(packed[t], files[t])


CASES = [('tar', None), ('tar', 20_000), ('tar', 1), ('lmdb', None)]


@pytest.mark.parametrize('storage, shard_size', CASES)
def test_frames_are_the_same(data, tmp_path, storage, shard_size):
    if storage == 'lmdb':
        pytest.importorskip('lmdb')
    out = str(tmp_path / f'out.{storage}')
    seen = []
    report = pack_frames(
        *data,
        out,
        storage,
        shard_size,
        progress=lambda done, total: seen.append((done, total)),
    )
    assert report == packing.PackingReport(8, 0, 0, None)
    assert seen == [(number, 8) for number in range(1, 9)]
    check_same(data, storage, out)
    names = {path.name for path in tmp_path.iterdir()}
    assert not [n for n in names if 'partial' in n or 'packing' in n]


def test_tar_is_read_by_tarfile_in_order(data, tmp_path):
    out = tmp_path / 'out.tar'
    pack_frames(*data, str(out))
    with tarfile.open(out) as tar:
        members = tar.getmembers()
        names = [member.name for member in members]
        assert names == [
            f'v {v}/{t:03d}.{s}'
            for v, s in ((3, 'png'), (1, 'jpg'))
            for t in range(4)
        ]
        for name in names:
            with open(f'{data[1]}/{name}', 'rb') as file:
                assert tar.extractfile(name).read() == file.read()
    assert out.stat().st_size % 10240 == 0


def test_shards_hold_so_many_bytes(data, tmp_path):
    out = tmp_path / 'shards'
    pack_frames(*data, str(out), shard_size=20_000)
    shards = sorted(out.glob('*.tar'))
    assert len(shards) > 1 and shards[0].name == 'frames-00000.tar'
    for shard in shards:
        assert shard.stat().st_size <= 20_000 + 11_000  # end of archive
        (out / (shard.name + '.index.json')).unlink()
    check_same(data, 'tar', str(out))  # found by a walk over the headers


@pytest.mark.parametrize('storage, shard_size', CASES)
@pytest.mark.parametrize('kill_at', [1, 4, 8])
def test_a_killed_run_goes_on(
    data, tmp_path, storage, shard_size, kill_at, monkeypatch
):
    if storage == 'lmdb':
        pytest.importorskip('lmdb')
    out = str(tmp_path / 'out')
    content, asked = packing._content, []

    def killed(video, t, *rest):
        asked.append((video.id, t))
        if len(asked) == kill_at:
            raise KeyboardInterrupt
        return content(video, t, *rest)

    monkeypatch.setattr(packing, '_content', killed)
    with pytest.raises(KeyboardInterrupt):
        pack_frames(*data, out, storage, shard_size)
    assert not (tmp_path / 'out').exists()
    report = pack_frames(*data, out, storage, shard_size)
    assert report.num_found == kill_at - 1 and report.num_frames == 8
    assert len(asked) == 8 + 1  # none is read twice but the one in between
    check_same(data, storage, out)


def test_half_a_member_is_written_again(data, tmp_path, monkeypatch):
    """As after a loss of power."""
    out = str(tmp_path / 'out.tar')
    content = packing._content

    def killed(video, t, *rest):
        if (video.id, t) == (1, 1):
            raise KeyboardInterrupt
        return content(video, t, *rest)

    monkeypatch.setattr(packing, '_content', killed)
    with pytest.raises(KeyboardInterrupt):
        pack_frames(*data, out)
    monkeypatch.setattr(packing, '_content', content)
    partial = tmp_path / 'out.tar.partial/frames-00000.tar'
    size = partial.stat().st_size
    with open(partial, 'r+b') as file:
        file.truncate(size - 700)
    report = pack_frames(*data, out)
    assert report.num_found == 4
    check_same(data, 'tar', out)


def test_other_options_do_not_go_on(data, tmp_path, monkeypatch):
    out = str(tmp_path / 'out.tar')

    content = packing._content

    def killed(video, t, *rest):
        if t == 1:
            raise KeyboardInterrupt
        return content(video, t, *rest)

    monkeypatch.setattr(packing, '_content', killed)
    with pytest.raises(KeyboardInterrupt):
        pack_frames(*data, out)
    with pytest.raises(OutputError, match='with other options was begun'):
        pack_frames(*data, out, options=PackingOptions(short_edge=32))


@pytest.mark.parametrize('storage, shard_size', CASES)
def test_a_run_killed_after_its_result_appeared(
    data, tmp_path, storage, shard_size, monkeypatch
):
    if storage == 'lmdb':
        pytest.importorskip('lmdb')
    out = str(tmp_path / 'out')

    unlink = packing.Path.unlink

    def killed(path, *rest, **more):
        if path.name.endswith('.packing.json'):  # goes last
            raise RuntimeError('killed')
        unlink(path, *rest, **more)

    with monkeypatch.context() as patch:
        patch.setattr(packing.Path, 'unlink', killed)
        with pytest.raises(RuntimeError, match='killed'):
            pack_frames(*data, out, storage, shard_size)
    report = pack_frames(*data, out, storage, shard_size)
    assert report.num_found == report.num_frames == 8
    left = [path.name for path in tmp_path.glob('out*')]
    assert not [name for name in left if 'partial' in name or 'pack' in name]
    assert not list((tmp_path / 'out').glob('*partial*'))
    check_same(data, storage, out)
    with pytest.raises(OutputError, match='output exists'):
        pack_frames(*data, out, storage, shard_size)


def test_a_run_killed_while_it_wrote_the_index(data, tmp_path, monkeypatch):
    out = str(tmp_path / 'out.tar')

    def killed(archive, _):
        (tmp_path / (archive + '.index.json.tmp')).write_text('{')
        raise RuntimeError('killed')

    with monkeypatch.context() as patch:
        patch.setattr(frame_writers, 'write_tar_index', killed)
        with pytest.raises(RuntimeError, match='killed'):
            pack_frames(*data, out)
    assert pack_frames(*data, out).num_found == 8
    assert not (tmp_path / 'out.tar.partial').exists()
    check_same(data, 'tar', out)


def test_another_folder_does_not_go_on(data, tmp_path, monkeypatch):
    """Two datasets may have the same names."""
    out = str(tmp_path / 'out.tar')
    with pytest.raises(FrameError, match='does not exist'):
        pack_frames(data[0], str(tmp_path / 'typo'), out)
    content = packing._content  # nothing was packed: the folder may change

    def killed(video, t, *rest):
        if t == 2:
            raise RuntimeError('killed')
        return content(video, t, *rest)

    with monkeypatch.context() as patch:
        patch.setattr(packing, '_content', killed)
        with pytest.raises(RuntimeError, match='killed'):
            pack_frames(*data, out)
    with pytest.raises(OutputError, match='from another folder'):
        pack_frames(data[0], str(tmp_path / 'typo'), out)
    assert pack_frames(*data, out).num_found == 2


def test_existing_output_is_kept(data, tmp_path):
    out = tmp_path / 'out.tar'
    out.write_text('mine')
    with pytest.raises(OutputError, match='output exists'):
        pack_frames(*data, str(out))
    assert out.read_text() == 'mine'


# -------------------------------------------------------------- other sizes
def test_smaller_frames_and_annotations(data, tmp_path):
    out = str(tmp_path / 'small.tar')
    options = PackingOptions(short_edge=32, image_format='png')
    report = pack_frames(*data, out, options=options)
    assert report.num_encoded == 8
    assert report.ann_file == str(tmp_path / 'small.json')
    annotations = VideoAnnotations.from_file(report.ann_file, with_masks=True)
    video = annotations.videos[3]
    assert (video.height, video.width) == (32, 48)
    track = annotations.tracks[3][0]
    assert track.boxes == [(10, 5, 30, 15), None, (10, 5, 30, 15), None]
    expected = np.zeros((32, 48), bool)
    expected[5:15, 10:30] = True
    np.testing.assert_array_equal(rle.decode(track.segmentations[0]), expected)
    content = json.loads((tmp_path / 'small.json').read_text())
    assert content['annotations'][0]['areas'] == [200, None, 200, None]
    assert content['info'] == dict(year=2026)
    args = dict(backend='tar', path=out, root=data[1])
    found = FrameReader(video, data[1], args)[2]
    with Image.open(f'{data[1]}/v 3/002.png') as image:
        small = image.resize((48, 32), Image.Resampling.BILINEAR)
    np.testing.assert_array_equal(found[..., ::-1], np.asarray(small))


def test_frames_are_never_enlarged(data, tmp_path):
    out = str(tmp_path / 'same.tar')
    report = pack_frames(*data, out, options=PackingOptions(short_edge=64))
    assert report.num_encoded == 0
    check_same(data, 'tar', out)
    with open(data[0]) as old, open(report.ann_file) as new:
        assert json.load(old) == json.load(new)


@pytest.mark.usefixtures('default_scope')
def test_training_reads_them(data, tmp_path):
    """The dataset and its pipeline, with nothing but backend_args changed."""
    out = str(tmp_path / 'out.tar')
    pack_frames(*data, out)
    args = dict(backend='tar', path=out, root=data[1])
    images = []
    for backend_args in (None, args):
        dataset = VISDataset(
            data[0],
            data_prefix=dict(img_path=data[1]),
            backend_args=backend_args,
            test_mode=True,
            pipeline=[
                dict(
                    type='TransformBroadcaster',
                    transforms=[
                        dict(type='LoadVISFrame', backend_args=backend_args)
                    ],
                ),
                dict(type='PackVISInputs'),
            ],
        )
        images.append(dataset[0]['inputs'].numpy())
    np.testing.assert_array_equal(*images)


# ------------------------------------------------------------- wrong input
def test_missing_and_broken_frames(data, tmp_path):
    path = tmp_path / 'frames Ü/v 1/002.jpg'
    content = path.read_bytes()
    path.write_bytes(content[:500])
    out = str(tmp_path / 'out.tar')
    with pytest.raises(FrameError, match='truncated .*video 1, frame 2'):
        pack_frames(*data, out)
    path.unlink()
    with pytest.raises(FrameError, match='not exist .*video 1, frame 2'):
        pack_frames(*data, out)
    path.write_bytes(content)
    assert pack_frames(*data, out).num_found == 6
    check_same(data, 'tar', out)


def test_without_check_bytes_are_taken_as_they_are(data, tmp_path):
    (tmp_path / 'frames Ü/v 1/002.jpg').write_bytes(b'half')
    out = str(tmp_path / 'out.tar')
    options = PackingOptions(check=False)
    assert pack_frames(*data, out, options=options).num_frames == 8


def test_frame_of_other_size(data, tmp_path):
    Image.new('RGB', (10, 10)).save(tmp_path / 'frames Ü/v 3/001.png')
    with pytest.raises(FrameError, match='10x10 pixels .*video 3, frame 1'):
        pack_frames(*data, str(tmp_path / 'out.tar'))


@pytest.mark.parametrize('name', ['../a.png', '/a.png'])
def test_names_that_lead_out(data, tmp_path, name):
    with open(data[0]) as file:
        content = json.load(file)
    content['videos'][0]['file_names'][1] = name
    with open(data[0], 'w') as file:
        json.dump(content, file)
    with pytest.raises(AnnotationError, match='leads out .*video 3, frame 1'):
        pack_frames(*data, str(tmp_path / 'out.tar'))


def test_bad_options(data, tmp_path):
    out = str(tmp_path / 'out')
    with pytest.raises(ConfigError, match='short_edge=0 is no length'):
        PackingOptions(short_edge=0)
    with pytest.raises(ConfigError, match='quality=101 is no JPEG quality'):
        PackingOptions(quality=101)
    with pytest.raises(ConfigError, match="image_format='gif' is unknown"):
        PackingOptions(image_format='gif')
    with pytest.raises(ConfigError, match="storage='zip' is unknown"):
        pack_frames(*data, out, 'zip')
    with pytest.raises(ConfigError, match='shard_size=0 is no size'):
        pack_frames(*data, out, 'tar', 0)
    pytest.importorskip('lmdb')
    with pytest.raises(ConfigError, match='LMDB has no shards'):
        pack_frames(*data, out, 'lmdb', 10)
    assert not (tmp_path / 'out').exists()
