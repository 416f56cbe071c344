"""Tools that check and judge results files, through their words."""

import json
import runpy
import sys
import time

import pytest

from pmvis_mm.structures.rle import box_rle

SIZE = (6, 8)
MASK = box_rle((1, 1, 4, 4), *SIZE)


@pytest.fixture
def run_tool(repo_root, monkeypatch, capsys):
    def run(name, *words):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, words)])
        path = repo_root / 'tools/analysis_tools' / name
        code = 0
        try:
            runpy.run_path(str(path), run_name='__main__')
        except SystemExit as stop:
            code = stop.code
        return code, capsys.readouterr().out

    return run


@pytest.fixture
def files(tmp_path):
    data = dict(
        videos=[
            dict(
                id=4,
                width=8,
                height=6,
                file_names=['4/0.png', '4/1.png'],
            )
        ],
        categories=[dict(id=3, name='bar'), dict(id=5, name='dot')],
        annotations=[
            dict(
                id=1,
                video_id=4,
                category_id=3,
                bboxes=[[1, 1, 3, 3]] * 2,
                segmentations=[MASK, MASK],
            )
        ],
    )
    results = [
        dict(
            video_id=4,
            category_id=3,
            score=0.5,
            segmentations=[MASK, None],
        )
    ]
    paths = tmp_path / 'r.json', tmp_path / 'truth.json'
    for path, content in zip(paths, (results, data)):
        path.write_text(json.dumps(content))
    return paths


def test_check_of_sound_results(run_tool, files):
    code, out = run_tool('check_results.py', *files)
    assert code == 0
    assert json.loads(out.splitlines()[-1])['problems'] == 0


def test_check_needs_no_masks_of_the_truth(run_tool, files):
    data = json.loads(files[1].read_text())
    data['annotations'] = None
    files[1].write_text(json.dumps(data))
    assert run_tool('check_results.py', *files)[0] == 0


def test_check_of_a_file_cut_in_half(run_tool, files):
    text = files[0].read_text()
    files[0].write_text(text[: len(text) // 2])
    code, out = run_tool('check_results.py', *files)
    assert code == 1
    problem, last = out.splitlines()
    assert problem.startswith('problem: the file ends early')
    assert str(files[0]) in problem and 'write it again' in problem
    assert json.loads(last)['problems'] == 1


def test_check_stops_and_limits(run_tool, files):
    entry = json.loads(files[0].read_text())[0]
    files[0].write_text(json.dumps([entry, dict(entry, video_id=1)] * 4))
    words = ('--max-problems', 2, '--max-per-video', 3)
    code, out = run_tool('check_results.py', *files, *words)
    assert code == 1 and out.count('problem: ') == 2
    files[0].write_text(json.dumps([entry] * 4))
    code, out = run_tool('check_results.py', *files, *words)
    assert '4 predictions, more than 3' in out


def test_check_without_annotations(run_tool, files, tmp_path):
    code, _ = run_tool('check_results.py', files[0], tmp_path / 'none.json')
    assert code.startswith('error: file does not exist')


def test_eval(run_tool, files):
    code, out = run_tool('eval_results.py', *files)
    assert code == 0
    report = json.loads(out.splitlines()[-1])
    # IoU 1/2 passes one threshold of ten; class "dot" has nothing real.
    assert report == pytest.approx(
        dict(AP=0.1, AP50=1, AP75=0, AR1=0.1, AR10=0.1)
    )


def test_eval_with_breakdown(run_tool, files, tmp_path):
    code, out = run_tool('eval_results.py', *files, '--breakdown')
    assert code == 0
    report = json.loads(out.splitlines()[-1])
    assert report['AP_small'] == report['AP_short'] == pytest.approx(0.1)
    assert report['AP_large'] is None and report['AP_long'] is None
    assert report['error_missed_count'] == 0
    assert report['classes'] == [dict(id=3, name='bar', AP=pytest.approx(0.1))]
    ids = tmp_path / 'long.json'
    ids.write_text('[4]')
    words = ('--breakdown', '--long-videos', ids)
    _, out = run_tool('eval_results.py', *files, *words)
    assert json.loads(out.splitlines()[-1])['AP_long'] == pytest.approx(0.1)
    ids.write_text('{}')
    code, _ = run_tool('eval_results.py', *files, *words)
    assert code.startswith('error: expected a list of ids, got dict')


def test_eval_of_bad_results(run_tool, files):
    text = files[0].read_text()
    files[0].write_text(text[: len(text) // 2])
    code, _ = run_tool('eval_results.py', *files)
    assert code.startswith('error: the file ends early')


def test_eval_of_davis_mini_takes_seconds(run_tool, repo_root, tmp_path):
    ann_file = repo_root.parent / 'shared/data/davis_mini/instances.json'
    if not ann_file.exists():
        pytest.skip('no davis_mini in the folder "shared" beside the checkout')
    data = json.loads(ann_file.read_text())
    results = tmp_path / 'r.json'
    results.write_text(
        json.dumps(
            [
                dict(
                    video_id=track['video_id'],
                    category_id=track['category_id'],
                    score=0.5,
                    segmentations=track['segmentations'],
                )
                for track in data['annotations']
            ]
        )
    )
    begin = time.process_time()
    code, out = run_tool('eval_results.py', results, ann_file, '--breakdown')
    assert code == 0 and time.process_time() - begin < 20
    assert json.loads(out.splitlines()[-1])['AP'] == pytest.approx(1)
