"""Files appear complete or not at all."""

import json
import os

import pytest

from pmvis_mm.utils.errors import AnnotationError, MaskSetError, OutputError
from pmvis_mm.utils.fileio import (
    atomic_write,
    dump_json,
    ensure_writable,
    load_json,
)


def test_failure_keeps_the_old_file_and_leaves_no_rest(tmp_path):
    path = tmp_path / 'a.json'
    dump_json([1], path)
    with pytest.raises(RuntimeError), atomic_write(path) as file:
        file.write('[2')
        file.flush()
        raise RuntimeError
    assert path.read_text() == '[1]'
    assert os.listdir(tmp_path) == ['a.json']


def test_values_that_json_cannot_hold_leave_nothing(tmp_path):
    with pytest.raises(TypeError):
        dump_json([object()], tmp_path / 'a.json')
    assert os.listdir(tmp_path) == []


def test_folders_are_made_and_the_umask_counts(tmp_path):
    path = tmp_path / 'new' / 'folder' / 'a.json'
    old = os.umask(0o027)
    try:
        dump_json({'a': 1}, path)
    finally:
        os.umask(old)
    assert json.loads(path.read_text()) == {'a': 1}
    assert path.stat().st_mode & 0o777 == 0o640


def test_unwritable_folder_is_found(tmp_path):
    (tmp_path / 'file').write_text('')
    with pytest.raises(OutputError, match='cannot write here') as info:
        ensure_writable(tmp_path / 'file' / 'below')
    assert 'another output folder' in str(info.value)
    ensure_writable(tmp_path / 'fine')
    assert os.listdir(tmp_path / 'fine') == []


def test_unreadable_json(tmp_path):
    with pytest.raises(AnnotationError, match='does not exist'):
        load_json(tmp_path / 'none.json')
    with pytest.raises(MaskSetError, match='is a folder'):
        load_json(tmp_path, MaskSetError)
    for content in (b'{"a": [1, 2', b'\xff\xfe\x00', b''):
        (tmp_path / 'a.json').write_bytes(content)
        with pytest.raises(AnnotationError, match='not a json file'):
            load_json(tmp_path / 'a.json')
