"""Clips: which frames, which objects, which videos."""

import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmdet')

from pmvis_mm.datasets import VOSClipDataset
from pmvis_mm.registry import DATASETS
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.testing.tiny_vos import (
    tiny_labels,
    write_labels,
    write_tiny_davis,
    write_tiny_youtube_vos,
)
from pmvis_mm.utils.errors import AnnotationError, ConfigError, FrameError

pytestmark = pytest.mark.usefixtures('default_scope')


def youtube(root, **kwargs):
    source = dict(type='YouTubeVOSSource', data_root=str(root))
    return VOSClipDataset(source, **kwargs)


def davis(root, **kwargs):
    source = dict(type='DAVISSource', data_root=str(root))
    return VOSClipDataset(source, **kwargs)


def frames(dataset, draws=60, index=0):
    return np.array([dataset[index]['frame_id'] for _ in range(draws)])


# --------------------------------------------------------------------- frames
def test_item_is_a_clip_of_lists(tmp_path):
    write_tiny_youtube_vos(tmp_path)
    dataset = youtube(tmp_path, clip_length=4, max_gap=1)
    assert len(dataset) == 2
    clip = dataset[1]
    assert clip['video_id'] == ['v1'] * 4
    assert clip['img_shape'] == clip['ori_shape'] == [(24, 32)] * 4
    for t, image, labels in zip(
        clip['frame_id'], clip['img'], clip['gt_seg_map']
    ):
        assert image.dtype == labels.dtype == np.uint8
        np.testing.assert_allclose(image[0, 31], 10 * t, atol=2)
        np.testing.assert_array_equal(labels, tiny_labels(t))


def test_gaps_are_random_up_to_the_largest(tmp_path):
    write_tiny_davis(tmp_path, num_videos=1, num_frames=12)
    np.random.seed(0)
    dataset = davis(tmp_path, clip_length=3, max_gap=3, reverse_prob=0)
    gaps = np.diff(frames(dataset), axis=1)
    assert set(gaps.ravel()) == {1, 2, 3}
    assert len({tuple(row) for row in gaps}) == 9


@pytest.mark.parametrize('prob, signs', [(0, {1}), (1, {-1}), (0.5, {-1, 1})])
def test_reversal(tmp_path, prob, signs):
    write_tiny_davis(tmp_path, num_videos=1, num_frames=12)
    np.random.seed(0)
    dataset = davis(tmp_path, clip_length=4, max_gap=2, reverse_prob=prob)
    directions = np.sign(np.diff(frames(dataset), axis=1))
    assert (directions == directions[:, :1]).all()
    assert set(directions.ravel()) == signs
    if prob == 0.5:
        assert 20 <= (directions[:, 0] > 0).sum() <= 40


def test_time_turns_round_in_short_videos(tmp_path):
    write_tiny_davis(tmp_path, num_videos=1, num_frames=3)
    np.random.seed(0)
    drawn = frames(davis(tmp_path, clip_length=6, max_gap=1, reverse_prob=0))
    assert {tuple(row) for row in drawn} == {
        (0, 1, 2, 1, 0, 1),
        (1, 2, 1, 0, 1, 2),
        (2, 1, 0, 1, 2, 1),
    }


def test_video_of_one_frame(tmp_path):
    write_tiny_davis(tmp_path, num_videos=1, num_frames=1)
    clip = davis(tmp_path, clip_length=3)[0]
    assert clip['frame_id'] == [0, 0, 0]


def test_clip_fits_where_it_can(tmp_path):
    # 0 + 3 gaps of 1 = 3 needs the first of four frames: no turning round.
    write_tiny_davis(tmp_path, num_videos=1, num_frames=4)
    dataset = davis(tmp_path, clip_length=4, max_gap=1, reverse_prob=0)
    assert {tuple(row) for row in frames(dataset, 10)} == {(0, 1, 2, 3)}


def test_gaps_shrink_to_what_a_short_video_has_room_for(tmp_path):
    write_tiny_davis(tmp_path, num_videos=1, num_frames=5)
    np.random.seed(0)
    drawn = frames(davis(tmp_path, clip_length=3, max_gap=12, reverse_prob=0))
    gaps = np.diff(drawn, axis=1)
    assert set(gaps.ravel()) == {1, 2}


def test_same_seed_same_clips(tmp_path):
    write_tiny_davis(tmp_path, num_frames=12)
    dataset = davis(tmp_path)
    drawn = []
    for seed in (3, 3, 4):
        np.random.seed(seed)
        drawn.append(frames(dataset, 8))
    np.testing.assert_array_equal(drawn[0], drawn[1])
    assert (drawn[0] != drawn[2]).any()


# -------------------------------------------------------------------- objects
def test_reference_shows_an_object(tmp_path):
    write_tiny_davis(tmp_path, num_videos=1, num_frames=4)
    for t in (0, 1, 3):
        path = tmp_path / f'Annotations/480p/d0/{t:05d}.png'
        write_labels(path, np.zeros((24, 32), np.uint8))
    dataset = davis(tmp_path, clip_length=2, max_gap=1, max_refetch=50)
    assert set(frames(dataset, 20)[:, 0]) == {2}


def test_objects_that_come_later_are_background(tmp_path):
    data = write_tiny_vis(tmp_path, num_videos=1, num_frames=3)
    data['annotations'][1]['segmentations'][0] = None
    data['annotations'][1]['bboxes'][0] = None
    data['annotations'][1]['segmentations'][1] = None
    data['annotations'][1]['bboxes'][1] = None
    data['annotations'][1]['bboxes'][2] = [30, 10, 4, 16]
    mask = data['annotations'][0]['segmentations'][0]
    data['annotations'][1]['segmentations'][2] = mask
    (tmp_path / 'instances.json').write_text(json.dumps(data))
    dataset = VOSClipDataset(
        dict(
            type='InstanceSource',
            dataset=dict(
                type='VISDataset',
                ann_file=str(tmp_path / 'instances.json'),
                data_prefix=dict(img_path=str(tmp_path / 'JPEGImages')),
            ),
        ),
        clip_length=3,
        max_gap=1,
        reverse_prob=0,
    )
    clips = [dataset[0] for _ in range(20)]
    starts = {clip['frame_id'][0]: clip['gt_seg_map'] for clip in clips}
    assert set(starts) == {0}  # the only clip that fits
    assert [np.unique(m).tolist() for m in starts[0]] == [[0, 1]] * 3


def test_of_many_objects_ten_are_chosen(tmp_path):
    write_tiny_davis(tmp_path, num_videos=1, num_frames=2)
    labels = np.zeros((24, 32), np.uint8)
    for number in range(14):
        labels[2:6, 2 * number : 2 * number + 2] = number + 1
    labels[20] = 255
    for t in range(2):
        write_labels(tmp_path / f'Annotations/480p/d0/{t:05d}.png', labels)
    np.random.seed(0)
    dataset = davis(tmp_path, clip_length=2)
    kept = np.zeros(14, int)
    for _ in range(30):
        first, second = dataset[0]['gt_seg_map']
        np.testing.assert_array_equal(first, second)
        assert np.unique(first).tolist() == [*range(11), 255]
        assert (first[20] == 255).all()
        kept += first[2, :28:2] > 0
    assert kept.sum() == 300 and kept.min() > 5 and kept.max() < 30


def test_small_objects_are_no_reference(tmp_path):
    write_tiny_davis(tmp_path, num_videos=1)
    dataset = davis(tmp_path, min_pixels=37)  # square 36, bar 40
    for labels in dataset[0]['gt_seg_map']:
        assert (labels == 1).sum() == 40 and labels.max() == 1
    with pytest.raises(AnnotationError, match='no object') as error:
        davis(tmp_path, min_pixels=41, max_refetch=2)[0]
    assert '3 clips in turn' in str(error.value)


# --------------------------------------------------------------------- videos
@pytest.mark.parametrize('kind', ['list', 'txt', 'json', 'meta'])
def test_excluded_videos(tmp_path, kind, caplog):
    write_tiny_youtube_vos(tmp_path, num_videos=4)
    exclude = ['v1', 'v3', 'unknown']
    if kind == 'txt':
        (tmp_path / 'list.txt').write_text('\n'.join(exclude))
        exclude = str(tmp_path / 'list.txt')
    elif kind != 'list':
        videos = [dict(id=1, file_names=[f'{n}/0.jpg']) for n in exclude]
        data = exclude if kind == 'json' else dict(videos=videos)
        (tmp_path / 'list.json').write_text(json.dumps(data))
        exclude = str(tmp_path / 'list.json')
    dataset = youtube(tmp_path, exclude=exclude, repeat=3)
    names = [dataset[i]['video_id'][0] for i in range(len(dataset))]
    assert names == ['v0', 'v2'] * 3


def test_exclusion_by_id_is_logged(tmp_path, monkeypatch):
    write_tiny_vis(tmp_path, num_videos=3)
    lines = []
    monkeypatch.setattr(
        'pmvis_mm.datasets.vos_clip_dataset.print_log',
        lambda text, *args: lines.append(text),
    )
    source = dict(
        type='InstanceSource',
        dataset=dict(
            type='VISDataset',
            ann_file=str(tmp_path / 'instances.json'),
            data_prefix=dict(img_path=str(tmp_path / 'JPEGImages')),
        ),
    )
    dataset = VOSClipDataset(source, exclude=[0, 'v2'])
    assert [dataset[i]['video_id'][0] for i in range(len(dataset))] == [1]
    assert '1 of 3 videos' in lines[0] and '2 are excluded' in lines[0]


def test_exclusion_that_matches_nothing(tmp_path):
    write_tiny_youtube_vos(tmp_path)
    with pytest.raises(ConfigError, match=r"\['x'\], is a video.*'v0', 'v1'"):
        youtube(tmp_path, exclude=['x'])


def test_nothing_left_after_exclusion(tmp_path):
    write_tiny_youtube_vos(tmp_path)
    with pytest.raises(AnnotationError, match=r'left of 2; 2 are excluded'):
        youtube(tmp_path, exclude=['v0', 'v1'])


def test_frame_and_labels_of_unlike_size(tmp_path):
    write_tiny_davis(tmp_path, num_videos=1, num_frames=2)
    path = tmp_path / 'JPEGImages/480p/d0/00001.jpg'
    Image.fromarray(np.zeros((48, 64, 3), np.uint8)).save(path)
    with pytest.raises(FrameError, match='64x48 pixels.*32x24') as error:
        davis(tmp_path, clip_length=2)[0]
    text = str(error.value)
    assert '00001.png' in text and 'video d0, frame 1' in text


@pytest.mark.parametrize(
    'option, message',
    [
        (dict(clip_length=1), 'clip_length=1'),
        (dict(max_gap=0), 'max_gap=0'),
        (dict(max_objects=0), 'max_objects=0'),
        (dict(max_objects=255), '8 bits'),
        (dict(min_pixels=0), 'min_pixels=0'),
        (dict(repeat=0), 'repeat=0'),
        (dict(reverse_prob=1.5), 'no probability'),
    ],
)
def test_bad_options(option, message):
    with pytest.raises(ConfigError, match=message):
        VOSClipDataset(dict(type='DAVISSource'), **option)


# ------------------------------------------------------------ whole pipelines
def test_two_sets_mixed_and_merged(tmp_path, repo_root):
    from mmengine.config import Config

    write_tiny_youtube_vos(tmp_path / 'y')
    write_tiny_davis(tmp_path / 'd')
    name = 'r50-deaotl_4xb4-100k_youtubevos-davis.py'
    cfg = Config.fromfile(repo_root / 'configs/deaot' / name)
    mixed = cfg.train_dataloader.dataset
    for part, folder in zip(mixed.dataset.datasets, 'yd'):
        part.source.data_root = str(tmp_path / folder)
        part.pipeline[1].crop_size = 33
        part.pipeline[0].transforms[0].scale = (1000, 40)
    mixed.pipeline[0].prob = 1.0
    np.random.seed(0)
    dataset = DATASETS.build(mixed)
    assert len(dataset) == 2 + 5 * 2
    items = [dataset[i] for i in range(len(dataset))]
    names = {item['data_samples'].video_id for item in items}
    assert names == {'v0', 'v1', 'd0', 'd1'}
    numbers = {item['data_samples'].num_objects for item in items}
    assert max(numbers) > 2  # more than a clip has by itself
    for item in items:
        assert item['inputs'].shape == (5, 3, 33, 33)
        labels = item['data_samples'].gt_label_maps.data
        number = item['data_samples'].num_objects
        assert labels.shape == (5, 33, 33)
        first = [n for n in labels[0].unique().tolist() if 0 < n < 255]
        assert first == list(range(1, number + 1))
        assert int(labels[labels < 255].max()) <= number


def test_static_images_make_moving_clips(tmp_path, repo_root):
    from mmengine.config import Config

    for name in ('a', 'b'):
        labels = np.zeros((64, 80), np.uint8)
        labels[20:44, 30:54] = 255
        frame = np.random.default_rng(0).integers(0, 255, (64, 80, 3))
        Image.fromarray(frame.astype(np.uint8)).save(tmp_path / f'{name}.jpg')
        Image.fromarray(labels).save(tmp_path / f'{name}.png')
    name = 'deaott_4xb4-100k_static.py'
    cfg = Config.fromfile(repo_root / 'configs/deaot' / name)
    part = cfg.train_dataloader.dataset.dataset.datasets[1]
    part.source.img_dir = part.source.mask_dir = str(tmp_path)
    part.pipeline[0].transforms[0].scale = (1000, 64)
    part.pipeline[2].update(crop_size=49, min_pixels=20)
    np.random.seed(0)
    dataset = VOSClipDataset(**{k: v for k, v in part.items() if k != 'type'})
    clip = dataset[0]
    masks = [labels == 1 for labels in clip['gt_seg_map']]
    assert len(masks) == 5 and all(mask.any() for mask in masks)
    assert all((a != b).any() for a, b in zip(masks, masks[1:]))
