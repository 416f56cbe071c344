"""Stages depend on content, not on dates or places."""

import json
import os

from pmvis_mm.apis.pipeline import keys
from pmvis_mm.apis.pipeline.keys import (
    ContentHashes,
    changes,
    config_parts,
    digest,
)


def test_hash_is_kept_while_size_and_time_stay(tmp_path, monkeypatch):
    file = tmp_path / 'weights.pth'
    file.write_bytes(b'abc')
    read = []
    sha256 = keys.file_sha256
    monkeypatch.setattr(
        keys, 'file_sha256', lambda path: read.append(path) or sha256(path)
    )
    cache = tmp_path / 'hashes.json'
    first = ContentHashes(cache).file(file)
    # SHA-256 of "abc", as published in FIPS 180-2.
    assert first.startswith('ba7816bf8f01cfea414140de5dae2223')
    assert ContentHashes(cache).file(file) == first
    assert len(read) == 1  # also in another process
    os.utime(file, ns=(1, 1))
    assert ContentHashes(cache).file(file) == first
    assert len(read) == 2
    file.write_bytes(b'abd')
    assert ContentHashes(cache).file(file) != first


def test_broken_cache_is_made_anew(tmp_path):
    (tmp_path / 'hashes.json').write_text('{"a":')
    (tmp_path / 'x.json').write_text('1')
    hashes = ContentHashes(tmp_path / 'hashes.json')
    assert len(hashes.file(tmp_path / 'x.json')) == 64
    assert json.loads((tmp_path / 'hashes.json').read_text())


def test_configs_count_by_what_they_say(tmp_path):
    (tmp_path / 'base.py').write_text('a = 1\n')
    (tmp_path / 'leaf.py').write_text("_base_ = './base.py'\nb = 2\n")
    hashes = ContentHashes(tmp_path / 'hashes.json')
    first = hashes.file(tmp_path / 'leaf.py')
    (tmp_path / 'leaf.py').write_text("# why\n_base_ = './base.py'\nb = 2\n")
    assert hashes.file(tmp_path / 'leaf.py') == first
    (tmp_path / 'base.py').write_text('a = 2\n')
    assert hashes.file(tmp_path / 'leaf.py') != first


def test_frames_count_by_names_and_sizes(tmp_path):
    (tmp_path / 'v').mkdir()
    frame = tmp_path / 'v/0.jpg'
    frame.write_bytes(b'abc')
    (tmp_path / 'v/unlisted.jpg').write_bytes(b'abc')
    ann_file = tmp_path / 'boxes.json'
    ann_file.write_text(
        json.dumps(dict(videos=[dict(file_names=['v/0.jpg'])]))
    )

    def listing():
        hashes = ContentHashes(tmp_path / 'hashes.json')
        return hashes.frames(str(ann_file), str(tmp_path))

    first = listing()
    os.utime(frame, ns=(1, 1))
    (tmp_path / 'v/unlisted.jpg').unlink()
    assert listing() == first
    frame.write_bytes(b'abcd')
    assert listing() != first
    frame.unlink()
    gone = listing()
    assert gone not in (first, digest([]))


def test_parts_name_what_changed(tmp_path):
    for folder in ('a', 'b'):
        (tmp_path / folder).mkdir()
        (tmp_path / folder / 'w.pth').write_bytes(b'abc')
    hashes = ContentHashes(tmp_path / 'hashes.json')

    def parts(folder='a', lr=1, log=True):
        cfg = dict(
            model=dict(checkpoint=str(tmp_path / folder / 'w.pth'), type='X'),
            data=[dict(img=f'{tmp_path}/{folder}/'), ('x', None)],
            train=dict(lr=lr),
            log=log,
        )
        frames = [str(tmp_path / folder)]
        return config_parts(cfg, ['model', 'data', 'train'], hashes, frames)

    first = parts()
    assert set(first) == {'model', 'data', 'train', 'model.checkpoint'}
    assert parts('b', log=False) == first  # the same content elsewhere
    assert changes(first, parts(lr=2)) == ['train']
    (tmp_path / 'a/w.pth').write_bytes(b'abd')
    assert changes(first, parts()) == ['model.checkpoint']
    assert changes({}, dict(x='1')) == ['x']
