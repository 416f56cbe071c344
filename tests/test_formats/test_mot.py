import pytest

from pmvis_mm.formats import MOTWriter
from pmvis_mm.utils.errors import ConfigError


def test_results_by_hand(clip, write, tmp_path):
    path = write(dict(type='mot', path=tmp_path / 'bear.txt'), clip)
    assert path.read_text().splitlines() == [
        '1,1,4,2,10,10,0.75,-1,-1,-1',
        '2,1,5,2,10,10,0.75,-1,-1,-1',
        '3,1,6,2,10,10,0.75,-1,-1,-1',
        '4,1,7,2,10,10,0.75,-1,-1,-1',
        '2,3,10,6,10,10,0.875,-1,-1,-1',
        '4,3,10,6,10,10,0.5,-1,-1,-1',
        '3,6,31,23,1,1,0.125,-1,-1,-1',
    ]


def test_ground_truth_with_fractions_crowds_and_class_ids(
    clip, write, tmp_path
):
    clip.tracks = clip.tracks[1:]
    first = clip.tracks[0]
    first.iscrowd = True
    first.masks = (None, None)  # boxes only
    first.bboxes = first.bboxes.astype(float) + [0.25, 0, 0.1234, 0]
    config = dict(
        type='mot',
        path=tmp_path / 'gt.txt',
        style='gt',
        first_frame=0,
        class_ids={'cat': 7},
        id_offset=0,
        tight_boxes=False,
    )
    writer = MOTWriter(**{k: v for k, v in config.items() if k != 'type'})
    lines = write(writer, clip).read_text().splitlines()
    assert lines == [
        '1,2,10.25,6,9.8734,10,0,7,1',
        '3,2,10.25,6,9.8734,10,0,7,1',
    ]
    # 'ant' has no number.
    assert writer.lost == {'tracks of classes without a class id': 1}


def test_nothing_found_is_an_empty_file(empty_clip, write, tmp_path):
    path = write(dict(type='mot', path=tmp_path / 'a.txt'), empty_clip)
    assert path.read_text() == ''


def test_unknown_style(tmp_path):
    with pytest.raises(ConfigError, match="style='det' is unknown"):
        MOTWriter(tmp_path / 'a.txt', style='det')
