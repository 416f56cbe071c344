import json
import math
import zipfile

import pytest

from pmvis_mm.evaluation.functional import (
    check_results,
    evaluate_tracks,
    iter_results,
    load_results,
)
from pmvis_mm.structures import parse_annotations
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.utils.errors import ResultsError

SIZE = (6, 8)


@pytest.fixture
def truth():
    return parse_annotations(
        dict(
            videos=[
                dict(
                    id=video,
                    width=8,
                    height=6,
                    file_names=[f'{video}/{t}.png' for t in range(2)],
                )
                for video in (4, 7)
            ],
            categories=[dict(id=3, name='bar')],
            annotations=[
                dict(
                    id=1,
                    video_id=4,
                    category_id=3,
                    bboxes=[[1, 1, 3, 3], None],
                    segmentations=[box_rle((1, 1, 4, 4), *SIZE), None],
                )
            ],
        ),
        with_masks=True,
    )


def entry(**changes):
    mask = box_rle((1, 1, 4, 4), *SIZE)
    return {
        **dict(
            video_id=4,
            category_id=3,
            score=0.5,
            segmentations=[mask, None],
        ),
        **changes,
    }


@pytest.fixture
def write(tmp_path):
    def write(entries, name='r.json'):
        path = tmp_path / name
        path.write_text(
            entries if isinstance(entries, str) else json.dumps(entries)
        )
        return path

    return write


def test_sound_file(write, truth):
    path = write([entry(), entry(video_id=7, score=0)])
    assert check_results(path, truth) == []
    entries = load_results(path, truth)
    assert entries == json.loads(path.read_text())
    assert evaluate_tracks(entries, truth).summary()['AP'] == pytest.approx(1)
    assert check_results(write([]), truth) == []
    assert list(iter_results(write(' [ ]\n'))) == []


def test_zip(write, truth, tmp_path):
    path = tmp_path / 'r.zip'
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('results.json', json.dumps([entry()]))
        archive.writestr('other.json', '{}')
    assert load_results(path, truth) == [entry()]
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('my/own.json', json.dumps([entry()]))
    assert check_results(path, truth) == []
    with zipfile.ZipFile(path, 'w') as archive:
        archive.writestr('a.json', '[]')
        archive.writestr('b.json', '[]')
    (problem,) = check_results(path, truth)
    assert 'holds 2 json files' in str(problem)
    whole = path.read_bytes()
    path.write_bytes(whole[: len(whole) // 2])
    (problem,) = check_results(path, truth)
    assert 'not a zip file' in str(problem) and 'write it again' in str(
        problem
    )


def test_a_file_cut_in_half_is_named(write, truth):
    text = json.dumps([entry() for _ in range(9)])
    for share in (0.5, 0.51, 0.66, 0.99):
        path = write(text[: int(share * len(text))])
        (problem,) = check_results(path, truth)
        whole = int(share * 9)
        assert f'after {whole} whole entries' in str(problem)
        assert str(path) in str(problem) and 'write it again' in str(problem)
        with pytest.raises(ResultsError, match='whole entries'):
            load_results(path, truth)


@pytest.mark.parametrize(
    ('text', 'message'),
    [
        ('', 'not a list of results'),
        ('{}', "not a list of results: found '{'"),
        ('[1]', 'this entry is no object'),
        ('[{"a": 1} 5]', "found '5', after 1 whole"),
        ('[{"a": 1}] x', 'something follows the list'),
        ('[{"a" 1}]', 'is no json'),
        ('[' + '{"a":' * 100_000, 'json that no results file holds'),
    ],
)
def test_other_files(write, truth, text, message):
    (problem,) = [
        p for p in check_results(write(text), truth) if 'has no' not in str(p)
    ]
    assert message in str(problem)


def test_long_entries_are_read_whole(write, truth):
    entries = [dict(note='x' * 3_000_000), dict(note='y')]
    found = list(iter_results(write(entries)))
    assert found == entries


def test_missing_file_and_folder(tmp_path, truth):
    (problem,) = check_results(tmp_path / 'none.json', truth)
    assert 'does not exist' in str(problem)
    (problem,) = check_results(tmp_path, truth)
    assert 'cannot be read' in str(problem)


SMALL = box_rle((0, 0, 2, 2), 4, 4)
BAD_ENTRIES = [
    (dict(video_id=9), 'do not list.*video 9'),
    (dict(video_id='4'), 'do not list'),
    (dict(category_id=1), r'unknown category_id 1; known are \[3\]'),
    (dict(score=math.nan), 'score nan'),
    (dict(score=None), 'score None'),
    (dict(score=10**400), 'score 1000'),
    (dict(category_id=[3]), r'unknown category_id \[3\]'),
    (dict(segmentations=[dict(size=6, counts='0'), None]), 'size 6.*frame 0'),
    (dict(segmentations=[None]), '1 segmentations but .* 2 frames'),
    (dict(segmentations=None), 'None segmentations'),
    (dict(segmentations=[SMALL, None]), r'size \[4, 4\].*\[6, 8\].*frame 0'),
    (dict(segmentations=[None, [1, 2]]), 'no RLE.*frame 1'),
]
BAD_COUNTS = [
    ('zz', 'neither a list nor a COCO string'),
    ('X1', 'counts add up to 40'),
    ([1, 2, 45], 'not compressed'),
    ('7Y10', 'run of length zero'),
    ([10**20, 1], 'not compressed'),
]
WRAPPING = [2**63 - 1, 2**63 - 1, 6 * 8 + 2]


@pytest.mark.parametrize(('change', 'message'), BAD_ENTRIES)
def test_bad_entries(write, truth, change, message):
    path = write([entry(), entry(**change), entry()])
    (problem,) = check_results(path, truth)
    assert str(problem).startswith('entry 1 ') and 'Fix: ' in str(problem)
    with pytest.raises(ResultsError, match=message) as caught:
        load_results(path, truth)
    assert str(caught.value) == str(problem)
    with pytest.raises(ResultsError, match=message):
        evaluate_tracks([entry(**change)], truth)


def test_missing_keys(write, truth):
    bad = entry()
    del bad['score']
    (problem,) = check_results(write([bad]), truth)
    assert "entry 0 has no ['score']" in str(problem)


@pytest.mark.parametrize(('counts', 'message'), BAD_COUNTS)
def test_bad_counts(write, truth, counts, message):
    masks = [None, dict(size=list(SIZE), counts=counts)]
    (problem,) = check_results(write([entry(segmentations=masks)]), truth)
    assert message in str(problem) and 'frame 1' in str(problem)


@pytest.mark.parametrize('counts', [[10**20], WRAPPING])
def test_runs_longer_than_any_frame(write, truth, counts):
    masks = [None, dict(size=list(SIZE), counts=counts)]
    path = write([entry(segmentations=masks)])
    with pytest.raises(ResultsError, match='longer than any frame'):
        load_results(path, truth)


def test_a_zip_with_spoilt_bytes(truth, tmp_path):
    path = tmp_path / 'r.zip'
    with zipfile.ZipFile(path, 'w', zipfile.ZIP_DEFLATED) as archive:
        archive.writestr('results.json', json.dumps([entry()] * 50))
    content = bytearray(path.read_bytes())
    content[60:63] = b'\xff' * 3
    path.write_bytes(content)
    (problem,) = check_results(path, truth)
    assert 'cannot be read' in str(problem)


def test_what_can_be_mended_is_mended(write, truth):
    # Rows 1 to 3 of columns 1 to 3, with a needless run of length zero.
    plain = [7, 3, 3, 3, 3, 3, 26]
    odd = [7, 3, 3, 3, 3, 1, 0, 2, 26]
    for counts in (plain, odd):
        masks = [dict(size=list(SIZE), counts=counts), None]
        path = write([entry(segmentations=masks)])
        assert load_results(path, truth) == [entry()]
    path = write([entry(segmentations=[dict(size=[6, 8], counts='zz'), None])])
    with pytest.raises(ResultsError, match=r'bad mask.*video 4, frame 0'):
        load_results(path, truth)


def test_too_many(write, truth):
    path = write([entry(segmentations=[None, None])] * 101)
    (problem,) = check_results(path, truth)
    assert '101 predictions of category 3' in str(problem)
    path = write([entry()] * 5 + [entry(video_id=7)] * 6)
    (problem,) = check_results(path, truth, max_per_video=5)
    assert '6 predictions, more than 5 [' in str(problem)
    assert 'video 7' in str(problem)


def test_many_problems_stop(write, truth):
    path = write([entry(video_id=1)] * 50)
    assert len(check_results(path, truth, max_problems=7)) == 7
