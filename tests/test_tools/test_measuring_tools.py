"""Tools that split data and judge masks and tracks, through their words."""

import json
import runpy
import sys

import pytest

from pmvis_mm.structures.rle import box_rle

SIZE = (40, 60)


@pytest.fixture
def run_tool(repo_root, monkeypatch):
    def run(name, *words):
        monkeypatch.setattr(sys, 'argv', [name, *map(str, words)])
        path = repo_root / 'tools' / name
        runpy.run_path(str(path), run_name='__main__')

    return run


def make_data(widths):
    """Two videos of two frames with an instance each of 10 columns.

    ``widths``: columns of its mask per video; None leaves masks out.
    """
    annotations = []
    for video in range(2):
        entry = dict(
            id=video,
            video_id=video,
            category_id=video + 1,
            bboxes=[[0, 0, 10, 40]] * 2,
        )
        if widths is not None:
            mask = box_rle((0, 0, widths[video], 40), *SIZE)
            entry['segmentations'] = [mask] * 2
        annotations.append(entry)
    videos = [
        dict(
            id=key,
            width=SIZE[1],
            height=SIZE[0],
            file_names=[f'v{key}/{t}.jpg' for t in range(2)],
        )
        for key in range(2)
    ]
    categories = [dict(id=1, name='cat'), dict(id=2, name='dog')]
    return dict(videos=videos, categories=categories, annotations=annotations)


@pytest.fixture
def write(tmp_path):
    def to_file(name, data):
        path = tmp_path / name
        path.write_text(data if isinstance(data, str) else json.dumps(data))
        return path

    return to_file


def cells(text, start):
    """Cells of the line of a table that begins with ``start``."""
    (line,) = [r for r in text.splitlines() if r.startswith(start)]
    return line[len(start) :].split()


# ------------------------------------------------------------ mask quality
def test_mask_quality(run_tool, write, tmp_path, capsys):
    truth = write('truth.json', make_data([10, 10]))
    final = write('final.json', make_data([9, 6]))
    out = tmp_path / 'new' / 'figures.json'
    run_tool(
        'analysis_tools/mask_quality.py',
        *(final, '--truth', truth, '--out', out),
        *('--sources', f'sam={write("sam.json", make_data([10, 5]))}'),
    )
    text = capsys.readouterr().out
    final_text, source_text = text.split('\n\n')
    assert cells(final_text, 'all')[:4] == ['4', '0.7500', '0.7500', '1.0000']
    assert cells(final_text, 'category dog')[1] == '0.6000'
    assert cells(final_text, 'source final')[0] == '4'
    assert cells(source_text, 'size small')[1] == '0.7500'
    assert 'occlusion no_occlusion' in source_text
    figures = json.loads(out.read_text())
    assert list(figures) == ['sources', 'final']
    assert figures['final']['category']['cat']['above_90'] == 1
    assert figures['sources']['sam']['source']['sam']['miou'] == 0.75
    assert 0 < figures['final']['all']['boundary_f'] <= 1


def test_mask_quality_without_outlines(run_tool, write, capsys):
    truth = write('truth.json', make_data([10, 10]))
    words = (truth, '--truth', truth, '--no-boundary')
    run_tool('analysis_tools/mask_quality.py', *words)
    text = capsys.readouterr().out
    assert text.splitlines()[0].split()[-1] == '>=0.9'
    assert cells(text, 'all')[-1] == '1.0000'


def test_mask_quality_of_bad_input(run_tool, write):
    truth = write('truth.json', make_data([10, 10]))
    boxes = write('boxes.json', make_data(None))
    empty = write('empty.json', dict(make_data(None), annotations=[]))
    other = make_data([10, 10])
    other['videos'][0]['file_names'][0] = 'else.jpg'
    cases = [
        ((truth, '--truth', boxes), 'no masks to compare with'),
        ((truth, '--truth', empty), 'no real mask to compare with'),
        ((boxes, '--truth', truth), 'no "segmentations"'),
        ((write('o.json', other), '--truth', truth), 'differ from'),
        ((write('cut.json', '{"vid'), '--truth', truth), 'not a json file'),
    ]
    for words, message in cases:
        with pytest.raises(SystemExit, match=f'error: .*{message}'):
            run_tool('analysis_tools/mask_quality.py', *words)


# ----------------------------------------------------------- eval tracking
def results(data, score=0.9):
    return [
        dict(
            video_id=entry['video_id'],
            category_id=entry['category_id'],
            score=score,
            segmentations=entry['segmentations'],
        )
        for entry in data['annotations']
    ]


def test_eval_tracking(run_tool, write, tmp_path, capsys):
    pytest.importorskip('trackeval')
    truth = write('truth.json', make_data([10, 10]))
    found = write('results.json', results(make_data([10, 6])))
    out = tmp_path / 'figures.json'
    run_tool(
        'analysis_tools/eval_tracking.py',
        *(found, '--truth', truth, '--per-video', '--out', out),
    )
    text = capsys.readouterr().out
    # IoU 0.6 is enough for 12 of 19 thresholds.
    assert cells(text, 'category dog')[0] == f'{12 / 19:.4f}'
    assert cells(text, 'video v1') == cells(text, 'category dog')
    assert cells(text, 'all')[0] == f'{(1 + 12 / 19) / 2:.4f}'
    figures = json.loads(out.read_text())
    assert figures['categories']['1']['HOTA'] == pytest.approx(1)
    assert figures['overall']['CLR_TP'] == 4
    run_tool(
        'analysis_tools/eval_tracking.py',
        *(found, '--truth', truth, '--class-agnostic'),
        *('--families', 'Identity'),
    )
    text = capsys.readouterr().out
    assert text.split() == [
        'IDF1',
        'all',
        '1.0000',
        *'category any'.split(),
    ] + [
        'class',
        '1.0000',
    ]


def test_eval_tracking_of_pseudo_masks_and_scores(run_tool, write, capsys):
    pytest.importorskip('trackeval')
    data = make_data([10, 10])
    truth = write('truth.json', data)
    name = 'analysis_tools/eval_tracking.py'
    run_tool(name, truth, '--truth', truth, '--pseudo-masks')
    assert cells(capsys.readouterr().out, 'all')[0] == '1.0000'
    found = write('results.json', results(data, 0.5))
    run_tool(name, found, '--truth', truth, '--score-thr', 0.6)
    assert cells(capsys.readouterr().out, 'all')[0] == '0.0000'


def test_eval_tracking_of_bad_input(run_tool, write):
    pytest.importorskip('trackeval')
    data = make_data([10, 10])
    truth = write('truth.json', data)
    text = json.dumps(results(data))
    unknown = dict(results(data)[0], video_id=9)
    cases = [
        (write('cut.json', text[: len(text) // 2]), 'ends early'),
        (write('unknown.json', [unknown]), 'do not list'),
        (truth, 'not a list of results'),
    ]
    for path, message in cases:
        with pytest.raises(SystemExit, match=f'error: .*{message}'):
            run_tool('analysis_tools/eval_tracking.py', path, '--truth', truth)


# ------------------------------------------------------------------- split
def test_split_dataset(run_tool, write, tmp_path, capsys):
    path = write('all.json', make_data([10, 10]))
    run_tool(
        'dataset_converters/split_dataset.py',
        *(path, '--val-videos', 1, '--out-dir', tmp_path / 'parts'),
    )
    text = capsys.readouterr().out
    assert cells(text, 'all') == ['1', '1', '1', '1', '0.500']
    assert 'warning: categories only in the training part' in text
    parts = [
        json.loads((tmp_path / 'parts' / f'all_{name}.json').read_text())
        for name in ('train', 'minival')
    ]
    videos = [part['videos'][0]['id'] for part in parts]
    assert sorted(videos) == [0, 1]
    assert parts[0]['annotations'][0]['video_id'] == videos[0]


def test_split_dataset_of_bad_input(run_tool, write, capsys):
    path = write('all.json', make_data(None))
    tool = 'dataset_converters/split_dataset.py'
    with pytest.raises(SystemExit, match=r'error: .*between 0 and 1'):
        run_tool(tool, path, '--val-fraction', 1.5)
    with pytest.raises(SystemExit):
        run_tool(tool, path)
    assert 'required' in capsys.readouterr().err
