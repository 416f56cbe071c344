"""The tool that checks datasets, through its words."""

import json
import shutil

import pytest

from pmvis_mm.datasets.shapes_vis import write_shapes_vis
from pmvis_mm.testing import tiny_runs


@pytest.fixture
def check(repo_root, capsys):
    """Function that runs the tool: exit code, output, last line."""
    path = repo_root / 'tools/analysis_tools/check_dataset.py'

    def run(*words):
        try:
            code = tiny_runs.run_tool(path, *words)
        except SystemExit as stop:
            code = stop.code
        streams = capsys.readouterr()
        summary = None if code == 2 else streams.out.splitlines()[-1]
        return (
            code or 0,
            streams.out + streams.err,
            summary and json.loads(summary),
        )

    return run


@pytest.fixture(scope='module')
def shapes(tmp_path_factory):
    root = tmp_path_factory.mktemp('shapes ä')
    return write_shapes_vis(root, 4, num_frames=4, size=(48, 64))


@pytest.fixture
def broken(shapes, tmp_path):
    """A copy with two errors that can be repaired, and one that cannot."""
    data = json.loads((shapes / 'instances.json').read_text())
    first, second = data['annotations'][:2]
    first['bboxes'] = [[1, 1, -5, 5]] * 4
    second['id'] = first['id']
    data['categories'][0]['name'] = data['categories'][1]['name']
    path = tmp_path / 'broken.json'
    path.write_text(json.dumps(data))
    return path


def test_clean(check, shapes):
    code, out, summary = check(
        shapes / 'instances.json', '--img-prefix', shapes / 'JPEGImages'
    )
    assert code == 0
    assert (summary['errors'], summary['warnings']) == (0, 0)
    assert 'videos  frames  tracks  boxes  masks' in out
    assert '64x48       4' in out


def test_errors_fail(check, broken, tmp_path):
    report = tmp_path / 'report.json'
    code, out, summary = check(broken, '--json', report, '--max-shown', 2)
    assert code == 1 and summary['errors'] == 6
    assert out.count('error: box-negative-size') == 2
    assert '  ... and 2 more box-negative-size' in out
    assert 'error: id-duplicate' in out
    content = json.loads(report.read_text())
    assert content['errors'] == 6
    (file,) = content['files']
    assert file['found']['box-negative-size'] == 4
    place = {k: file['findings'][2][k] for k in ('code', 'frame', 'instance')}
    assert place == dict(code='box-negative-size', frame=0, instance=1)
    assert file['counts']['videos'] == 4


def test_warnings_fail_if_strict(check, shapes, tmp_path):
    data = json.loads((shapes / 'boxes.json').read_text())
    data['annotations'][0]['iscrowd'] = 2
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(data))
    code, _, summary = check(path)
    assert code == 0 and summary['warnings'] == 1
    assert check(path, '--strict')[0] == 1


def test_repair(check, broken, shapes, tmp_path):
    out = tmp_path / 'fixed.json'
    before = broken.read_bytes()
    code, text, summary = check(broken, '--fix', out)
    # What was checked has errors; the copy has the one left by hand.
    assert code == 1 and broken.read_bytes() == before
    assert summary['fix']['errors'] == 1 and summary['fix']['changes'] >= 5
    assert 'left to do by hand:\nerror: category-duplicate-name' in text
    assert (tmp_path / 'fixed.changes.txt').read_text().count('\n') == (
        summary['fix']['changes']
    )
    code, text, summary = check(out)
    assert code == 1 and summary['errors'] == 1
    # A second repair changes nothing.
    _, _, summary = check(out, '--fix', tmp_path / 'again.json')
    assert summary['fix']['changes'] == 0
    assert (tmp_path / 'again.json').read_bytes() == out.read_bytes()


def test_box_only(check, shapes, tmp_path):
    data = json.loads((shapes / 'instances.json').read_text())
    data['annotations'][0]['segmentations'] = 'none'
    path = tmp_path / 'a.json'
    path.write_text(json.dumps(data))
    assert check(path)[0] == 1
    code, out, _ = check(path, '--box-only')
    assert code == 0 and 'segmentations' not in out


def test_overlap(check, shapes, tmp_path):
    copy = tmp_path / 'val.json'
    shutil.copy(shapes / 'boxes.json', copy)
    code, out, summary = check(shapes / 'boxes.json', copy)
    assert code == 0 and summary['warnings'] == 4
    assert 'overlap: 0 errors, 4 warnings, 0 notes' in out


def test_broken_json(check, shapes, tmp_path):
    text = (shapes / 'boxes.json').read_text()
    path = tmp_path / 'cut.json'
    path.write_text(text[:100])
    code, out, _ = check(path)
    assert code == 1 and 'error: file-unreadable: not a json file' in out
    code, out, _ = check(path, '--fix', tmp_path / 'b.json')
    assert code == 2 and 'not a json file' in out
    assert not (tmp_path / 'b.json').exists()


def test_version(check, shapes):
    code, out, _ = check(shapes / 'boxes.json', '--version', 'ovis')
    assert code == 1 and 'error: category-not-in-version' in out


@pytest.mark.parametrize(
    'words,message',
    [
        ([], 'arguments are required'),
        (['a', 'b', '--fix', 'c'], 'name one ANN'),
        (['a', '--decode', 'some'], 'invalid choice'),
        (['a', '--sample', '-1'], 'numbers from 0'),
        (['a', 'a'], 'a file is named twice'),
        (['a', '--img-prefix', 'b', 'c'], '2 image folders for 1 files'),
        (['{boxes}', '--fix', '{boxes}'], 'would replace the input'),
    ],
)
def test_usage(check, shapes, words, message):
    words = [w.format(boxes=shapes / 'boxes.json') for w in words]
    before = (shapes / 'boxes.json').read_bytes()
    code, out, _ = check(*words)
    assert code == 2 and message in out
    assert (shapes / 'boxes.json').read_bytes() == before
