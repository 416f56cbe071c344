"""Atomic writing and typed reading."""

import json
import os
import stat

import pytest

from pmvis_mm.utils.errors import AnnotationError, MaskSetError, OutputError
from pmvis_mm.utils.fileio import (
    atomic_folder,
    atomic_path,
    atomic_write,
    disk_errors,
    dump_json,
    ensure_writable,
    file_sha256,
    file_stamp,
    load_json,
)


def test_file_appears_when_complete(tmp_path):
    path = tmp_path / 'new' / 'folder' / 'a.txt'
    with atomic_write(path) as file:
        file.write('é')
        assert not path.exists()
        assert len(list(path.parent.iterdir())) == 1
    assert path.read_text(encoding='utf-8') == 'é'
    assert list(path.parent.iterdir()) == [path]


def test_bytes_can_be_written(tmp_path):
    path = tmp_path / 'a.bin'
    with atomic_write(path, binary=True) as file:
        file.write(b'\xff\n\x00')
    assert path.read_bytes() == b'\xff\n\x00'


@pytest.mark.parametrize('kind', [ValueError, KeyboardInterrupt, SystemExit])
def test_an_exception_leaves_the_old_file(tmp_path, kind):
    path = tmp_path / 'a.txt'
    path.write_text('old')
    with pytest.raises(kind), atomic_write(str(path)) as file:
        file.write('half of the n')
        file.flush()
        raise kind()
    assert path.read_text() == 'old'
    assert list(tmp_path.iterdir()) == [path]


def test_an_exception_leaves_no_new_file(tmp_path):
    with pytest.raises(TypeError):
        dump_json(dict(a=1, b=object()), tmp_path / 'a.json')
    assert list(tmp_path.iterdir()) == []


@pytest.mark.skipif(os.name != 'posix', reason='modes of POSIX')
def test_mode_follows_the_umask(tmp_path):
    old = os.umask(0o027)
    try:
        dump_json([], tmp_path / 'a.json')
    finally:
        os.umask(old)
    assert stat.S_IMODE((tmp_path / 'a.json').stat().st_mode) == 0o640


def test_folder_that_cannot_be_made(tmp_path):
    (tmp_path / 'file').write_text('')
    for path in (tmp_path / 'file' / 'a.json', tmp_path / 'file' / 'b' / 'c'):
        match = 'cannot write here: .*Fix: choose another output folder'
        with pytest.raises(OutputError, match=match) as info:
            dump_json([], path)
        assert info.value.file == path
    with pytest.raises(OutputError, match='cannot write here'):
        ensure_writable(tmp_path / 'file')
    assert [p.name for p in tmp_path.iterdir()] == ['file']


def test_target_that_is_a_folder(tmp_path):
    (tmp_path / 'masks.json').mkdir()
    with pytest.raises(OutputError, match='cannot write here.*masks.json'):
        dump_json([], tmp_path / 'masks.json')
    assert [p.name for p in tmp_path.iterdir()] == ['masks.json']


@pytest.mark.skipif(
    os.name != 'posix' or os.geteuid() == 0, reason='root may write anywhere'
)
def test_folder_without_permission(tmp_path):
    tmp_path.chmod(0o500)
    try:
        with pytest.raises(OutputError, match='Permission denied'):
            ensure_writable(tmp_path)
    finally:
        tmp_path.chmod(0o700)


def test_ensure_writable_leaves_nothing(tmp_path):
    ensure_writable(tmp_path / 'a' / 'b')
    ensure_writable(tmp_path / 'a' / 'b')
    assert list((tmp_path / 'a' / 'b').iterdir()) == []


def test_json_is_compact_and_keeps_the_order(tmp_path):
    path = tmp_path / 'a.json'
    data = dict(b=[1, None, 0.1], a='é')
    dump_json(data, path)
    assert path.read_text() == '{"b":[1,null,0.1],"a":"\\u00e9"}'
    assert load_json(path) == load_json(str(path)) == data


@pytest.mark.parametrize('kind', [AnnotationError, MaskSetError])
def test_unreadable_files_are_typed(tmp_path, kind):
    (tmp_path / 'folder').mkdir()
    (tmp_path / 'cut.json').write_text(json.dumps([1, 2, 3])[:-2])
    (tmp_path / 'empty.json').write_text('')
    (tmp_path / 'deep.json').write_text('[' * 100000)
    (tmp_path / 'image.json').write_bytes(b'\xff\xd8\xff\xe0')
    for name, problem in (
        ('none.json', 'file does not exist'),
        ('folder', 'this is a folder, not a json file'),
        ('cut.json/below.json', 'cannot be read: Not a directory'),
        ('cut.json', r'not a json file \(.*line 1'),
        ('empty.json', 'not a json file'),
        ('deep.json', r'not a json file \(.*recursion'),
        ('image.json', r'not a json file \(.*utf-8'),
    ):
        with pytest.raises(kind, match=f'(?s){problem}.*Fix: ') as info:
            load_json(tmp_path / name, kind)
        assert info.value.file == tmp_path / name


def test_default_error_is_about_annotations(tmp_path):
    with pytest.raises(AnnotationError, match='file does not exist'):
        load_json(tmp_path / 'none.json')


def test_atomic_path_shows_a_file_when_complete(tmp_path):
    target = tmp_path / 'folder' / 'x.bin'
    with atomic_path(target) as path:
        assert path.parent == target.parent
        path.write_bytes(b'abc')
        assert not target.exists()
    assert target.read_bytes() == b'abc'
    assert list(target.parent.iterdir()) == [target]
    with pytest.raises(KeyError):
        with atomic_path(target) as path:
            path.write_bytes(b'half')
            raise KeyError
    assert target.read_bytes() == b'abc'
    assert list(target.parent.iterdir()) == [target]


def test_sha256(tmp_path):
    (tmp_path / 'x').write_bytes(b'abc')
    # The example of FIPS 180-2, appendix B.1.
    assert file_sha256(tmp_path / 'x') == (
        'ba7816bf8f01cfea414140de5dae2223b00361a396177a9cb410ff61f20015ad'
    )


def test_stamp_changes_with_the_file(tmp_path):
    path = tmp_path / 'a.json'
    assert file_stamp(path) is None
    dump_json([1], path)
    first = file_stamp(path)
    assert file_stamp(path) == first
    dump_json([2], path)  # as long, but another file
    assert file_stamp(path) not in (None, first)


def test_a_folder_appears_when_complete(tmp_path):
    target = tmp_path / 'new' / 'out'
    with atomic_folder(target) as folder:
        (folder / 'a.txt').write_text('first')
        assert not target.exists()
    assert (target / 'a.txt').read_text() == 'first'
    assert stat.S_IMODE(target.stat().st_mode) & 0o700 == 0o700
    with atomic_folder(target) as folder:  # replaced as a whole
        (folder / 'b.txt').write_text('second')
    assert [p.name for p in target.iterdir()] == ['b.txt']
    with pytest.raises(KeyError), atomic_folder(target) as folder:
        (folder / 'c.txt').write_text('half')
        raise KeyError
    assert [p.name for p in target.iterdir()] == ['b.txt']
    assert [p.name for p in target.parent.iterdir()] == ['out']


def test_a_folder_below_a_file_is_refused(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OutputError, match='cannot write here'):
        with atomic_folder(tmp_path / 'file' / 'out'):
            pass


def test_a_folder_that_cannot_be_replaced_stays(tmp_path, monkeypatch):
    target = tmp_path / 'out'
    (target / 'old').mkdir(parents=True)
    replace = os.replace

    def refuse(old, new):
        if str(new) == str(target) and not str(old).endswith('.old'):
            raise OSError(28, 'No space left on device')
        replace(old, new)

    monkeypatch.setattr(os, 'replace', refuse)
    with pytest.raises(OutputError, match='No space left on device'):
        with atomic_folder(target) as folder:
            (folder / 'new').mkdir()
    assert [p.name for p in tmp_path.iterdir()] == ['out']
    assert [p.name for p in target.iterdir()] == ['old']


def test_json_with_a_byte_order_mark_is_read(tmp_path):
    path = tmp_path / 'a.json'
    path.write_text('\ufeff{"a": "\u00e4"}', encoding='utf-8')
    assert load_json(path) == {'a': 'ä'}


def test_text_that_utf8_cannot_hold(tmp_path):
    with pytest.raises(OutputError, match='cannot be written: surrogates'):
        with disk_errors(tmp_path / 'a'), atomic_write(tmp_path / 'a') as file:
            file.write('\ud800')
    assert [*tmp_path.iterdir()] == []
