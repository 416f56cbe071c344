"""Findings, counts, and nothing found where all is well."""

from pathlib import Path

import pytest

from pmvis_mm.checking import (
    RULES,
    Findings,
    check_annotations,
    check_files,
    count,
)
from pmvis_mm.checking.rules import SEVERITIES
from pmvis_mm.datasets.shapes_vis import write_shapes_vis


def test_every_rule_is_tested_and_helps():
    tests = ''.join(p.read_text() for p in Path(__file__).parent.glob('*.py'))
    assert [code for code in RULES if f"'{code}'" not in tests] == []
    assert len(RULES) >= 40
    for rule in RULES.values():
        assert rule.severity in SEVERITIES and len(rule.fix) > 10


def test_all_are_counted_and_some_are_kept():
    found = Findings('a.json', max_kept=3)
    for t in range(5):
        found.add('box-jump', 'far', video=1, frame=t)
    found.add('box-zero-size', 'flat', video=2, frame=7, instance=4)
    found.add('frame-missing', 'gone', file='b.png', number=6)
    assert len(found) == 12 and found.num_errors == 7
    assert found.number('note') == 5 and found.num_warnings == 0
    assert found.summary() == '7 errors, 0 warnings, 5 notes'
    # Errors first.
    assert [finding.code for finding in found] == [
        'box-zero-size',
        'frame-missing',
        *['box-jump'] * 3,
    ]
    assert [finding.file for finding in found][:3] == [
        'a.json',
        'b.png',
        'a.json',
    ]
    assert str(found.of('box-zero-size')[0]) == (
        'error: box-zero-size: flat [file a.json, video 2, frame 7, '
        'instance 4]. Fix: write null where the object is absent'
    )
    assert found.of('box-zero-size')[0].to_json() == dict(
        code='box-zero-size',
        severity='error',
        problem='flat',
        file='a.json',
        video=2,
        frame=7,
        instance=4,
        fix='write null where the object is absent',
        repaired_by_fix=True,
    )
    found.add('video-unknown', 'x', video=[1])
    assert found.of('video-unknown')[0].to_json()['video'] == '[1]'


def test_many_findings_stay_few_in_memory(data):
    entry = data['annotations'][0]
    entry['bboxes'] = [[1, 1, 0, 0]] * 4
    data['annotations'] += [
        dict(entry, id=10 + i, category_id=1 + i % 2, note=i)
        for i in range(600)
    ]
    found, _ = check_annotations(data)
    assert found.counts['box-zero-size'] == 4 * 601
    assert len(found.of('box-zero-size')) == 1000


def test_counts(data):
    data['videos'][1]['file_names'].pop()
    del data['videos'][1]['length']
    data['annotations'].pop()
    data['annotations'][2].update(
        bboxes=[None, [1, 1, 4, 4], None], segmentations=[None] * 3
    )
    _, content = check_annotations(data)
    counts = count(content)
    assert (counts.videos, counts.frames, counts.tracks) == (2, 7, 3)
    assert (counts.boxes, counts.masks) == (4 + 3 + 1, 7)
    assert {
        n: tuple(vars(c).values()) for n, c in counts.categories.items()
    } == {
        'square': (2, 2, 5),
        'bar': (1, 1, 3),
    }
    assert counts.sizes == {'48x32': 2}
    assert counts.lengths == (3, 3.5, 4)
    assert counts.track_lengths == (1, 3, 4)
    assert count(content, box_only=True).masks is None
    lines = counts.tables().splitlines()
    assert lines[1].split() == ['2', '7', '3', '8', '7']
    assert lines[4].split() == ['a', 'video', '3', '3.5', '4']
    assert counts.to_json()['categories']['bar'] == dict(
        instances=1, videos=1, boxes=3
    )


def test_counts_of_nothing():
    _, content = check_annotations([])
    counts = count(content)
    assert (counts.videos, counts.boxes, counts.lengths) == (0, 0, ())
    assert '-' in counts.tables()


# -------------------------------------------------------------------- clean
@pytest.fixture(scope='module')
def shapes(tmp_path_factory):
    root = tmp_path_factory.mktemp('shapes')
    return write_shapes_vis(root, 6, num_frames=8)


@pytest.mark.parametrize('file', ['instances.json', 'boxes.json'])
@pytest.mark.parametrize('box_only', [False, True])
def test_nothing_in_clean_shapes(shapes, file, box_only):
    (report,), overlap = check_files(
        [shapes / file],
        [shapes / 'JPEGImages'],
        decode='all',
        box_only=box_only,
    )
    assert [str(f) for f in report.findings] == [] and len(overlap) == 0
    assert report.counts.videos == 6 and report.counts.frames == 48


@pytest.mark.parametrize('file', ['instances.json', 'instances_box_only.json'])
@pytest.mark.parametrize('box_only', [False, True])
def test_nothing_in_davis_mini(repo_root, file, box_only):
    root = repo_root.parent / 'shared/data/davis_mini'
    if not (root / file).exists():
        pytest.skip('no davis_mini in the folder "shared" beside the checkout')
    (report,), _ = check_files(
        [root / file], [root / 'JPEGImages'], box_only=box_only
    )
    assert [str(f) for f in report.findings] == []
    assert report.counts.videos == 12
