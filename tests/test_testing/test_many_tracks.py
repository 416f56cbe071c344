"""The dataset for load tests of the label review."""

import pytest

from pmvis_mm.review import build_index
from pmvis_mm.review.review_index import ReviewIndex
from pmvis_mm.structures import PseudoMaskSet, VideoAnnotations
from pmvis_mm.structures.frame_reader import FrameReader
from pmvis_mm.testing.many_tracks import write_many_tracks


@pytest.fixture(scope='module')
def paths(tmp_path_factory):
    return write_many_tracks(tmp_path_factory.mktemp('many'), 20)


def test_everything_fits_together(paths):
    boxes = VideoAnnotations.from_file(paths['ann_file'], with_masks=True)
    assert len(boxes.videos) == 20 and len(list(boxes)) == 60
    assert all(track.segmentations is None for track in boxes)
    final = PseudoMaskSet.load(paths['final'])
    final.validate(boxes)
    assert set(final.source_counts()) == set(paths['sources'])
    for name, path in paths['sources'].items():
        masks = PseudoMaskSet.load(path)
        masks.validate(boxes)
        assert masks.source_counts() == {name: masks.num_masks}
        assert 0.9 < masks.num_masks / boxes.num_boxes < 1
    video = boxes.videos[7]
    assert video.length == 36
    reader = FrameReader(video, paths['img_prefix'])
    assert reader[35].shape == (180, 320, 3)


def test_bad_tracks_stand_out(paths, tmp_path):
    final = PseudoMaskSet.load(paths['final'])
    build_index(tmp_path / 'i', final, paths['sources'])
    rows = ReviewIndex(tmp_path / 'i').find_tracks({})['rows']
    assert len(rows) == 60
    assert rows[0]['suspicion'] > rows[30]['suspicion'] > rows[-1]['suspicion']
    assert all(row['agreement'] is not None for row in rows)


def test_same_seed_same_bytes(tmp_path):
    first = write_many_tracks(tmp_path / 'a', 2, num_frames=3)
    second = write_many_tracks(tmp_path / 'b', 2, num_frames=3)
    assert first['final'].read_bytes() == second['final'].read_bytes()
    other = write_many_tracks(tmp_path / 'c', 2, num_frames=3, seed=1)
    assert first['final'].read_bytes() != other['final'].read_bytes()
