"""Ways that lead past ours: files of MOTS, and our own J&F."""

import numpy as np
import pytest

from pmvis_mm.evaluation.functional import (
    TrackingOptions,
    combine_tracking,
    judge_tracking,
    measure_jf,
    set_entries,
)
from pmvis_mm.evaluation.functional.track_sequence import (
    drop_doubles,
    sequence_data,
)
from pmvis_mm.evaluation.functional.tracking import load_measures
from pmvis_mm.structures import (
    MaskTrack,
    PseudoMaskSet,
    VideoAnnotations,
    VideoInfo,
)
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.testing.strip_tracks import HEIGHT, WIDTH
from pmvis_mm.testing.strip_tracks import predicted_track as guess
from pmvis_mm.testing.strip_tracks import real_track as real
from pmvis_mm.testing.strip_tracks import strip_masks as path

trackeval = pytest.importorskip('trackeval')

SIZE = (HEIGHT, WIDTH)
JF = TrackingOptions(families=('JAndF',))


def test_a_sequence_by_hand():
    tracks = [
        real(70, path((0, 10), None, (0, 10))),
        real(30, path(None, None, (20, 40))),
        real(50, path(None, None, None)),
    ]
    empty = box_rle((0, 0, 0, 0), *SIZE)
    guesses = [
        [empty] * 3,
        path((5, 15), (5, 15), (20, 25)),
        path(None, None, (0, 8)),
    ]
    data = sequence_data(guesses, tracks, with_masks=True)
    assert data['num_timesteps'] == 3
    assert data['num_gt_ids'] == data['num_tracker_ids'] == 2
    assert data['num_gt_dets'] == 3 and data['num_tracker_dets'] == 4
    assert [ids.tolist() for ids in data['gt_ids']] == [[0], [], [0, 1]]
    assert [ids.tolist() for ids in data['tracker_ids']] == [[0], [0], [0, 1]]
    assert data['similarity_scores'][0] == pytest.approx(5 / 15)
    assert data['similarity_scores'][1].shape == (0, 1)
    np.testing.assert_allclose(
        data['similarity_scores'][2], [[0, 0.8], [0.25, 0]]
    )
    assert data['gt_dets'][2] == path((0, 10), (20, 40))
    assert data['tracker_dets'][2] == path((20, 25), (0, 8))
    assert 'gt_dets' not in sequence_data(guesses, tracks)


def test_no_sequence():
    data = sequence_data([], [])
    assert data['num_timesteps'] == data['num_gt_dets'] == 0
    assert data['gt_ids'] == data['similarity_scores'] == []


def test_the_best_of_equal_tracks_is_kept():
    one, two = path((0, 10), None), path((0, 10), (0, 10))
    entries = [
        guess(one, 1, score=0.2),
        guess(two, 2, score=0.5),
        guess(list(one), 3, score=0.7),
        guess(two, 4, score=0.5),
    ]
    found = [entry['category_id'] for entry in drop_doubles(entries)]
    assert found == [3, 2]


def write_mots(file, rows):
    """``rows``: frame, id, class and mask."""
    file.parent.mkdir(parents=True)
    file.write_text(
        ''.join(
            f'{t + 1} {key} {kind} {SIZE[0]} {SIZE[1]} {mask["counts"]}\n'
            for t, key, kind, mask in rows
            if mask is not None
        )
    )


def mots_results(folder, guesses, tracks, length):
    """The way through the files of MOTS and TrackEval's own reader."""
    rows = []
    for track in tracks:
        for t, mask in enumerate(track.segmentations):
            kind = 10 if track.iscrowd else 2
            rows.append((t, 10000 if track.iscrowd else track.id, kind, mask))
    write_mots(folder / 'gt' / 'seq' / 'gt' / 'gt.txt', rows)
    rows = [
        (t, 2000 + key, 2, mask)
        for key, entry in enumerate(guesses)
        for t, mask in enumerate(entry['segmentations'])
    ]
    write_mots(folder / 'trackers' / 'ours' / 'data' / 'seq.txt', rows)
    dataset = trackeval.datasets.MOTSChallenge(
        dict(
            GT_FOLDER=str(folder / 'gt'),
            TRACKERS_FOLDER=str(folder / 'trackers'),
            SEQ_INFO=dict(seq=length),
            SKIP_SPLIT_FOL=True,
            PRINT_CONFIG=False,
        )
    )
    raw = dataset.get_raw_seq_data('ours', 'seq')
    data = dataset.get_preprocessed_seq_data(raw, 'pedestrian')
    measures = load_measures(('HOTA', 'CLEAR', 'Identity'))
    return {k: m.eval_sequence(data) for k, m in measures.items()}


@pytest.mark.parametrize('seed', range(3))
@pytest.mark.parametrize('crowd', [False, True])
def test_same_as_through_mots_files(tmp_path, seed, crowd):
    rng = np.random.RandomState(seed)
    length = 10

    def walk(lane, low, high):
        strips = []
        for _ in range(length):
            x0 = 16 * lane + rng.randint(0, 3)
            there = rng.rand() < 0.8
            strips.append((x0, x0 + rng.randint(low, high)) if there else None)
        return path(*strips)

    tracks = [real(2000 + k, walk(k, 8, 13)) for k in range(3)]
    if crowd:
        region = path(*[(62, 78)] * length)
        tracks.append(real(9, region, iscrowd=True))
    guesses = [guess(walk(k, 4, 13)) for k in range(4)]
    # In the lane of the crowd: to four fifths in it, to half, to a third.
    places = [(70, 80), (76, 80), (77, 80), (70, 80), None]
    guesses.append(guess(path(*places * (length // 5))))
    found = judge_tracking(guesses, tracks)[1]
    expected = mots_results(tmp_path, guesses, tracks, length)
    assert found.keys() == expected.keys()
    for family, values in expected.items():
        for name, value in values.items():
            np.testing.assert_allclose(
                found[family][name], value, rtol=1e-12, err_msg=name
            )
    without = judge_tracking(guesses, [t for t in tracks if not t.iscrowd])
    false = without[1]['CLEAR']['CLR_FP'] - found['CLEAR']['CLR_FP']
    assert false == (4 if crowd else 0)


def test_predictions_in_a_crowd_do_not_count():
    tracks = [
        real(1, path((0, 10), (0, 10))),
        real(2, path((40, 80), None), iscrowd=True),
    ]
    guesses = [
        guess(path((0, 10), (0, 10))),
        guess(path((50, 60), (50, 60))),
        guess(path((30, 50), None)),  # just half of it
    ]
    found = judge_tracking(guesses, tracks)[1]['CLEAR']
    assert found['CLR_FP'] == 2 and found['CLR_FN'] == 0
    assert found['CLR_TP'] == 2


def test_j_and_f_of_trackeval_equals_ours():
    """Without overlaps it assigns each instance its own track."""
    pytest.importorskip('skimage')
    tracks = [
        real(1, path((0, 10), (2, 12), (3, 13), (5, 15), None, (0, 9))),
        real(2, path((40, 60), (40, 55), None, (40, 50), (45, 50), (40, 52))),
    ]
    names = tuple(f'a/{t}.jpg' for t in range(6))
    truth = VideoAnnotations(
        {0: VideoInfo(0, WIDTH, HEIGHT, names)}, [dict(id=1)], {0: tracks}
    )
    masks = PseudoMaskSet.empty_like(truth)
    guessed = [
        path((0, 8), (0, 13), (3, 12), None, (5, 6), (0, 9)),
        path((42, 60), None, None, (41, 50), (44, 53), (43, 52)),
    ]
    for box_track, mine in zip(tracks, guessed):
        track = MaskTrack.empty_like(box_track)
        track.boxes = [(0.0, 0.0, 80.0, 10.0)] * 6
        for t, mask in enumerate(mine):
            track.set(t, mask, 'x')
        masks.tracks[0].append(track)
    found = judge_tracking(set_entries(masks), tracks, JF)
    found = combine_tracking({0: found}, JF.families).overall
    ours = measure_jf(masks, truth, skip_first=False, skip_last=False)
    names = dict(jf='J&F', j_mean='J-Mean', f_mean='F-Mean')
    names.update(j_recall='J-Recall', f_recall='F-Recall')
    names.update(j_decay='J-Decay', f_decay='F-Decay', jf_mean='J&F')
    for name, value in ours.summary().items():
        assert found[names[name]] == pytest.approx(value), name
