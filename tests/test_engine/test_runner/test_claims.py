from concurrent.futures import ThreadPoolExecutor

import pytest

from pmvis_mm.engine.runner.claims import (
    VideoClaims,
    longest_first,
    remove_claims,
)
from pmvis_mm.utils.errors import OutputError


def test_every_video_goes_to_one(tmp_path):
    one, two = (VideoClaims(tmp_path, 'run') for _ in range(2))
    first, second = one.take([1, 2, 3, 4]), two.take([1, 2, 3, 4])
    # A slow process holds video 1 while the other works on.
    assert next(first) == 1
    assert [next(second), next(second)] == [2, 3]
    assert next(first) == 4
    assert list(first) == list(second) == []


def test_a_video_is_claimed_only_when_it_is_asked_for(tmp_path):
    taken = VideoClaims(tmp_path, 'run').take([1, 2])
    assert not list(tmp_path.iterdir())
    next(taken)
    assert VideoClaims(tmp_path, 'run').claim(2)


def test_many_at_once(tmp_path):
    ids = list(range(200))

    def work(_):
        return list(VideoClaims(tmp_path / 'shards', 'run').take(ids))

    with ThreadPoolExecutor(8) as pool:
        parts = list(pool.map(work, range(8)))
    assert sorted(key for part in parts for key in part) == ids


def test_claims_of_another_run_do_not_count(tmp_path):
    assert VideoClaims(tmp_path, 'killed').claim(7)
    assert VideoClaims(tmp_path, 'new').claim(7)
    assert not VideoClaims(tmp_path, 'new').claim(7)


def test_removal_leaves_the_shards(tmp_path):
    (tmp_path / '7.json').write_text('{}')
    for token in ('killed', 'new'):
        VideoClaims(tmp_path, token).claim(7)
    remove_claims(tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ['7.json']
    remove_claims(tmp_path)
    # A process of another run that is still at work can go on.
    assert VideoClaims(tmp_path, 'new').claim(8)


@pytest.mark.parametrize(
    'costs, expected',
    [
        ([1, 3, 2], [20, 30, 10]),
        ([1, 2, 2], [20, 30, 10]),
        ([5, 5, 5], [10, 20, 30]),
    ],
)
def test_longest_first(costs, expected):
    assert longest_first([10, 20, 30], costs) == expected
    assert longest_first([], []) == []


def test_folder_that_cannot_be_written(tmp_path):
    (tmp_path / 'file').write_text('')
    claims = VideoClaims(tmp_path / 'file', 'run')
    with pytest.raises(OutputError, match='cannot write here') as caught:
        claims.claim(3)
    assert caught.value.file == claims.folder / '3'
