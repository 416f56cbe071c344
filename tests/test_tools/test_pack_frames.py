"""The tool that packs frames."""

import json
import runpy
import sys
from pathlib import Path

import pytest

from pmvis_mm.structures.frame_reader import FrameReader
from pmvis_mm.structures.video_annotations import VideoAnnotations
from pmvis_mm.testing.tiny_vis import write_tiny_vis

TOOL = (
    Path(__file__).resolve().parents[2]
    / 'tools/dataset_converters/pack_frames.py'
)


@pytest.fixture
def pack(monkeypatch, tmp_path):
    write_tiny_vis(tmp_path)

    def run(*words):
        folder = [tmp_path / 'instances.json', tmp_path / 'JPEGImages']
        arguments = [*folder, tmp_path / words[0], *words[1:]]
        monkeypatch.setattr(
            sys, 'argv', ['pack_frames.py', *map(str, arguments)]
        )
        runpy.run_path(str(TOOL), run_name='__main__')

    return run


@pytest.mark.parametrize(
    'words',
    [('a.tar',), ('a', '--shard-size', '0.001'), ('a', '--format', 'lmdb')],
)
def test_what_it_prints_can_be_used(pack, tmp_path, capsys, words):
    if 'lmdb' in words:
        pytest.importorskip('lmdb')
    pack(*words)
    out = capsys.readouterr().out
    line = next(x for x in out.splitlines() if x.startswith('Use in configs'))
    args = eval(line.split('backend_args=')[1])
    annotations = VideoAnnotations.from_file(str(tmp_path / 'instances.json'))
    count = 0
    for video in annotations.videos.values():
        packed = FrameReader(video, str(tmp_path / 'JPEGImages'), args)
        files = FrameReader(video, str(tmp_path / 'JPEGImages'))
        for t in range(len(files)):
            assert (packed[t] == files[t]).all()
            count += 1
    assert f'({count} frames)' in out and 'encoded anew' not in out


def test_shrinking_is_told(pack, tmp_path, capsys):
    pack('small.tar', '--short-edge', '16')
    out = capsys.readouterr().out
    assert 'their pixels differ from the source' in out
    assert f'written: {tmp_path / "small.json"}' in out
    video = json.loads((tmp_path / 'small.json').read_text())['videos'][0]
    assert min(video['height'], video['width']) == 16


def test_mistakes_end_with_one_line(pack, tmp_path):
    pack('a.tar')
    with pytest.raises(SystemExit, match='error: output exists'):
        pack('a.tar')
    with pytest.raises(SystemExit, match='error: quality=0 is no JPEG'):
        pack('b.tar', '--quality', '0')
