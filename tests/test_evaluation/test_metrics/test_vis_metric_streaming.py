"""Defects M1 to M7 of mmdet's metric, streaming, and files of VISMetric."""

import copy
import json
import os
import tracemalloc
import zipfile

import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

from pmvis_mm.evaluation import VISMetric
from pmvis_mm.evaluation.functional import check_results, evaluate_tracks
from pmvis_mm.evaluation.functional.track_errors import KINDS
from pmvis_mm.structures import VideoAnnotations
from pmvis_mm.testing import tiny_predictions as base
from pmvis_mm.testing.gloo import run_processes
from pmvis_mm.utils.errors import ConfigError, OutputError


@pytest.fixture
def ann_file(tmp_path):
    return base.write_truth(tmp_path)


FIVE = ('AP', 'AP50', 'AP75', 'AR1', 'AR10')


# ------------------------------------------------------- M1 to M7 by name
def test_m1_several_classes_of_one_track(ann_file, tmp_path):
    metric = VISMetric(ann_file, outfile_prefix=str(tmp_path / 'r'))
    rows = [(0, 0, 0, 0.75), (0, 0, 1, 0.25)]
    _, tracks = base.written(metric, [base.judged(0, rows)])
    assert [(t['category_id'], t['score']) for t in tracks] == [
        (7, 0.75),
        (3, 0.25),
    ]
    assert tracks[0]['segmentations'] == tracks[1]['segmentations']


def test_m2_rle_and_frames_with_nothing(ann_file):
    clips = base.whole(lambda v, t, f: f if t else [], as_rle=True)
    for clip in clips:  # nothing but what is needed; labels of any kind
        for sample in clip.video_data_samples:
            del sample.pred_track_instances.bboxes
        empty = clip.video_data_samples[0]
        empty.pred_track_instances = InstanceData(
            masks=[],
            labels=torch.zeros(0),
            scores=torch.zeros(0),
            instances_id=torch.zeros(0),
        )
    metrics = base.evaluate(VISMetric(ann_file), clips)
    assert metrics['vis/AP50'] == pytest.approx((1 + 51 / 101) / 2)


def test_m3_absent_frames_may_be_written_as_empty_masks(ann_file, tmp_path):
    prefix = str(tmp_path / 'r')
    for flag in (False, True):
        metric = VISMetric(ann_file, outfile_prefix=prefix, empty_rle=flag)
        _, tracks = base.written(metric, base.whole())
        absent = tracks[1]['segmentations'][1]
        assert (absent is None) != flag


def test_m4_every_validation_epoch(ann_file):
    metric = VISMetric(ann_file)
    first = base.evaluate(metric, base.whole())
    nothing = base.evaluate(metric, [])
    again = base.evaluate(metric, base.whole())
    assert first == again and first['vis/AP'] == pytest.approx(1)
    assert nothing['vis/AP'] == 0


def test_m4_an_interrupted_epoch_leaves_nothing_behind(ann_file):
    metric = VISMetric(ann_file)
    good = base.whole()
    with pytest.raises(ConfigError, match='label 5'):
        base.evaluate(
            metric,
            [
                good[0],
                base.clip(
                    base.frame(5, 0, [(0, 5, 0.5, np.ones(base.SIZE, bool))])
                ),
            ],
        )
    assert base.evaluate(metric, [])['vis/AP'] == 0


def test_m5_frames_or_clips_in_any_order(ann_file):
    frames = [
        base.clip(sample)
        for clip in base.whole()
        for sample in clip.video_data_samples
    ]
    mixed = [frames[i] for i in (3, 0, 2, 1, 1, 3)]  # two doubled
    expected = base.evaluate(VISMetric(ann_file), base.whole())
    assert base.evaluate(VISMetric(ann_file), mixed) == expected


def test_m6_no_predictions_and_no_rounding(ann_file, tmp_path):
    prefix = str(tmp_path / 'r')
    metric = VISMetric(ann_file, outfile_prefix=prefix)
    metrics, tracks = base.written(metric, [])
    assert metrics == {f'vis/{name}': 0 for name in FIVE} and tracks == []
    clips = base.whole(lambda v, t, f: [])
    metrics, tracks = base.written(metric, clips)
    assert metrics == {f'vis/{name}': 0 for name in FIVE} and tracks == []
    with zipfile.ZipFile(f'{prefix}.results.zip') as archive:
        assert archive.read('results.json') == b'[]'
    half = base.evaluate(
        VISMetric(ann_file), base.whole(lambda v, t, f: f if t == 0 else [])
    )
    exact = (0.1 + 0.1 * 1 + 0.9 * 51 / 101) / 2
    assert half['vis/AP'] == pytest.approx(exact, abs=1e-12)
    assert half['vis/AP'] != round(half['vis/AP'], 3)


def test_m6_category_ids_are_those_of_the_dataset(ann_file, tmp_path):
    metric = VISMetric(ann_file, outfile_prefix=str(tmp_path / 'r'))
    _, tracks = base.written(metric, base.whole())
    assert [t['category_id'] for t in tracks] == [7, 3, 3]


def test_m7_the_mean_of_equal_scores_is_that_score(ann_file, tmp_path):
    score = float(torch.tensor(0.7))  # float32, widened
    metric = VISMetric(ann_file, outfile_prefix=str(tmp_path / 'r'))
    _, tracks = base.written(
        metric,
        base.whole(lambda v, t, f: [(k, c, score, m) for k, c, _, m in f]),
    )
    assert {t['score'] for t in tracks} == {score}


# ------------------------------------------------------------- streaming
def test_a_video_is_judged_with_its_last_frame(ann_file, tmp_path):
    metric = VISMetric(ann_file, outfile_prefix=str(tmp_path / 'r'))
    metric.dataset_meta = base.META
    first, second = base.whole()
    one, two = first.video_data_samples
    metric.process(None, [base.clip(one).to_dict()])
    assert list(metric._open) == [0] and not metric.results
    metric.process(None, [base.clip(two).to_dict()])
    (record,) = metric.results
    assert not metric._open
    # No mask is left in memory, and the disk has them, in no named file.
    assert 'counts' not in repr(record)
    assert not list(tmp_path.glob('*r.results*'))
    assert metric._spool.read(0).number == 2
    metric.process(None, [second.to_dict()])
    assert metric.evaluate(2)['vis/AP'] == pytest.approx(1)


def test_memory_does_not_grow_with_the_videos(tmp_path):
    def peak(num_videos):
        data = dict(
            videos=[
                dict(id=v, width=200, height=200, file_names=['0.png'])
                for v in range(num_videos)
            ],
            categories=[dict(id=1, name='noise')],
        )
        path = tmp_path / f'{num_videos}.json'
        path.write_text(json.dumps(data))
        metric = VISMetric(
            str(path),
            format_only=True,
            outfile_prefix=str(tmp_path / str(num_videos)),
        )
        rng = np.random.default_rng(0)
        tracemalloc.start()
        for video in range(num_videos):
            found = dict(
                instances_id=[0, 1],
                labels=[0, 0],
                scores=[0.5, 0.5],
                masks=rng.random((2, 200, 200)) < 0.5,
            )
            sample = dict(
                video_id=video, frame_id=0, pred_track_instances=found
            )
            metric.process(None, [dict(video_data_samples=[sample])])
        metric.evaluate(num_videos)
        value = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        written = tmp_path / f'{num_videos}.results.json'
        return value, written.stat().st_size

    peak(2)  # imports
    (few, small), (many, large) = peak(5), peak(50)
    assert large > 9 * small > 2e5
    assert many < few + 0.1 * large


def test_the_zip_holds_the_json_and_passes_the_check(ann_file, tmp_path):
    prefix = str(tmp_path / 'new' / 'r')
    contents = []
    for _ in range(2):
        base.evaluate(VISMetric(ann_file, outfile_prefix=prefix), base.whole())
        with zipfile.ZipFile(f'{prefix}.results.zip') as archive:
            assert archive.namelist() == ['results.json']
            inside = archive.read('results.json')
        with open(f'{prefix}.results.json', 'rb') as file:
            assert file.read() == inside
        with open(f'{prefix}.results.zip', 'rb') as file:
            contents.append(file.read())
    assert contents[0] == contents[1]
    assert sorted(os.listdir(tmp_path / 'new')) == [
        'r.results.json',
        'r.results.zip',
    ]
    truth = VideoAnnotations.from_file(ann_file, with_masks=True)
    for ending in ('json', 'zip'):
        assert check_results(f'{prefix}.results.{ending}', truth) == []
    summary = evaluate_tracks(json.loads(inside), truth).summary()
    assert summary['AP'] == pytest.approx(1)


def test_no_zip_if_not_wanted(ann_file, tmp_path):
    metric = VISMetric(
        ann_file, outfile_prefix=str(tmp_path / 'r'), zip_results=False
    )
    base.evaluate(metric, base.whole())
    assert sorted(p.name for p in tmp_path.glob('r.*')) == ['r.results.json']


def test_a_folder_that_is_a_file(ann_file, tmp_path):
    (tmp_path / 'file').write_text('')
    metric = VISMetric(ann_file, outfile_prefix=str(tmp_path / 'file' / 'r'))
    with pytest.raises(OutputError, match='cannot write here'):
        base.evaluate(metric, base.whole())


def test_scores_that_are_no_number(ann_file):
    clips = base.whole(lambda v, t, f: [(k, c, np.nan, m) for k, c, _, m in f])
    with pytest.raises(ConfigError, match=r'score nan.*video 0'):
        base.evaluate(VISMetric(ann_file), clips)


# ------------------------------------------------------------- breakdown
def test_by_size_and_length(ann_file):
    with open(ann_file) as file:
        data = json.load(file)
    metric = VISMetric(ann_file, by_size=True, long_videos=[5])
    found = base.evaluate(
        metric, [base.whole()[0], base.whole(lambda *_: [])[1]]
    )
    # All objects are small; video 5 is the long one and nothing is found.
    assert found['vis/AP_small'] == found['vis/AP']
    assert np.isnan(found['vis/AP_medium'])
    assert np.isnan(found['vis/AR_large'])
    assert found['vis/AP_short'] == pytest.approx(1)
    assert found['vis/AR_short'] == pytest.approx(1)
    assert found['vis/AP_long'] == 0
    assert found['vis/AP_short_long'] == pytest.approx(0.5)
    # By number of frames: both videos have two.
    assert len(data['videos']) == 2
    found = base.evaluate(VISMetric(ann_file, long_videos=2), base.whole())
    assert found['vis/AP_short'] == pytest.approx(1)
    assert np.isnan(found['vis/AP_long'])
    found = base.evaluate(VISMetric(ann_file, long_videos=1), base.whole())
    assert found['vis/AP_long'] == pytest.approx(1)


def test_error_breakdown(ann_file):
    def wrong(video, t, found):
        return [(k, 1, s, m) for k, c, s, m in found]  # all are squares

    metric = VISMetric(ann_file, error_breakdown=True)
    found = base.evaluate(metric, base.whole(wrong))
    assert found['vis/error_classification_count'] == 1
    assert found['vis/error_missed_count'] == 1
    assert found['vis/error_classification'] == pytest.approx(2 / 3)
    rest = [k for k in KINDS if k != 'classification']
    assert all(found[f'vis/error_{kind}_count'] == 0 for kind in rest)
    # Video 5 was never seen: its square is missed.
    found = base.evaluate(metric, base.whole()[:1])
    assert found['vis/error_missed_count'] == 1


def test_a_class_may_have_the_name_of_a_size(ann_file, tmp_path):
    with open(ann_file) as file:
        data = json.load(file)
    data = copy.deepcopy(data)
    data['categories'][0]['name'] = 'small'
    path = tmp_path / 'named.json'
    path.write_text(json.dumps(data))
    metric = VISMetric(str(path), by_size=True, classwise=True)
    found = base.evaluate(metric, base.whole(), dict(category_ids=(7, 3)))
    assert found['vis/AP_small'] == pytest.approx(1)
    assert found['vis/AP_small_7'] == pytest.approx(1)
    assert 'vis/AP_square' in found


# ----------------------------------------------------------- distributed
WORKER = """
from pmvis_mm.evaluation import VISMetric
from pmvis_mm.testing import tiny_predictions as t
ann_file, prefix, mode = arguments
clips = t.whole(lambda v, k, f: [(i, c, s - 0.1 * k, m) for i, c, s, m in f])
if mode == 'videos':
    mine = clips[::-1][rank:][:1]  # the later video in the main process
    if rank == 1:
        mine += mine  # padded
else:
    frames = [t.clip(f) for c in clips for f in c.video_data_samples]
    mine = frames[rank::2]  # both videos in both processes
answer = t.evaluate(VISMetric(ann_file, outfile_prefix=prefix), mine)
"""


@pytest.mark.parametrize('mode', ['videos', 'frames'])
def test_two_processes_write_the_bytes_of_one(ann_file, tmp_path, mode):
    def later(video, t, found):
        return [(i, c, s - 0.1 * t, m) for i, c, s, m in found]

    alone = str(tmp_path / 'one')
    expected = base.evaluate(
        VISMetric(ann_file, outfile_prefix=alone), base.whole(later)
    )
    prefix = str(tmp_path / 'two')
    found = run_processes(WORKER, tmp_path, ann_file, prefix, mode)
    assert found == [expected, expected]
    for ending in ('json', 'zip'):
        with open(f'{alone}.results.{ending}', 'rb') as file:
            one = file.read()
        with open(f'{prefix}.results.{ending}', 'rb') as file:
            assert file.read() == one
