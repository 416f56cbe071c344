"""Command lines of the label review."""

import json
import runpy
import shutil
import signal
import subprocess
import sys
import urllib.request
from functools import partial

import pytest

pytest.importorskip('flask', reason='the page is served by Flask')

from pmvis_mm.review.work_dir import write_review_inputs
from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.testing.review_page import write_tiny_review


@pytest.fixture(scope='module')
def data(tmp_path_factory):
    root = tmp_path_factory.mktemp('review')
    write_tiny_review(root)
    return root


@pytest.fixture
def tool(repo_root, monkeypatch, capsys):
    """Run a tool of tools/labeling in this process; give what it prints."""

    def run(name, *words):
        path = repo_root / 'tools/labeling' / name
        monkeypatch.setattr(sys, 'argv', [name, *map(str, words)])
        runpy.run_path(str(path), run_name='__main__')
        return capsys.readouterr().out

    return run


def build_words(data, out):
    return (
        data / 'final.json',
        *('--ann-file', data / 'instances.json'),
        *('--img-prefix', data / 'JPEGImages'),
        *('--sources', f'good={data / "good.json"}'),
        *('--title', 'My labels', '--out', out),
    )


def test_build_serve_decide_apply(repo_root, tool, data, tmp_path):
    out = tool('review.py', 'build', *build_words(data, tmp_path))
    assert '4 videos, 8 tracks, 120 masks' in out
    path = repo_root / 'tools/labeling/review.py'
    server = subprocess.Popen(
        [sys.executable, path, 'serve', tmp_path, '--port', '0'],
        stdout=subprocess.PIPE,
        text=True,
    )
    try:
        address = server.stdout.readline().split()[0]
        with urllib.request.urlopen(f'{address}api/summary') as answer:
            assert json.load(answer)['title'] == 'My labels'
        for entry in (
            dict(track=0, action='reject'),
            dict(track=2, action='choose', source='good', frames=[1, 3]),
        ):
            request = urllib.request.Request(
                f'{address}api/decisions',
                json.dumps(entry).encode(),
                {'Content-Type': 'application/json'},
            )
            urllib.request.urlopen(request).close()
        server.send_signal(signal.SIGKILL)  # nothing is lost
    finally:
        server.kill()
        server.wait()
        server.stdout.close()
    out = tool(
        'apply_review.py',
        tmp_path / 'review.json',
        *('--final', data / 'final.json'),
        *('--sources', f'good={data / "good.json"}'),
        *('--out', tmp_path / 'reviewed.json'),
    )
    rows = dict(line.rsplit(None, 1) for line in out.splitlines())
    assert rows['tracks rejected'] == rows['tracks changed'] == '1'
    assert rows["masks taken from 'good'"] == '3'
    found = {t.id: t for t in PseudoMaskSet.load(tmp_path / 'reviewed.json')}
    good = {t.id: t for t in PseudoMaskSet.load(data / 'good.json')}
    final = {t.id: t for t in PseudoMaskSet.load(data / 'final.json')}
    assert sorted(found) == list(range(1, 8))
    assert found[2].masks[1:4] == good[2].masks[1:4]
    assert found[2].masks[4:] == final[2].masks[4:]
    assert found[2].sources[:5] == ['bad'] + ['good'] * 3 + ['bad']
    assert found[2].scores[:2] == [0.5, 0.9]
    assert found[5] == final[5]


def test_run_builds_and_serves_until_ctrl_c(repo_root, data, tmp_path):
    path = repo_root / 'tools/labeling/review.py'
    words = (*build_words(data, tmp_path), '--port', '0')
    server = subprocess.Popen(
        [sys.executable, path, 'run', *words],
        stdout=subprocess.PIPE,
        text=True,
        # A shell's jobs in the background ignore Ctrl-C, and their children.
        preexec_fn=partial(signal.signal, signal.SIGINT, signal.SIG_DFL),
    )
    try:
        assert '8 tracks' in server.stdout.readline()
        address = server.stdout.readline().split()[0]
        with urllib.request.urlopen(f'{address}api/frames/0/0.jpg') as answer:
            assert answer.headers['Content-Type'] == 'image/jpeg'
        server.send_signal(signal.SIGINT)
        out, _ = server.communicate(timeout=60)
        assert server.returncode == 0 and 'All decisions are saved' in out
    finally:
        server.kill()
        server.wait()


def test_build_from_the_work_dir_of_a_pipeline(tool, data, tmp_path):
    report = tmp_path / 'work' / 'report'
    write_review_inputs(
        report,
        str(data / 'final.json'),
        dict(good=str(data / 'good.json')),
        str(data / 'instances.json'),
        str(data / 'JPEGImages'),
    )
    words = ('--work-dir', tmp_path / 'work', '--out', tmp_path / 'out')
    assert '8 tracks, 120 masks' in tool('review.py', 'build', *words)
    more = ('--sources', f'bad={data / "bad.json"}')
    assert '180 masks' in tool('review.py', 'build', *words, *more)


@pytest.mark.parametrize(
    ('words', 'message'),
    [
        (('build', '--out', 'x'), 'no masks to review'),
        (('build', 'no.json', '--out', 'x'), 'file does not exist'),
        (('serve', 'nowhere'), 'the index of the review does not exist'),
        (
            ('build', '--work-dir', 'nowhere', '--out', 'x'),
            'no pipeline has made a report here',
        ),
    ],
)
def test_mistakes_of_review(tool, words, message):
    with pytest.raises(SystemExit, match=f'error: {message}'):
        tool('review.py', *words)


def test_mistakes_of_apply_review(tool, data, tmp_path):
    review = tmp_path / 'review.json'
    entry = dict(track=0, video=0, action='reject')
    final = tmp_path / 'final.json'
    shutil.copy(data / 'final.json', final)
    content = dict(
        version=1,
        final=dict(file='final.json', sha256='0' * 64),
        decisions=[entry],
    )
    review.write_text(json.dumps(content))
    words = (review, '--final', final, '--out', tmp_path / 'out.json')
    with pytest.raises(SystemExit, match='error: these decisions are about'):
        tool('apply_review.py', *words)
    assert not (tmp_path / 'out.json').exists()
    out = tool('apply_review.py', *words, '--allow-other-final')
    assert 'tracks rejected' in out and (tmp_path / 'out.json').exists()
    entry['track'] = 99
    review.write_text(json.dumps(content))
    with pytest.raises(SystemExit, match='error: 1 tracks with decisions'):
        tool('apply_review.py', *words, '--allow-other-final')
    review.write_text('{"version":1,"fin')
    with pytest.raises(SystemExit, match='error: not a json file'):
        tool('apply_review.py', *words)
