"""Sources of clips: annotations of instances, folders, lists of names."""

import json

import numpy as np
import pytest
from PIL import Image

pytest.importorskip('mmdet')

from pmvis_mm.datasets import (
    DAVISSource,
    ImageFolderSource,
    InstanceSource,
    YouTubeVOSSource,
)
from pmvis_mm.datasets.vos_folders import read_names
from pmvis_mm.structures.rle import encode
from pmvis_mm.testing.tiny_coco import write_tiny_coco_clips
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.testing.tiny_vos import (
    tiny_labels,
    write_labels,
    write_tiny_davis,
    write_tiny_youtube_vos,
)
from pmvis_mm.utils.errors import AnnotationError, ConfigError, FrameError

pytestmark = pytest.mark.usefixtures('default_scope')


def vis(root, kind='VISDataset', images='JPEGImages', **kwargs):
    return InstanceSource(
        dict(
            type=kind,
            ann_file=str(root / 'instances.json'),
            data_prefix=dict(img_path=str(root / images)),
            **kwargs,
        )
    )


# ------------------------------------------------------------------ instances
def test_tracks_become_label_maps(tmp_path):
    write_tiny_vis(tmp_path)
    source = vis(tmp_path)
    assert [(v.id, v.name, v.length) for v in source.videos] == [
        (0, 'v0', 3),
        (1, 'v1', 3),
    ]
    assert source.videos[1].candidates == (0, 1, 2)
    expected = np.zeros((32, 48), np.int32)
    expected[6:14, 6:14] = 1
    expected[10:26, 30:34] = 2
    np.testing.assert_array_equal(source.read_labels(1, 1), expected)
    # The bar has left in the last frame, the square keeps its number.
    assert np.unique(source.read_labels(1, 2)).tolist() == [0, 1]
    frame = source.read_frame(0, 1)
    assert frame.shape == (32, 48, 3)
    assert frame[0, 0].tolist() == [101, 80, 60]  # BGR


def test_smaller_masks_are_in_front_and_crowds_behind(tmp_path):
    data = write_tiny_vis(tmp_path, num_videos=1, num_frames=1)
    large, small, crowd = (np.zeros((32, 48), bool) for _ in range(3))
    large[4:20, 4:20] = True
    small[6:10, 6:10] = True
    crowd[:8, :] = True
    first, second = data['annotations']
    third = dict(first, id=7, iscrowd=1, bboxes=[[0, 0, 48, 8]])
    for entry, mask in ((first, small), (second, large), (third, crowd)):
        entry['segmentations'] = [encode(mask)]
        entry['bboxes'] = [[0, 0, 20, 20]]
    data['annotations'] = [first, second, third]
    (tmp_path / 'instances.json').write_text(json.dumps(data))
    labels = vis(tmp_path).read_labels(0, 0)
    assert labels[7, 7] == 1 and labels[5, 5] == 2
    assert labels[0, 40] == -1 and labels[25, 40] == 0
    assert (labels == 1).sum() == 16 and (labels == 2).sum() == 256 - 16


def test_box_without_mask_is_not_judged(tmp_path):
    data = write_tiny_vis(tmp_path, num_videos=1)
    data['annotations'][0]['segmentations'][1] = None
    data['annotations'][1]['segmentations'] = [None] * 3
    (tmp_path / 'instances.json').write_text(json.dumps(data))
    source = vis(tmp_path)
    assert source.videos[0].candidates == (0, 2)
    labels = source.read_labels(0, 1)
    assert (labels[6:14, 6:14] == -1).all()
    assert np.unique(labels).tolist() == [-1, 0]


def test_images_of_coco_are_videos_of_one_frame(tmp_path):
    write_tiny_coco_clips(tmp_path, with_masks=True)
    source = vis(tmp_path, 'COCOClipDataset', 'images')
    assert {v.length for v in source.videos} == {1}
    labels = source.read_labels(0, 0)
    assert labels.max() >= 1
    assert source.read_frame(0, 0).shape[:2] == labels.shape
    names = [video.name for video in source.videos]
    assert len(set(names)) == len(names) and '.' in names[0]


def test_broken_mask_names_video_frame_and_instance(tmp_path):
    write_tiny_coco_clips(tmp_path, with_masks=True)
    path = tmp_path / 'instances.json'
    data = json.loads(path.read_text())
    data['annotations'][0]['segmentation'] = [[1, 2, 3]]
    path.write_text(json.dumps(data))
    with pytest.raises(AnnotationError, match=r'polygon.*video 0.*frame 0'):
        source = vis(tmp_path, 'COCOClipDataset', 'images')
        source.read_labels(0, 0)


# -------------------------------------------------------------------- folders
def test_youtube_vos_folder(tmp_path):
    write_tiny_youtube_vos(tmp_path)
    source = YouTubeVOSSource(str(tmp_path))
    assert [(v.id, v.length) for v in source.videos] == [('v0', 6), ('v1', 6)]
    np.testing.assert_array_equal(source.read_labels(0, 3), tiny_labels(3))
    frame = source.read_frame(0, 3)
    np.testing.assert_allclose(frame[0, 31], 30, atol=2)
    assert source.label_file(1, 2).endswith('Annotations/v1/00010.png')


def test_frames_of_youtube_vos_are_those_of_any_object(tmp_path):
    meta = write_tiny_youtube_vos(tmp_path, num_videos=1)
    objects = meta['videos']['v0']['objects']
    objects['1']['frames'] = ['00020', '00010']
    objects['2']['frames'] = ['00015']
    (tmp_path / 'meta.json').write_text(json.dumps(meta))
    source = YouTubeVOSSource(str(tmp_path))
    files = [source.label_file(0, t)[-9:] for t in range(3)]
    assert source.videos[0].length == 3
    assert files == ['00010.png', '00015.png', '00020.png']


@pytest.mark.parametrize(
    'meta, message',
    [
        ({}, '"videos" is missing'),
        ([], '"videos" is missing'),
        ({'videos': {'v0': {}}}, r'"objects" is missing.*video v0'),
        (
            {'videos': {'v0': {'objects': {'3': {}}}}},
            r'"frames" is missing.*video v0, instance 3',
        ),
        (
            {'videos': {'v0': {'objects': {'3': {'frames': [5]}}}}},
            r'"frames" is missing.*instance 3',
        ),
    ],
)
def test_bad_meta_json(tmp_path, meta, message):
    (tmp_path / 'meta.json').write_text(json.dumps(meta))
    with pytest.raises(AnnotationError, match=message) as error:
        YouTubeVOSSource(str(tmp_path))
    assert 'meta.json' in str(error.value)


def test_missing_meta_json(tmp_path):
    with pytest.raises(AnnotationError, match='does not exist'):
        YouTubeVOSSource(str(tmp_path))


def test_davis_folder(tmp_path):
    write_tiny_davis(tmp_path)
    source = DAVISSource(str(tmp_path))
    assert [(v.name, v.length) for v in source.videos] == [
        ('d0', 6),
        ('d1', 6),
    ]
    np.testing.assert_array_equal(source.read_labels(1, 5), tiny_labels(5))


@pytest.mark.parametrize('kind', ['youtube', 'davis'])
def test_missing_label_image_is_found_at_once(tmp_path, kind):
    if kind == 'youtube':
        write_tiny_youtube_vos(tmp_path)
        path, cls = tmp_path / 'Annotations/v1/00015.png', YouTubeVOSSource
    else:
        write_tiny_davis(tmp_path)
        path, cls = tmp_path / 'Annotations/480p/d1/00003.png', DAVISSource
    path.unlink()
    with pytest.raises(FrameError, match='label image does not exist') as e:
        cls(str(tmp_path))
    assert path.as_posix() in str(e.value)
    assert f'video {path.parent.name}, frame 3' in str(e.value)


def test_files_that_are_not_looked_for_are_missed_later(tmp_path):
    write_tiny_youtube_vos(tmp_path)
    (tmp_path / 'Annotations/v1/00015.png').unlink()
    source = YouTubeVOSSource(str(tmp_path), check_files=False)
    with pytest.raises(FrameError, match=r'does not exist.*video v1, frame 3'):
        source.read_labels(1, 3)


def test_davis_video_without_frames(tmp_path):
    write_tiny_davis(tmp_path)
    split = tmp_path / 'ImageSets/2017/train.txt'
    split.write_text('d0\nghost\n')
    with pytest.raises(FrameError, match=r'does not exist.*video ghost'):
        DAVISSource(str(tmp_path))
    split.write_text('\n')
    with pytest.raises(AnnotationError, match='empty'):
        DAVISSource(str(tmp_path))


def test_label_image_255_is_not_judged(tmp_path):
    write_tiny_davis(tmp_path)
    labels = tiny_labels(0)
    labels[0] = 255
    write_labels(tmp_path / 'Annotations/480p/d0/00000.png', labels)
    read = DAVISSource(str(tmp_path)).read_labels(0, 0)
    assert (read[0] == -1).all() and (read[1:] >= 0).all()


@pytest.mark.parametrize('kind', ['colours', 'cut'])
def test_broken_label_image(tmp_path, kind):
    write_tiny_davis(tmp_path)
    path = tmp_path / 'Annotations/480p/d0/00002.png'
    if kind == 'colours':
        Image.fromarray(np.zeros((24, 32, 3), np.uint8)).save(path)
        message = 'mode RGB'
    else:
        path.write_bytes(path.read_bytes()[:60])
        message = 'truncated or not an image'
    with pytest.raises(FrameError, match=message) as error:
        DAVISSource(str(tmp_path)).read_labels(0, 2)
    assert 'video d0, frame 2' in str(error.value)


def test_folder_of_images(tmp_path):
    masks = tmp_path / 'masks'
    masks.mkdir()
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / 'a.jpg')
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / 'b.jpg')
    mask = np.zeros((8, 9), np.uint8)
    mask[2:4, 3:6] = 255
    mask[5, 5] = 100
    Image.fromarray(mask).save(masks / 'a.png')
    source = ImageFolderSource(str(tmp_path), str(masks))
    assert [v.name for v in source.videos] == ['a']  # b has no mask
    labels = source.read_labels(0, 0)
    assert labels.sum() == 6 and (labels[2:4, 3:6] == 1).all()
    source = ImageFolderSource(str(tmp_path), str(masks), 'labels')
    assert np.unique(source.read_labels(0, 0)).tolist() == [-1, 0, 100]
    Image.fromarray(mask > 0).save(masks / 'a.png')  # one bit a pixel
    source = ImageFolderSource(str(tmp_path), str(masks))
    assert source.read_labels(0, 0).sum() == 7


def test_images_and_masks_in_one_folder(tmp_path):
    Image.fromarray(np.zeros((8, 9, 3), np.uint8)).save(tmp_path / 'a.jpg')
    Image.fromarray(np.ones((8, 9), np.uint8)).save(tmp_path / 'a.png')
    source = ImageFolderSource(str(tmp_path), str(tmp_path))
    assert source.paths[0][0][0].endswith('a.jpg')
    assert source.read_labels(0, 0).all()


def test_bad_folder_of_images(tmp_path):
    with pytest.raises(ConfigError, match='mask_format'):
        ImageFolderSource(str(tmp_path), str(tmp_path), 'colours')
    with pytest.raises(AnnotationError, match='no mask'):
        ImageFolderSource(str(tmp_path), str(tmp_path))
    Image.fromarray(np.ones((8, 9), np.uint8)).save(tmp_path / 'a.png')
    with pytest.raises(FrameError, match=r'frame does not exist.*a\.jpg'):
        ImageFolderSource(str(tmp_path), str(tmp_path))


# ---------------------------------------------------------------------- names
def test_names_from_files(tmp_path):
    text = tmp_path / 'names.txt'
    text.write_text('# overlap\nv0\n\n v3  # twice\n')
    assert read_names(str(text)) == ('v0', 'v3')
    for content in (
        ['v0', 3],
        {'videos': {'v0': {}, '3': {}}},
        {
            'videos': [
                {'id': 1, 'file_names': ['v0/00000.jpg']},
                {'id': 2, 'file_names': ['3/00000.jpg']},
            ]
        },
    ):
        path = tmp_path / 'names.json'
        path.write_text(json.dumps(content))
        assert read_names(str(path)) == ('v0', '3')


@pytest.mark.parametrize('content', ['3', '{}', '[{"id": 1}]', '[[1]]'])
def test_bad_list_of_names(tmp_path, content):
    path = tmp_path / 'names.json'
    path.write_text(content)
    with pytest.raises(AnnotationError, match='no list of videos'):
        read_names(str(path))


def test_missing_list_of_names(tmp_path):
    with pytest.raises(AnnotationError, match='cannot be read'):
        read_names(str(tmp_path / 'names.txt'))
