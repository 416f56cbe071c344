import numpy as np
import pytest

from pmvis_mm.datasets import COCOClipDataset, VISDataset
from pmvis_mm.datasets.fractions import choose_videos, spread_frames
from pmvis_mm.testing.tiny_coco import write_tiny_coco_clips
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.utils.errors import AnnotationError, ConfigError

pytestmark = pytest.mark.usefixtures('default_scope')


def build(root, **kwargs):
    return VISDataset(
        ann_file=str(root / 'instances.json'),
        data_prefix=dict(img_path=str(root / 'JPEGImages')),
        supervision='box',
        **kwargs,
    )


@pytest.mark.parametrize(
    'length, fraction, expected',
    [
        (10, 1.0, list(range(10))),
        # The middles of 5 parts of 2, of 2 parts of 5, of 1 part of 10.
        (10, 0.5, [1, 3, 5, 7, 9]),
        (10, 0.2, [2, 7]),
        (10, 0.1, [5]),
        (10, 0.01, [5]),  # at least one
        (1, 0.01, [0]),
        (7, 0.4, [1, 3, 5]),  # 2.8 frames
        (5, 0.5, [0, 2, 4]),  # 2.5 rounds up
    ],
)
def test_frames_are_spread_evenly(length, fraction, expected):
    assert spread_frames(length, fraction) == expected


def test_frames_are_distinct_ascending_and_of_the_right_number():
    for length in range(1, 40):
        for fraction in (0.01, 0.05, 0.1, 0.3, 0.5, 0.9, 1.0):
            frames = spread_frames(length, fraction)
            assert frames == sorted(set(frames))
            assert 0 <= frames[0] and frames[-1] < length
            assert len(frames) == max(1, int(fraction * length + 0.5))
            gaps = np.diff(frames)
            assert gaps.size == 0 or gaps.max() - gaps.min() <= 1


def test_videos_are_drawn_by_the_seed_and_nested():
    assert choose_videos(4, 1.0, 0) == [0, 1, 2, 3]
    assert choose_videos(0, 0.5, 0) == []
    assert len(choose_videos(9, 0.01, 0)) == 1
    few, many = choose_videos(100, 0.1, 0), choose_videos(100, 0.5, 0)
    assert len(few) == 10 and len(many) == 50
    assert set(few) < set(many)
    assert many == sorted(many) == choose_videos(100, 0.5, 0)
    assert many != choose_videos(100, 0.5, 1)
    assert many != list(range(50))


def test_dataset_with_a_share_of_its_frames(tmp_path):
    write_tiny_vis(tmp_path, num_videos=2, num_frames=8)
    assert build(tmp_path).get_data_info(0)['video_length'] == 8
    dataset = build(tmp_path, frame_fraction=0.25)
    assert len(dataset) == 2
    video = dataset.get_data_info(1)
    assert video['video_length'] == len(video['images']) == 2
    # Names and numbers stay those of the file.
    assert [f['file_name'] for f in video['images']] == [
        'v1/00002.png',
        'v1/00006.png',
    ]
    assert [f['frame_id'] for f in video['images']] == [2, 6]
    # The square moves by two pixels a frame from 4.
    boxes = [f['instances'][0]['bbox'][0] for f in video['images']]
    assert boxes == [8, 16]


def test_dataset_with_a_share_of_its_videos(tmp_path):
    write_tiny_vis(tmp_path, num_videos=6)
    dataset = build(tmp_path, video_fraction=0.5, fraction_seed=3)
    ids = [dataset.get_data_info(i)['video_id'] for i in range(len(dataset))]
    assert ids == choose_videos(6, 0.5, 3)
    both = build(tmp_path, video_fraction=0.5, frame_fraction=0.4)
    assert [both.get_data_info(i)['video_length'] for i in range(3)] == [1] * 3


def test_images_of_coco_have_shares_too(tmp_path):
    write_tiny_coco_clips(tmp_path, num_images=4)
    dataset = COCOClipDataset(
        ann_file=str(tmp_path / 'instances.json'),
        data_prefix=dict(img_path=str(tmp_path / 'images')),
        video_fraction=0.6,
    )
    assert len(dataset) == 3


@pytest.mark.parametrize('name', ['frame_fraction', 'video_fraction'])
@pytest.mark.parametrize('value', [0, -0.5, 1.01, 50, None, True, 'all'])
def test_shares_outside_of_the_range(tmp_path, name, value):
    with pytest.raises(ConfigError, match=f'{name}=.* is no share') as info:
        build(tmp_path, **{name: value})
    assert 'above 0 and up to 1' in str(info.value)


def test_shares_are_for_training_only(tmp_path):
    write_tiny_vis(tmp_path)
    with pytest.raises(ConfigError, match='video_fraction=0.5 in test mode'):
        build(tmp_path, test_mode=True, video_fraction=0.5)
    assert len(build(tmp_path, test_mode=True, video_fraction=1.0)) == 2


def test_a_share_without_boxes_is_an_error(tmp_path):
    data = write_tiny_vis(tmp_path, num_videos=1, num_frames=9)
    for annotation in data['annotations']:  # boxes in the first frame only
        annotation['bboxes'][1:] = [None] * 8
        annotation['segmentations'][1:] = [None] * 8
    from pmvis_mm.utils.fileio import dump_json

    dump_json(data, tmp_path / 'instances.json')
    with pytest.raises(AnnotationError, match='no box to train with'):
        build(tmp_path, frame_fraction=0.1)
