import importlib
import json
import sys
from argparse import Namespace

import cv2
import numpy as np
import pytest


@pytest.fixture
def benchmark(repo_root, monkeypatch):
    monkeypatch.syspath_prepend(str(repo_root / 'benchmarks'))
    yield importlib.import_module('long_video')
    sys.modules.pop('long_video')


def test_video_moves_and_has_all_frames(benchmark, tmp_path):
    path = tmp_path / 'v.mp4'
    benchmark.write_video(path, 7, (64, 96))
    capture = cv2.VideoCapture(str(path))
    frames = []
    while True:
        found, frame = capture.read()
        if not found:
            break
        frames.append(frame.astype(int))
    assert len(frames) == 7 and frames[0].shape == (64, 96, 3)
    assert np.abs(frames[6] - frames[0]).max() > 100


def test_one_run(benchmark, tmp_path):
    path = tmp_path / 'v.mp4'
    benchmark.write_video(path, 6, (64, 96))
    args = benchmark.build_parser().parse_args(
        ['--one', str(path), str(tmp_path / 'out'), '--batch-size', '3']
    )
    args.size = (64, 96)
    found = benchmark.measure(args)
    assert found['frames'] == 6 and found['fps'] > 0
    assert found['peak_mb'] >= found['start_mb'] > 50
    assert found['instances_per_frame'] > 1
    names = sorted(p.name for p in (tmp_path / 'out').iterdir())
    assert names == ['v.csv', 'v.json', 'v.mp4', 'v.tracks.sqlite']


def test_kills_are_at_their_frame(benchmark, monkeypatch):
    killed = []
    monkeypatch.setattr(benchmark.os, 'kill', lambda *a: killed.append(a))
    writer = benchmark.KillWriter('unused', 2)
    for frame in range(2):
        writer.add_frame(frame, None)
    assert killed == []
    writer.add_frame(2, None)
    assert len(killed) == 1 and killed[0][1] == benchmark.signal.SIGKILL
    with pytest.raises(SystemExit, match='frame 2 never came, of 2'):
        writer.finish([], 2)


def test_summary_compares_files(benchmark, monkeypatch, tmp_path, capsys):
    peaks = dict(short=100.0, long=105.0, broken=104.0)

    def pretend(args, video, out_dir, die=False):
        out_dir.mkdir(exist_ok=True)
        for suffix in benchmark.FORMATS:
            same = suffix != 'csv' or out_dir.name == 'long'
            (out_dir / f'{video.stem}.{suffix}').write_text(str(same))
        return {} if die else dict(peak_mb=peaks[out_dir.name], fps=5.0)

    monkeypatch.setattr(benchmark, 'in_new_process', pretend)
    args = Namespace(lengths=(2, 3), size=(64, 96), kill_at=1)
    result = json.loads(json.dumps(benchmark.run(args, tmp_path)))
    assert result['memory_ratio'] == pytest.approx(1.05)
    assert result['memory_ratio_continued'] == pytest.approx(1.04)
    assert result['equal_files'] == dict(mp4=True, json=True, csv=False)
    assert result['equal'] is False
