import numpy as np
import pytest
from pycocotools import mask as coco_mask

from pmvis_mm.formats import RESULT_WRITERS, MOTSWriter
from pmvis_mm.structures import StreamInfo
from pmvis_mm.utils.errors import ConfigError, OutputError


def _lines(path):
    rows = [line.split(' ') for line in path.read_text().splitlines()]
    assert all(len(row) == 6 for row in rows)
    return [([int(v) for v in row[:5]], row[5]) for row in rows]


def _decode(head, counts):
    return coco_mask.decode(dict(size=head[3:], counts=counts.encode()))


def test_lines_by_hand(clip, write, tmp_path):
    path = write(dict(type='mots', path=tmp_path / 'bear.txt'), clip)
    lines = _lines(path)
    assert [head for head, _ in lines] == [
        [1, 2001, 2, 24, 32],  # frame 1: id 0, label 1
        [2, 2001, 2, 24, 32],
        [2, 1003, 1, 24, 32],
        [3, 2001, 2, 24, 32],
        [3, 3006, 3, 24, 32],
        [4, 2001, 2, 24, 32],
        [4, 1003, 1, 24, 32],
    ]
    # Track 0 has the higher verdict and keeps what both cover in frame 1,
    # although track 2 has the higher score there.
    first, second = (_decode(*line) for line in lines[1:3])
    expected = np.zeros((24, 32), np.uint8)
    expected[6:16, 10:20] = 1
    expected[2:12, 5:15] = 0
    np.testing.assert_array_equal(second, expected)
    assert first.sum() == 100 and second.sum() == 100 - 5 * 6
    assert _decode(*lines[4]).sum() == 1
    assert _decode(*lines[4])[23, 31] == 1


def test_options(clip, write, tmp_path):
    config = dict(
        type='mots',
        path=tmp_path / 'a.txt',
        first_frame=0,
        class_ids={'cat': 1, 'ant': 2},
        id_style='plain',
        id_offset=10,
        score_thr=0.2,
    )
    lines = _lines(write(config, clip))
    # The dog has no class id, the ant too low a score.
    assert [head[:3] for head, _ in lines] == [[1, 12, 1], [3, 12, 1]]
    # Nobody else claims its pixels any more.
    assert all(_decode(*line).sum() == 100 for line in lines)


def test_ids_beyond_999(clip, write, tmp_path):
    config = dict(type='mots', path=tmp_path / 'a.txt', id_offset=995)
    lines = _lines(write(config, clip))  # 0, 2, 5: up to 1000
    assert [head[1] for head, _ in lines[:3]] == [995, 995, 997]
    config['id_style'] = 'class'
    with pytest.raises(OutputError, match='track number 1000 does not fit'):
        write(config, clip)
    config['id_offset'] = 994
    assert _lines(write(config, clip))[2][0][1] == 1996


def test_class_10_is_left_free(clip, write, tmp_path):
    fill = clip.fill(0, 0, 1, 1)
    clip.tracks = [
        clip.make_track(n, [n], [0.5], {0: fill}) for n in range(8, 11)
    ]
    clip.instances = [
        clip.make_instances([(n, n, 0.5, fill)]) for n in range(8, 11)
    ]
    lines = _lines(write(dict(type='mots', path=tmp_path / 'a.txt'), clip))
    assert [head[2] for head, _ in lines] == [9, 11, 12]


def test_equal_scores_fall_back_to_frame_and_number(clip, write, tmp_path):
    fill = clip.fill(0, 0, 4, 4)
    clip.tracks = [clip.make_track(n, [0], [0.5], {0: fill}) for n in (3, 4)]
    clip.instances = [
        clip.make_instances([(3, 0, 0.2, fill), (4, 0, 0.4, fill)]),
        clip.make_instances([(4, 0, 0.2, fill), (3, 0, 0.2, fill)]),
    ]
    lines = _lines(write(dict(type='mots', path=tmp_path / 'a.txt'), clip))
    # Nothing is left of the other one.
    assert [head[:2] for head, _ in lines] == [[1, 1005], [2, 1004]]


def test_trackeval_finds_truth_equal_to_itself(clip, write, tmp_path):
    hota, count = _hota(tmp_path, clip, write)
    assert hota == pytest.approx(1.0)
    assert count == 4 + 2


def _hota(root, clip, write):
    """Write truth and tracker as TrackEval wants them, and judge."""
    trackeval = pytest.importorskip('trackeval')
    for path in ('gt/bear/gt/gt.txt', 'tr/ours/data/bear.txt'):
        write(
            MOTSWriter(root / path, class_ids={'cat': 2, 'big dog': 2}), clip
        )
    dataset = trackeval.datasets.MOTSChallenge(
        dict(
            GT_FOLDER=str(root / 'gt'),
            TRACKERS_FOLDER=str(root / 'tr'),
            TRACKERS_TO_EVAL=['ours'],
            SEQ_INFO={'bear': clip.length},
            SKIP_SPLIT_FOL=True,
            PRINT_CONFIG=False,
        )
    )
    raw = dataset.get_raw_seq_data('ours', 'bear')
    data = dataset.get_preprocessed_seq_data(raw, 'pedestrian')
    result = trackeval.metrics.HOTA().eval_sequence(data)
    return result['HOTA'].mean(), data['num_tracker_dets']


def test_nothing_found_is_an_empty_file(empty_clip, write, tmp_path):
    path = write(dict(type='mots', path=tmp_path / 'a.txt'), empty_clip)
    assert path.read_bytes() == b''


def test_mask_of_another_size_is_refused(clip, write, tmp_path):
    clip.info = StreamInfo('bear', 32, 24)
    with pytest.raises(OutputError, match='give masks at the size'):
        write(dict(type='mots', path=tmp_path / 'a.txt'), clip)
    assert list(tmp_path.iterdir()) == []


def test_unknown_style_is_refused(tmp_path):
    with pytest.raises(ConfigError, match="'kitti' is unknown"):
        MOTSWriter(tmp_path / 'a.txt', id_style='kitti')


def test_calls_out_of_order_are_refused(clip, tmp_path):
    writer = RESULT_WRITERS.build(dict(type='mots', path=tmp_path / 'a.txt'))
    for call in (
        lambda: writer.add_frame(0, clip.instances[0]),
        lambda: writer.finish([], 0),
    ):
        with pytest.raises(OutputError, match=r'no video was begun.*start()'):
            call()


def test_abort_leaves_nothing_and_the_writer_can_begin_anew(
    clip, write, tmp_path
):
    writer = MOTSWriter(tmp_path / 'a.txt')
    writer.start(clip.info, clip.classes)
    writer.add_frame(0, clip.instances[0])
    writer.abort()
    writer.abort()
    assert list(tmp_path.iterdir()) == []
    assert len(_lines(write(writer, clip))) == 7
