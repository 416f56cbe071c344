import json

import numpy as np
import pytest

from pmvis_mm.formats import RESULT_WRITERS, CSVWriter, write_mask_set
from pmvis_mm.structures import MaskTrack, PseudoMaskSet, VideoInfo
from pmvis_mm.structures.rle import area
from pmvis_mm.utils.errors import MaskSetError, OutputError

NAMES = ('mp4', 'webm', 'json', 'coco_video', 'mots', 'csv', 'png')


@pytest.fixture
def masks(clip):
    """Two tracks over three frames; the second without known scores."""
    video = VideoInfo(4, 32, 24, tuple(f'v/bear/{t}.jpg' for t in range(3)))
    result = PseudoMaskSet(
        {4: video},
        [dict(id=9, name='cat'), dict(id=2, name='dog')],
        {4: []},
        'set.json',
    )
    fill = clip.fill
    for key, category, rles, scores in (
        (17, 2, [fill(0, 0, 8, 8), None, fill(2, 0, 8, 8)], [1.0, None, 0.5]),
        (12, 9, [None, fill(31, 23, 32, 24), None], [None] * 3),
    ):
        sources = [None if m is None else 'grabcut' for m in rles]
        result.tracks[4].append(
            MaskTrack(key, 4, category, rles, [None] * 3, sources, scores)
        )
    return result


def _build(root, **kwargs):
    return [
        RESULT_WRITERS.build(dict(type=name, path=root / name, **kwargs))
        for name in NAMES
    ]


def test_every_format(masks, tmp_path):
    frames = (np.zeros((24, 32, 3), np.uint8) for _ in range(3))
    paths = write_mask_set(masks, 4, _build(tmp_path), frames, fps=5.0)
    assert [path.name for path in paths] == [*NAMES]
    assert sorted(p.name for p in tmp_path.iterdir()) == sorted(NAMES)
    assert sorted(p.name for p in (tmp_path / 'png').iterdir()) == [
        '0.png',
        '1.png',
        '2.png',
    ]
    lines = (tmp_path / 'mots').read_text().splitlines()
    assert [line.split()[:3] for line in lines] == [
        ['1', '2018', '2'],
        ['2', '1013', '1'],
        ['3', '2018', '2'],
    ]
    results = json.loads((tmp_path / 'json').read_text())
    assert [r['score'] for r in results] == [1.0, 0.75]  # unknown; the mean


def test_ids_of_the_set_are_kept(masks, tmp_path):
    writer = RESULT_WRITERS.build(
        dict(
            type='json',
            path=tmp_path / 'a.json',
            as_dataset=True,
            video_id=4,
            category_ids=[c['id'] for c in masks.categories],
            id_offset=0,
        )
    )
    write_mask_set(masks, 4, [writer])
    again = PseudoMaskSet.load(tmp_path / 'a.json', 'grabcut')
    assert again.videos == masks.videos
    by_id = {track.id: track for track in again}
    for track in masks:
        assert by_id[track.id].category_id == track.category_id
        assert by_id[track.id].masks == track.masks
    assert by_id[17].scores == [1.0, None, 0.5]
    assert area(by_id[12].masks[1]) == 1


def test_unknown_video_is_refused(masks, tmp_path):
    with pytest.raises(MaskSetError, match=r'no such video; .*video 5'):
        write_mask_set(masks, 5, _build(tmp_path))
    assert list(tmp_path.iterdir()) == []


@pytest.mark.parametrize('count', [None, 2])
def test_missing_frames_are_refused(masks, tmp_path, count):
    frames = count and [np.zeros((24, 32, 3), np.uint8)] * count
    with pytest.raises(MaskSetError, match=f'{count or 0} frames given'):
        write_mask_set(masks, 4, _build(tmp_path), frames)
    assert list(tmp_path.iterdir()) == []


def test_a_video_without_tracks(masks, tmp_path):
    masks.tracks[4] = []
    writers = [w for w in _build(tmp_path) if not w.needs_images]
    write_mask_set(masks, 4, writers)
    assert json.loads((tmp_path / 'json').read_text()) == []
    assert (tmp_path / 'mots').read_text() == ''


def test_one_that_fails_stops_all(masks, tmp_path):
    writers = [w for w in _build(tmp_path) if not w.needs_images]
    (tmp_path / 'csv').mkdir()
    writers[-2].path = tmp_path / 'csv'
    with pytest.raises(OutputError, match='this is a folder'):
        write_mask_set(masks, 4, writers)
    assert [p.name for p in tmp_path.iterdir()] == ['csv']


def test_a_category_without_a_name(masks, tmp_path):
    del masks.categories[1]['name']
    write_mask_set(masks, 4, [CSVWriter(tmp_path / 'a.csv')])
    rows = (tmp_path / 'a.csv').read_text().splitlines()
    classes = {row.split(',')[4] for row in rows[1:]}
    assert classes == {'cat', '2'}  # its id, as elsewhere
