"""Exports of several videos, opened by libraries of others."""

import json

import numpy as np
import pytest
from PIL import Image
from pycocotools.coco import COCO

from pmvis_mm.formats import export_set, load_source, voc_palette
from pmvis_mm.structures.rle import decode
from pmvis_mm.testing.odd_dataset import odd_dataset


@pytest.fixture
def small(tmp_path):
    """Without overlaps and crowds, ids from 1 to 5."""
    content = odd_dataset(overlaps=False)
    entries = content['annotations'][:5]
    for number, entry in enumerate(entries, 1):
        entry['id'] = number
    content['annotations'] = entries
    path = tmp_path / 'small.json'
    path.write_text(json.dumps(content))
    return content, path


def _lengths(content):
    return {
        name: len(v['file_names'])
        for name, v in zip(
            ('ä clip', 'MOT-02', 'empty one'), content['videos']
        )
    }


def _shown(content, video_id):
    """Frames and masks of the tracks of a video by id."""
    return {
        e['id']: {t: m for t, m in enumerate(e['segmentations']) if m}
        for e in content['annotations']
        if e['video_id'] == video_id
    }


def _trackeval(kind, root, **kwargs):
    trackeval = pytest.importorskip('trackeval')
    return getattr(trackeval.datasets, kind)(
        dict(
            GT_FOLDER=str(root / 'gt'),
            TRACKERS_FOLDER=str(root / 'tr'),
            TRACKERS_TO_EVAL=['ours'],
            SKIP_SPLIT_FOL=True,
            PRINT_CONFIG=False,
            **kwargs,
        )
    )


def test_trackeval_reads_mot(small, tmp_path):
    content, path = small
    source = load_source(path)
    pedestrians = dict.fromkeys(source.classes, 1)
    options = dict(class_ids=pedestrians)
    export_set(source, 'mot', tmp_path / 'gt', options=options)
    export_set(
        source,
        'mot',
        tmp_path / 'tr/ours/data',
        options=dict(layout='files', style='results'),
    )
    seqmap = tmp_path / 'gt/seqmap.txt'
    dataset = _trackeval(
        'MotChallenge2DBox', tmp_path, SEQMAP_FILE=str(seqmap)
    )
    assert dataset.seq_lengths == _lengths(content)
    raw = dataset.get_raw_seq_data('ours', 'ä clip')
    first = content['annotations'][1]  # has wider boxes than its masks
    for frame, xywh in enumerate(first['bboxes']):
        ids = raw['gt_ids'][frame].tolist()
        assert (first['id'] in ids) == (xywh is not None)
        if xywh is not None:
            box = raw['gt_dets'][frame][ids.index(first['id'])]
            np.testing.assert_allclose(box, xywh, atol=1e-4)
    data = dataset.get_preprocessed_seq_data(raw, 'pedestrian')
    assert (data['num_gt_ids'], data['num_gt_dets']) == (3, 8)
    trackeval = pytest.importorskip('trackeval')
    hota = trackeval.metrics.HOTA().eval_sequence(data)
    assert hota['HOTA'].min() == pytest.approx(1.0)


def test_motmetrics_reads_mot(small, tmp_path):
    motmetrics = pytest.importorskip('motmetrics')
    content, path = small
    options = dict(layout='files', style='results')
    export_set(load_source(path), 'mot', tmp_path / 'out', options=options)
    table = motmetrics.io.loadtxt(str(tmp_path / 'out/MOT-02.txt'))
    masks = _shown(content, 3)
    assert sorted(table.index) == sorted(
        (t + 1, key) for key, frames in masks.items() for t in frames
    )
    # It counts pixels from 1 and subtracts that.
    assert table.loc[(1, 5), ['X', 'Y', 'Width', 'Height']].tolist() == [
        -1,
        -1,
        32,
        3,
    ]


def test_trackeval_reads_mots(small, tmp_path):
    content, path = small
    source = load_source(path)
    options = dict(class_ids=dict.fromkeys(source.classes, 2))
    export_set(
        source,
        'mots',
        tmp_path / 'gt',
        options=dict(options, layout='sequences'),
    )
    export_set(source, 'mots', tmp_path / 'tr/ours/data', options=options)
    seqmap = tmp_path / 'gt/seqmap.txt'
    dataset = _trackeval('MOTSChallenge', tmp_path, SEQMAP_FILE=str(seqmap))
    assert dataset.seq_lengths == _lengths(content)
    raw = dataset.get_raw_seq_data('ours', 'ä clip')
    for t in range(4):
        theirs = dict(zip(raw['gt_ids'][t].tolist(), raw['gt_dets'][t]))
        assert {key - 2000 for key in theirs} == {
            key for key, m in _shown(content, 7).items() if t in m
        }
        for key, mask in theirs.items():
            ours = _shown(content, 7)[key - 2000][t]
            assert decode(mask).tobytes() == decode(ours).tobytes()
    data = dataset.get_preprocessed_seq_data(raw, 'pedestrian')
    trackeval = pytest.importorskip('trackeval')
    hota = trackeval.metrics.HOTA().eval_sequence(data)
    assert hota['HOTA'].min() == pytest.approx(1.0)


def test_trackeval_reads_png(small, tmp_path):
    _, path = small
    source = load_source(path)
    videos = ['ä clip', 'MOT-02']
    export_set(source, 'png', tmp_path / 'gt', videos=videos)
    export_set(source, 'png', tmp_path / 'tr/ours/data', videos=videos)
    seqmap = tmp_path / 'seqmap.txt'
    seqmap.write_text('ä clip\nMOT-02\n', encoding='utf-8')
    dataset = _trackeval('DAVIS', tmp_path, SEQMAP_FILE=str(seqmap))
    raw = dataset.get_raw_seq_data('ours', 'MOT-02')
    data = dataset.get_preprocessed_seq_data(raw, 'general')
    assert data['num_timesteps'] == 5
    trackeval = pytest.importorskip('trackeval')
    score = trackeval.metrics.JAndF().eval_sequence(data)
    assert score['J-Mean'] == pytest.approx(1.0)


def test_pillow_reads_png(small, tmp_path):
    content, path = small
    export_set(load_source(path), 'png', tmp_path / 'out')
    with Image.open(tmp_path / 'out/ä clip/00002.png') as image:
        assert image.mode == 'P'
        assert image.getpalette()[:768] == voc_palette()
        pixels = np.asarray(image)
    masks = _shown(content, 7)
    for key in (1, 2):
        np.testing.assert_array_equal(pixels == key, decode(masks[key][2]))
    assert set(np.unique(pixels)) == {0, 1, 2}


def test_trackeval_reads_json_and_results(small, tmp_path):
    trackeval = pytest.importorskip('trackeval')
    content, path = small
    source = load_source(path)
    folder = tmp_path / 'youtube_vis_train'
    runs = dict(uncompressed=True)  # as in the real files
    export_set(source, 'json', folder / 'truth.json', options=runs)
    export_set(source, 'results', folder / 'ours/data/results.json')
    dataset = trackeval.datasets.YouTubeVIS(
        dict(
            GT_FOLDER=f'{tmp_path}/',
            TRACKERS_FOLDER=f'{tmp_path}/',
            TRACKERS_TO_EVAL=['ours'],
            SPLIT_TO_EVAL='train',
            PRINT_CONFIG=False,
        )
    )
    assert dataset.class_list == ['big dög', 'cat', 'nobody']
    assert dataset.seq_list == ['ä clip', 'MOT-02', 'empty one']
    raw = dataset.get_raw_seq_data('ours', 'ä clip')
    data = dataset.get_preprocessed_seq_data(raw, 'big dög')
    assert (data['num_gt_ids'], data['num_tracker_ids']) == (2, 2)
    hota = trackeval.metrics.HOTA().eval_sequence(data)
    assert hota['HOTA'].min() == pytest.approx(1.0)
    for t, masks in enumerate(raw['gt_dets']):
        shown = [m[t] for m in _shown(content, 7).values() if t in m]
        assert sorted(m['counts'].decode() for m in masks) == sorted(
            m['counts'] for m in shown
        )


def test_pycocotools_reads_all_videos(small, tmp_path):
    content, path = small
    export_set(load_source(path), 'coco_video', tmp_path / 'a.json')
    coco = COCO(str(tmp_path / 'a.json'))
    assert len(coco.imgs) == 11 and sorted(coco.cats) == [2, 4, 90]
    assert coco.cats[90]['name'] == 'big dög'
    names = [coco.imgs[n]['file_name'] for n in sorted(coco.imgs)]
    assert names == [n for v in content['videos'] for n in v['file_names']]
    expected = {
        (video, t, key): decode(mask)
        for video in (7, 3)
        for key, masks in _shown(content, video).items()
        for t, mask in masks.items()
    }
    for entry in coco.anns.values():
        image = coco.imgs[entry['image_id']]
        assert image['video_id'] == entry['video_id']
        place = (image['video_id'], image['frame_index'], entry['track_id'])
        mask = expected.pop(place)
        np.testing.assert_array_equal(coco.annToMask(entry), mask)
    assert not expected


def test_pandas_reads_all_videos(small, tmp_path):
    pandas = pytest.importorskip('pandas')
    content, path = small
    export_set(load_source(path), 'csv', tmp_path / 'a.csv')
    table = pandas.read_csv(tmp_path / 'a.csv')
    areas = {
        e['id']: sum(a for a in e['areas'] if a)
        for e in content['annotations']
    }
    assert table.groupby('track_id')['area'].sum().to_dict() == areas
    assert set(table['video']) == {'ä clip', 'MOT-02'}
    assert set(table['class']) == {'big dög', 'cat'}
