"""Reading loss curves from logs."""

import json
import runpy

import pytest


@pytest.fixture(scope='module')
def curves(repo_root):
    return runpy.run_path(str(repo_root / 'benchmarks/_curves.py'))


def write(folder, name, rows):
    path = folder / name / 'vis_data/scalars.json'
    path.parent.mkdir(parents=True)
    path.write_text(''.join(json.dumps(row) + '\n' for row in rows))


def test_resumed_training_counts_once(curves, tmp_path):
    first = [dict(loss=9.0, step=20), dict(loss=8.0, step=40)]
    again = [dict(loss=7.0, step=40), {'vis/AP': 0.5, 'step': 40}]
    write(tmp_path, '20260102_000000', again)
    write(tmp_path, '20260101_000000', first)
    rows = curves['read_losses'](tmp_path)
    assert rows == [dict(loss=9.0, step=20), dict(loss=7.0, step=40)]


def test_terms(curves):
    rows = [
        {'loss': 3.0, 'd0.loss_cls': 1.0, 'loss_cls': 1.0, 'step': 1},
        {'loss': 3.0, 'loss_cls': 1.0, 'loss_reid': 1.0, 'lr': 0.1},
    ]
    assert curves['last_layer_terms'](rows) == ['loss_cls', 'loss_reid']


def test_no_training(curves, tmp_path):
    assert curves['read_losses'](tmp_path) == []
    assert curves['last_layer_terms']([]) == []
