import bz2
import io
import os
import stat
import tarfile
import zipfile

import pytest

from pmvis_mm.formats.readers import (
    ArchiveLimits,
    archives,
    extract,
    is_archive,
    open_source,
)
from pmvis_mm.utils.errors import AnnotationError

FILES = {
    'annotations.xml': b'<annotations/>',
    'ordner mit ä/bild 1.txt': b'1,2\r\n',
    'a/b/c.json': b'{}' * 50_000,
    'empty.txt': b'',
}


def write_zip(path, files, kind=zipfile.ZIP_DEFLATED):
    with zipfile.ZipFile(path, 'w', kind) as archive:
        archive.writestr('folder/', b'')
        for name, content in files.items():
            archive.writestr(zipfile.ZipInfo(name), content, kind)
    return path


def write_tar(path, files, mode='w'):
    with tarfile.open(path, mode) as archive:
        folder = tarfile.TarInfo('folder')
        folder.type = tarfile.DIRTYPE
        archive.addfile(folder)
        archive.addfile(folder)  # as `tar rf` does
        for name, content in files.items():
            member = tarfile.TarInfo(name)
            member.size = len(content)
            archive.addfile(member, io.BytesIO(content))
    return path


def written(folder):
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in folder.rglob('*')
        if path.is_file()
    }


def write_any(path, files):
    if path.suffix == '.zip':
        return write_zip(path, files)
    return write_tar(path, files, f'w:{path.suffix[1:].replace("tar", "")}')


KINDS = ['a.zip', 'a.tar', 'a.tar.gz', 'a.tar.bz2', 'a.tar.xz']


@pytest.mark.parametrize('name', KINDS)
def test_content_comes_out(tmp_path, name):
    path = write_any(tmp_path / name, FILES)
    (tmp_path / 'out').mkdir()
    assert is_archive(path)
    extract(path, tmp_path / 'out')
    assert written(tmp_path / 'out') == FILES


def test_open_source_removes_what_it_unpacked(tmp_path):
    path = write_zip(tmp_path / 'mein export.zip', FILES)
    with open_source(path) as root:
        assert root.name == 'mein export'
        assert (root / 'annotations.xml').read_bytes() == b'<annotations/>'
    assert not root.exists()
    assert not root.parent.exists()
    for other in (tmp_path, tmp_path / 'missing.zip'):
        with open_source(other) as same:
            assert same == other


def test_errors_name_the_archive(tmp_path):
    path = write_tar(tmp_path / 'x.tgz', FILES, 'w:gz')
    with pytest.raises(AnnotationError) as caught:
        with open_source(path) as root:
            raise AnnotationError('bad', file=root / 'a' / 'b')
    assert str(caught.value) == f'bad [file {path}: a/b]'
    assert caught.value.args == (str(caught.value),)
    with pytest.raises(AnnotationError) as caught:
        with open_source(path) as root:
            raise AnnotationError('bad', file=root)
    assert str(caught.value) == f'bad [file {path}]'


BAD_NAMES = [
    '../outside.txt',
    'a/../../outside.txt',
    '/outside.txt',
    '..\\outside.txt',
    'C:\\outside.txt',
    'c:outside.txt',
    '\\\\server\\outside.txt',
]


@pytest.mark.parametrize('name', BAD_NAMES)
@pytest.mark.parametrize('kind', ['a.zip', 'a.tar.gz'])
def test_names_that_lead_out(tmp_path, name, kind):
    path = write_any(tmp_path / kind, {name: b'evil'})
    (tmp_path / 'in' / 'out').mkdir(parents=True)
    with pytest.raises(AnnotationError, match='leads out') as caught:
        extract(path, tmp_path / 'in' / 'out')
    assert caught.value.file == path
    assert repr(name) in caught.value.problem
    assert written(tmp_path / 'in') == {}
    assert sorted(os.listdir(tmp_path)) == sorted([kind, 'in'])


@pytest.mark.parametrize(
    'kind',
    [tarfile.SYMTYPE, tarfile.LNKTYPE, tarfile.CHRTYPE, tarfile.FIFOTYPE],
)
def test_links_and_devices_in_tar(tmp_path, kind):
    member = tarfile.TarInfo('link')
    member.type, member.linkname = kind, '../..'
    with tarfile.open(tmp_path / 'a.tar', 'w') as archive:
        archive.addfile(member)
    (tmp_path / 'out').mkdir()
    with pytest.raises(AnnotationError, match="link or device.*'link'"):
        extract(tmp_path / 'a.tar', tmp_path / 'out')
    assert not list((tmp_path / 'out').iterdir())


def test_links_in_zip(tmp_path):
    member = zipfile.ZipInfo('link')
    member.external_attr = (stat.S_IFLNK | 0o777) << 16
    with zipfile.ZipFile(tmp_path / 'a.zip', 'w') as archive:
        archive.writestr(member, '/etc')
    (tmp_path / 'out').mkdir()
    with pytest.raises(AnnotationError, match='link or device'):
        extract(tmp_path / 'a.zip', tmp_path / 'out')
    assert not list((tmp_path / 'out').iterdir())


@pytest.mark.parametrize('name', ['a.zip', 'a.tar', 'a.tar.gz'])
@pytest.mark.parametrize('share', [0.3, 0.7, 0.95])
def test_truncated(tmp_path, name, share):
    files = dict(FILES, noise=os.urandom(20_000))
    path = write_any(tmp_path / name, files)
    content = path.read_bytes()
    path.write_bytes(content[: int(len(content) * share)])
    if name == 'a.tar' and share == 0.95:
        # tarfile pads to 10 KiB: cut the end of the members as well.
        path.write_bytes(content.rstrip(b'\0')[:-9000])
    with pytest.raises(AnnotationError, match='truncated or broken'):
        with open_source(path):
            pass


def test_tar_cut_between_members(tmp_path):
    path = write_tar(tmp_path / 'a.tar', {'a': b'1', 'b': b'2'})
    # Two folders, header and content of 'a': four blocks of 512 bytes.
    path.write_bytes(path.read_bytes()[: 4 * 512])
    with tarfile.open(path) as archive:
        assert archive.getnames() == ['folder', 'folder', 'a']
    with pytest.raises(AnnotationError, match='its end is missing'):
        with open_source(path):
            pass


def test_not_an_archive(tmp_path):
    (tmp_path / 'a.zip').write_text('PK or not')
    assert not is_archive(tmp_path / 'a.zip')
    with pytest.raises(AnnotationError, match='neither a zip nor a tar'):
        extract(tmp_path / 'a.zip', tmp_path)
    (tmp_path / 'b.tar').write_bytes(bz2.compress(b'something else' * 99))
    with pytest.raises(AnnotationError, match='truncated or broken'):
        extract(tmp_path / 'b.tar', tmp_path)


def test_broken_member(tmp_path):
    path = write_zip(tmp_path / 'a.zip', FILES, zipfile.ZIP_STORED)
    content = path.read_bytes()
    path.write_bytes(content.replace(b'<annotations/>', b'<annotatians/>'))
    with pytest.raises(AnnotationError, match='broken.*CRC'):
        with open_source(path):
            pass


def test_encrypted(tmp_path):
    path = write_zip(tmp_path / 'a.zip', {'a.txt': b'secret'})
    content = bytearray(path.read_bytes())
    # Bit 0 of the flags, in the last entry of the central directory.
    content[content.rindex(b'PK\x01\x02') + 8] |= 1
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match="encrypted.*'a.txt'"):
        with open_source(path):
            pass


@pytest.mark.parametrize('name', ['a.zip', 'a.tar.gz'])
def test_bombs(tmp_path, name, monkeypatch):
    path = write_any(tmp_path / name, {'a': bytes(200_000), 'b': b'1'})
    (tmp_path / 'out').mkdir()
    out = tmp_path / 'out'
    with pytest.raises(AnnotationError, match='more than 100000 bytes'):
        extract(path, out, ArchiveLimits(max_bytes=100_000))
    assert not list(out.iterdir())
    with pytest.raises(AnnotationError, match='more than 2 members'):
        extract(path, out, ArchiveLimits(max_members=2))
    # Little things may be packed as well as they like.
    with open_source(path, ArchiveLimits(max_ratio=5)) as root:
        assert (root / 'a').stat().st_size == 200_000
    monkeypatch.setattr(archives, '_HARMLESS', 1000)
    with pytest.raises(AnnotationError, match='5 times its own size'):
        extract(path, out, ArchiveLimits(max_ratio=5))


def test_header_that_would_fill_the_memory(tmp_path):
    member = tarfile.TarInfo('x')
    member.type, member.size = tarfile.XHDTYPE, 20 * 2**20
    with tarfile.open(tmp_path / 'a.tar.gz', 'w:gz') as archive:
        archive.addfile(member, io.BytesIO(bytes(member.size)))
    assert (tmp_path / 'a.tar.gz').stat().st_size < 50_000
    with pytest.raises(AnnotationError, match='a header of 20971520 bytes'):
        with open_source(tmp_path / 'a.tar.gz'):
            pass


def test_zip_that_lies_about_its_size(tmp_path, monkeypatch):
    path = write_zip(tmp_path / 'a.zip', {'a': bytes(300_000)})
    content = bytearray(path.read_bytes())
    at = content.rindex(b'PK\x01\x02') + 24
    content[at : at + 4] = (10).to_bytes(4, 'little')
    path.write_bytes(content)
    with pytest.raises(AnnotationError, match='broken'):
        with open_source(path, ArchiveLimits(max_bytes=1000)):
            pass


@pytest.mark.parametrize('name', ['a.zip', 'a.tar'])
def test_same_file_twice(tmp_path, name):
    path = write_any(tmp_path / name, {'x/a': b'1', 'x\\a': b'2'})
    with pytest.raises(AnnotationError, match=r'twice.*x\\\\a'):
        with open_source(path):
            pass


@pytest.mark.parametrize(
    'names',
    [('a', 'a/b'), ('a/b', 'a'), ('x' * 300, 'y')],
    ids=['file, then folder', 'folder, then file', 'long'],
)
def test_names_that_the_disk_refuses(tmp_path, names):
    path = write_zip(tmp_path / 'a.zip', dict.fromkeys(names, b'1'))
    match = 'cannot be unpacked under this name .*member .*a.zip.*Fix: rename'
    with pytest.raises(AnnotationError, match=match):
        with open_source(path):
            pass
