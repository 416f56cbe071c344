"""Frames in tar archives and LMDB, read through mmengine's backends."""

import json
import multiprocessing
import pickle
import tarfile
from pathlib import Path

import mmengine.fileio as fileio
import numpy as np
import pytest
from PIL import Image

from pmvis_mm.structures.frame_reader import FrameReader, read_frame
from pmvis_mm.structures.packed_frames import FramesLmdbBackend, TarBackend
from pmvis_mm.structures.tar_index import read_tar_index, write_tar_index
from pmvis_mm.structures.video_annotations import VideoInfo
from pmvis_mm.utils.errors import FrameError

LONG = 'a folder/' + 'x' * 120 + '/füße 01.png'
NAMES = ('clip/00000.png', 'clip/00001.png', LONG)


@pytest.fixture
def images(tmp_path):
    """Three frames as files."""
    root = tmp_path / 'data' / 'JPEGImages'
    for t, name in enumerate(NAMES):
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        rgb = np.full((4, 6, 3), (200, 100, 10 * t), np.uint8)
        Image.fromarray(rgb).save(path)
    return root


@pytest.fixture(params=['gnu', 'pax', 'ustar-like shards'])
def archive(request, images, tmp_path):
    """Made by tarfile, an independent writer."""
    kind = tarfile.PAX_FORMAT if request.param == 'pax' else tarfile.GNU_FORMAT
    if 'shards' not in request.param:
        path = tmp_path / 'frames.tar'
        with tarfile.open(path, 'w', format=kind) as tar:
            tar.add(images, arcname='.')
        return path
    folder = tmp_path / 'shards'
    folder.mkdir()
    for i, name in enumerate(NAMES):
        with tarfile.open(folder / f'frames-{i:03d}.tar', 'w') as tar:
            tar.add(images / name, arcname=name)
    return folder


@pytest.fixture
def lmdb_folder(images, tmp_path):
    """Made by the package itself."""
    lmdb = pytest.importorskip('lmdb')
    path = tmp_path / 'frames.lmdb'
    with lmdb.open(str(path), map_size=1 << 20) as environment:
        with environment.begin(write=True) as transaction:
            for name in NAMES:
                content = (images / name).read_bytes()
                transaction.put(name.encode(), content)
    return path


def tar_args(archive, images):
    return dict(backend='tar', path=str(archive), root=str(images))


def lmdb_args(folder, images):
    return dict(backend='frames_lmdb', path=str(folder), root=str(images))


def check_reads_all(images, args):
    video = VideoInfo(7, 6, 4, NAMES)
    reader = FrameReader(video, str(images), args)
    files = FrameReader(video, str(images))
    expected = [files[t] for t in range(3)]
    for path in images.rglob('*.png'):
        path.unlink()
    reader.check_exists()
    again = pickle.loads(pickle.dumps(reader))
    for t in (2, 0, 1):
        np.testing.assert_array_equal(reader[t], expected[t])
        np.testing.assert_array_equal(again[t], expected[t])


def check_missing(images, args):
    video = VideoInfo(7, 6, 4, ('clip/00000.png', 'clip/9.png'))
    reader = FrameReader(video, str(images), args)
    with pytest.raises(FrameError, match=r'not exist .*video 7, frame 1'):
        reader.check_exists()
    with pytest.raises(FrameError, match="frame 'clip/9.png' is not in") as e:
        reader[1]
    for part in ('video 7, frame 1', 'names there look like', 'set `root`'):
        assert part in str(e.value)


def test_tar_reads_the_same(archive, images):
    check_reads_all(images, tar_args(archive, images))


def test_tar_lacks_a_frame(archive, images):
    check_missing(images, tar_args(archive, images))


def test_lmdb_reads_the_same(lmdb_folder, images):
    check_reads_all(images, lmdb_args(lmdb_folder, images))


def test_lmdb_lacks_a_frame(lmdb_folder, images):
    check_missing(images, lmdb_args(lmdb_folder, images))


def test_root_is_optional(archive):
    backend = TarBackend(str(archive))
    assert backend.exists('clip/00001.png') and backend.exists(Path(LONG))
    assert backend.exists('./clip//00001.png')
    assert not backend.exists('00001.png')
    assert backend.isfile('clip/00001.png')
    assert backend.get('clip/00001.png')[:4] == b'\x89PNG'


def test_text_can_be_read(tmp_path):
    (tmp_path / 'a.txt').write_text('größe', encoding='utf-8')
    with tarfile.open(tmp_path / 'a.tar', 'w') as tar:
        tar.add(tmp_path / 'a.txt', arcname='a.txt')
    args = dict(backend='tar', path=str(tmp_path / 'a.tar'))
    assert fileio.get_text('a.txt', backend_args=args) == 'größe'
    assert fileio.join_path('a', 'b', backend_args=args) == 'a/b'


@pytest.mark.parametrize('method', ['fork', 'spawn'])
@pytest.mark.parametrize('kind', ['tar', 'lmdb'])
def test_workers_share_nothing(method, kind, images, archive, request):
    if method not in multiprocessing.get_all_start_methods():
        pytest.skip(f'no {method} on this system')
    if kind == 'tar':
        backend = TarBackend(str(archive))
    else:
        folder = request.getfixturevalue('lmdb_folder')
        backend = FramesLmdbBackend(str(folder))
    first = backend.get(NAMES[0])
    with multiprocessing.get_context(method).Pool(2) as pool:
        for name in NAMES:
            found = pool.apply(backend.get, (name,))
            assert found == (images / name).read_bytes()
    assert backend.get(NAMES[0]) == first


def test_forked_loader_reads_what_the_parent_has_opened(archive, images):
    """The archive is open before the workers start, as with check_frames."""
    from torch.utils.data import DataLoader

    reader = FrameReader(
        VideoInfo(7, 6, 4, NAMES), str(images), tar_args(archive, images)
    )
    expected = [reader[t] for t in range(3)]
    loader = DataLoader(reader, batch_size=None, num_workers=2)
    for found, image in zip(loader, expected):
        np.testing.assert_array_equal(found, image)


# ------------------------------------------------------------ bad archives
@pytest.fixture
def single(images, tmp_path):
    path = tmp_path / 'single.tar'
    with tarfile.open(path, 'w') as tar:
        for name in NAMES:
            tar.add(images / name, arcname=name)
    return path


def test_index_is_used_and_equals_a_scan(single):
    scanned = read_tar_index(str(single))
    write_tar_index(str(single), {k: v[1:] for k, v in scanned.items()})
    assert read_tar_index(str(single)) == scanned
    beside = Path(str(single) + '.index.json')
    data = json.loads(beside.read_text())
    assert data['bytes'] == single.stat().st_size
    for name, (offset, size) in data['members'].items():
        content = single.read_bytes()[offset : offset + size]
        assert content == TarBackend(str(single)).get(name)


def test_archive_changed_behind_its_index(single, images):
    scanned = read_tar_index(str(single))
    write_tar_index(str(single), {k: v[1:] for k, v in scanned.items()})
    content = single.read_bytes()
    single.write_bytes(content[:512] + content)
    with pytest.raises(FrameError, match='its index was written for') as info:
        TarBackend(str(single)).get(NAMES[0])
    assert 'Fix: copy it again, or delete' in str(info.value)
    # Of the same length but with other members.
    single.write_bytes(content[512:] + content[:512])
    with pytest.raises(FrameError, match='has changed since its index'):
        read_frame(
            NAMES[0], backend_args=dict(backend='tar', path=str(single))
        )


def test_truncated_archives(single, images):
    content = single.read_bytes()
    index = read_tar_index(str(single))
    last = max(offset + size for _, offset, size in index.values())
    for length in (last - 20, last, 700):
        single.write_bytes(content[:length])
        with pytest.raises(FrameError, match='truncated|not a whole'):
            TarBackend(str(single)).get(NAMES[0])


def test_archive_truncated_after_it_was_opened(single):
    backend = TarBackend(str(single))
    assert backend.exists(LONG)
    offset = backend.index[LONG][1]
    with open(single, 'r+b') as file:
        file.truncate(offset + 10)
    with pytest.raises(FrameError, match='is truncated'):
        backend.get(LONG)


def test_compressed_archive_is_refused(images, tmp_path):
    path = tmp_path / 'a.tar'
    with tarfile.open(path, 'w:gz') as tar:
        tar.add(images, arcname='.')
    with pytest.raises(FrameError, match='uncompressed tar.*gunzip'):
        TarBackend(str(path)).exists('a')


def test_no_archive_and_broken_index(single, tmp_path):
    with pytest.raises(FrameError, match='no tar archive here'):
        TarBackend(str(tmp_path / 'no.tar')).exists('a')
    (tmp_path / 'empty').mkdir()
    with pytest.raises(FrameError, match=r'folder with \*.tar shards'):
        TarBackend(str(tmp_path / 'empty')).exists('a')
    Path(str(single) + '.index.json').write_text('[1]')
    with pytest.raises(FrameError, match='not an index of a tar archive'):
        TarBackend(str(single)).exists('a')


def test_one_frame_in_two_shards(images, tmp_path):
    folder = tmp_path / 'twice'
    folder.mkdir()
    for i in range(2):
        with tarfile.open(folder / f'{i}.tar', 'w') as tar:
            tar.add(images / NAMES[0], arcname=NAMES[0])
    with pytest.raises(FrameError, match='is in two archives'):
        TarBackend(str(folder)).exists('a')


def test_no_lmdb_or_a_truncated_one(lmdb_folder, tmp_path):
    with pytest.raises(FrameError, match='cannot be opened as LMDB'):
        FramesLmdbBackend(str(tmp_path / 'no.lmdb')).exists('a')
    data = lmdb_folder / 'data.mdb'
    content = data.read_bytes()
    data.write_bytes(content[: len(content) // 2])
    with pytest.raises(FrameError, match='truncated|cannot be opened'):
        FramesLmdbBackend(str(lmdb_folder)).get(NAMES[0])


def test_repr_names_the_storage(single):
    assert repr(TarBackend(str(single), 'a/')) == (
        f"TarBackend(path={str(single)!r}, root='a')"
    )
