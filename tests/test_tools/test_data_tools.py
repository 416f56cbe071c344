import runpy
import sys
from pathlib import Path

import pytest

TOOLS = Path(__file__).resolve().parents[2] / 'tools'


@pytest.fixture
def run_tool(monkeypatch):
    def run(name, *arguments):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, arguments)])
        runpy.run_path(str(TOOLS / name), run_name='__main__')

    return run


def test_shapes_then_report(run_tool, tmp_path, capsys):
    data, out = tmp_path / 'data', tmp_path / 'report.html'
    run_tool(
        'dataset_converters/make_shapes_vis.py',
        *(data, '--num-videos', 2, '--num-frames', 3, '--size', 64, 80),
    )
    truth = data / 'instances.json'
    run_tool(
        'analysis_tools/label_report.py',
        *(truth, '--ann-file', data / 'boxes.json', '--truth', truth),
        *('--img-prefix', data / 'JPEGImages', '--num-worst', 2),
        *('--sources', f'instances={truth}', '--out', out),
    )
    assert str(out) in capsys.readouterr().out
    html = out.read_text(encoding='utf-8')
    # The real masks, judged by themselves.
    assert html.count('mean IoU 100.0 %') == 2
    assert html.count('<figure>') >= 4


def test_mistakes_end_with_one_line(run_tool, tmp_path, capsys):
    with pytest.raises(SystemExit, match='error: num_videos is 0'):
        run_tool(
            'dataset_converters/make_shapes_vis.py',
            *(tmp_path, '--num-videos', 0),
        )
    report = 'analysis_tools/label_report.py'
    required = ('--ann-file', 'a.json', '--out', tmp_path / 'r.html')
    with pytest.raises(SystemExit, match='error: file does not exist'):
        run_tool(report, 'no.json', *required)
    with pytest.raises(SystemExit):
        run_tool(report, 'no.json', *required, '--sources', 'a.json')
    assert "'a.json' is not NAME=PATH" in capsys.readouterr().err


def test_side_files_are_checked(run_tool, tmp_path):
    data, metrics = tmp_path / 'data', tmp_path / 'metrics.json'
    run_tool('dataset_converters/make_shapes_vis.py', data, '--num-videos', 1)
    metrics.write_text('[1]')
    with pytest.raises(SystemExit, match='expected a dict, got list'):
        run_tool(
            'analysis_tools/label_report.py',
            *(data / 'instances.json', '--ann-file', data / 'boxes.json'),
            *('--metrics', metrics, '--out', tmp_path / 'r.html'),
        )
