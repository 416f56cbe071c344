import csv

import numpy as np
import pytest

from pmvis_mm.formats.csv_table import COLUMNS
from pmvis_mm.structures import StreamInfo


def _rows(path):
    with open(path, newline='', encoding='utf-8') as file:
        return list(csv.DictReader(file))


def test_rows_by_hand(clip, write, tmp_path):
    clip.classes = ('cat', 'dog, "big"\nÄ', 'ant')
    rows = _rows(write(dict(type='csv', path=tmp_path / 'a.csv'), clip))
    assert len(rows) == 4 + 2 + 1
    assert tuple(rows[0]) == COLUMNS
    assert rows[1] == {
        'frame': '1',
        'time': '0.08',  # 1 / 12.5
        'track_id': '1',
        'label': '1',
        'class': 'dog, "big"\nÄ',
        'track_score': '0.75',
        'score': '0.75',
        'x0': '5',
        'y0': '2',
        'x1': '15',
        'y1': '12',
        'area': '100',
    }
    assert [(r['track_id'], r['frame']) for r in rows] == [
        ('1', '0'),
        ('1', '1'),
        ('1', '2'),
        ('1', '3'),
        ('3', '1'),
        ('3', '3'),
        ('6', '2'),
    ]
    assert (rows[4]['track_score'], rows[4]['score']) == ('0.5', '0.875')
    assert [rows[6][k] for k in ('x0', 'y0', 'x1', 'y1', 'area')] == [
        '31',
        '23',
        '32',
        '24',
        '1',
    ]


def test_pandas_reads_it(clip, write, tmp_path):
    pandas = pytest.importorskip('pandas')
    table = pandas.read_csv(
        write(dict(type='csv', path=tmp_path / 'a.csv'), clip)
    )
    assert table.groupby('track_id')['area'].sum().to_dict() == {
        1: 400,
        3: 200,
        6: 1,
    }
    assert table['time'].max() == pytest.approx(3 / 12.5)


def test_times_that_the_video_tells(clip, write, tmp_path):
    clip.tracks[0].times = np.array([0.0, 0.5, 0.75, 2.0])
    rows = _rows(write(dict(type='csv', path=tmp_path / 'a.csv'), clip))
    assert [row['time'] for row in rows[:4]] == ['0.0', '0.5', '0.75', '2.0']
    assert rows[4]['time'] == '0.08'  # a track without times


def test_without_a_clock_time_is_empty(clip, write, tmp_path):
    clip.info = StreamInfo('bear', 24, 32)
    clip.tracks = clip.tracks[1:]  # without id 0
    config = dict(type='csv', path=tmp_path / 'a.csv', id_offset=0)
    rows = _rows(write(config, clip))
    assert {row['time'] for row in rows} == {''}
    assert {row['track_id'] for row in rows} == {'2', '5'}


def test_nothing_found_leaves_the_head(empty_clip, write, tmp_path):
    path = write(dict(type='csv', path=tmp_path / 'a.csv'), empty_clip)
    assert path.read_text() == ','.join(COLUMNS) + '\n'
