import json
import zipfile

import pytest

from pmvis_mm.evaluation.metrics.results_spool import (
    Piece,
    ResultSpool,
    write_results,
)
from pmvis_mm.utils.errors import OutputError

ENTRIES = {
    7: [dict(score=0.5, segmentations=[None, dict(counts='a\\b')])],
    2: [dict(score=1.0), dict(score=0.25)],
    3: [],
}


@pytest.fixture
def spool(tmp_path):
    spool = ResultSpool(str(tmp_path / 'out' / 'r'))
    for key, entries in ENTRIES.items():
        spool.add(key, entries)
    yield spool
    spool.close()


def test_what_goes_in_comes_out(spool, tmp_path):
    assert spool.read(2) == Piece(2, b'{"score":1.0},{"score":0.25}')
    assert spool.read(3) == Piece(0, b'')
    # It waits in a file without a name, or under a name of its own.
    assert not list((tmp_path / 'out').glob('r.*'))
    spool.close()
    with pytest.raises(KeyError):
        spool.read(2)
    spool.add(2, [dict(score=0)])
    assert spool.read(2).text == b'{"score":0}'


@pytest.mark.parametrize('as_zip', [False, True])
def test_files(spool, tmp_path, as_zip):
    pieces = [spool.read(key) for key in sorted(ENTRIES)]
    assert write_results(spool.prefix, pieces, as_zip) == 3
    text = (tmp_path / 'out/r.results.json').read_bytes()
    assert json.loads(text) == [*ENTRIES[2], *ENTRIES[7]]
    path = tmp_path / 'out/r.results.zip'
    assert path.exists() == as_zip
    if as_zip:
        with zipfile.ZipFile(path) as archive:
            assert archive.testzip() is None
            assert archive.read('results.json') == text


def test_nothing(tmp_path):
    assert write_results(str(tmp_path / 'r'), [], False) == 0
    assert (tmp_path / 'r.results.json').read_text() == '[]'


def test_a_failure_leaves_no_file(tmp_path):
    def pieces():
        yield Piece(1, b'{}')
        raise RuntimeError('half way')

    with pytest.raises(RuntimeError, match='half way'):
        write_results(str(tmp_path / 'r'), pieces(), True)
    assert list(tmp_path.iterdir()) == []


def test_no_folder_to_write_to(tmp_path):
    (tmp_path / 'file').write_text('')
    spool = ResultSpool(str(tmp_path / 'file' / 'r'))
    with pytest.raises(OutputError, match='cannot write here'):
        spool.add(1, [])
