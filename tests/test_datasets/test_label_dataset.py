import json
import pickle

import numpy as np
import pytest

from pmvis_mm.registry import DATASETS
from pmvis_mm.structures import PseudoMaskSet
from pmvis_mm.testing.leak import find_masks
from pmvis_mm.testing.tiny_vis import write_tiny_vis
from pmvis_mm.utils.errors import AnnotationError, FrameError, MaskSetError


@pytest.fixture
def root(tmp_path):
    write_tiny_vis(tmp_path)
    return tmp_path


def build(root, **kwargs):
    kwargs.setdefault('ann_file', str(root / 'instances.json'))
    kwargs.setdefault('img_prefix', str(root / 'JPEGImages'))
    return DATASETS.build(dict(type='LabelVideoDataset', **kwargs))


def edit(root, change, name='instances.json'):
    """Write the annotations of ``root`` with a change; return the path."""
    data = json.loads((root / 'instances.json').read_text())
    change(data)
    (root / name).write_text(json.dumps(data))
    return str(root / name)


def test_items_are_videos_with_boxes(root):
    dataset = build(root)
    assert len(dataset) == 2 and dataset.video_ids == [0, 1]
    assert dataset.metainfo == dict(classes=('square', 'bar'))
    video = dataset[1]
    assert (video.info.id, video.info.width, video.info.height) == (1, 48, 32)
    assert [track.id for track in video.tracks] == [2, 3]
    # Square at (4 + 2 t, 6), bar absent in the last frame.
    assert video.tracks[0].boxes[2] == (8, 6, 16, 14)
    assert video.tracks[1].boxes == [(30, 10, 34, 26)] * 2 + [None]
    assert video.priors == {}
    assert len(video.frames) == 3
    # BGR: the square is red.
    np.testing.assert_array_equal(video.frames[2][6, 8], (40, 40, 220))


def test_annotated_masks_never_reach_the_items(root):
    annotated = json.loads((root / 'instances.json').read_text())
    assert find_masks(annotated['annotations'])
    dataset = build(root)
    for index in range(len(dataset)):
        video = dataset[index]
        assert find_masks(video) == []
        assert all(track.segmentations is None for track in video.tracks)
    # A mask that comes as a prior is one, and is found.
    prior = str(root / 'instances.json')
    video = build(root, priors=dict(seen=prior))[0]
    found = find_masks(video)
    assert found and all(path.startswith('priors.seen') for path in found)


def test_boxes_suffice(tmp_path):
    write_tiny_vis(tmp_path, with_masks=False)
    assert build(tmp_path)[0].tracks[0].boxes[0] == (4, 6, 12, 14)


def test_priors_by_name_and_annotation(root):
    masks = PseudoMaskSet.load(root / 'instances.json')
    masks.tracks[1].pop()
    masks.dump(root / 'prior.json')
    video = build(root, priors=dict(seen=str(root / 'prior.json')))[1]
    prior = video.prior('seen')
    assert list(prior) == [2]
    # Sources in the file win; where it names none, the prior's name does.
    assert prior[2].sources == ['instances'] * 3
    plain = build(root, priors=dict(seen=str(root / 'instances.json')))[1]
    assert plain.prior('seen')[3].sources == ['seen', 'seen', None]


def test_missing_frame_is_found_at_once(root):
    frame = root / 'JPEGImages' / 'v1' / '00002.png'
    frame.unlink()
    with pytest.raises(FrameError) as caught:
        build(root)
    error = caught.value
    assert (error.file, error.video, error.frame) == (str(frame), 1, 2)
    assert 'frame does not exist' in str(error)
    # Left out on demand, it is found when the frame is read.
    video = build(root, check_frames=False)[1]
    assert video.frames[1].shape == (32, 48, 3)
    with pytest.raises(FrameError, match='frame does not exist'):
        video.frames[2]


def test_wrong_folder_is_found_at_once(root):
    with pytest.raises(FrameError, match='check the image folder'):
        build(root, img_prefix=str(root / 'nothing'))


def test_prior_of_other_videos_is_refused(root):
    other = root / 'other'
    write_tiny_vis(other, num_videos=3)
    path = str(other / 'instances.json')
    with pytest.raises(MaskSetError) as caught:
        build(root, priors=dict(seen=path))
    error = caught.value
    assert (error.file, error.video) == (path, 2)
    assert 'videos [2] are only in one of this set and' in str(error)


def test_prior_of_other_frames_is_refused(root):
    def rename(data):
        data['videos'][1]['file_names'][0] = 'v1/other.png'

    path = edit(root, rename, 'prior.json')
    with pytest.raises(MaskSetError, match='size, length or frames differ'):
        build(root, priors=dict(seen=path))


def test_prior_of_other_instances_is_refused(root):
    def renumber(data):
        data['annotations'][3]['id'] = 77

    path = edit(root, renumber, 'prior.json')
    with pytest.raises(MaskSetError) as caught:
        build(root, priors=dict(seen=path))
    assert caught.value.instance == 77 and caught.value.file == path
    assert 'no annotation with this id' in str(caught.value)


def test_prior_without_masks_is_refused(root):
    def drop(data):
        for entry in data['annotations']:
            del entry['segmentations']

    path = edit(root, drop, 'prior.json')
    with pytest.raises(MaskSetError, match='this file holds boxes only'):
        build(root, priors=dict(seen=path))


def test_missing_prior_is_named(root):
    path = str(root / 'no.json')
    with pytest.raises(MaskSetError, match='file does not exist') as caught:
        build(root, priors=dict(seen=path))
    assert caught.value.file == path


@pytest.mark.parametrize('kind', ['none', 'null', 'absent'])
def test_no_boxes_is_an_error(root, kind):
    def empty(data):
        if kind == 'none':
            data['annotations'] = []
        elif kind == 'null':
            data['annotations'] = None
        else:
            for entry in data['annotations']:
                entry['bboxes'] = [None] * 3

    path = edit(root, empty, 'empty.json')
    with pytest.raises(AnnotationError) as caught:
        build(root, ann_file=path)
    assert 'no box to label' in str(caught.value)
    assert caught.value.file == path


def test_video_without_instances_stays_in_the_set(root):
    def empty(data):
        data['annotations'] = data['annotations'][:2]

    dataset = build(root, ann_file=edit(root, empty))
    assert len(dataset) == 2 and dataset[1].tracks == []


def test_boxes_that_stick_out_are_refused_or_clipped(root):
    def move(data):
        data['annotations'][0]['bboxes'][1] = [40, 6, 20, 8]

    path = edit(root, move, 'wide.json')
    with pytest.raises(AnnotationError) as caught:
        build(root, ann_file=path)
    error = caught.value
    assert (error.video, error.frame, error.instance) == (0, 1, 0)
    video = build(root, ann_file=path, clip_boxes=True)[0]
    assert video.tracks[0].boxes[1] == (40, 6, 48, 14)


def test_items_travel_to_workers(root):
    dataset = build(root, priors=dict(seen=str(root / 'instances.json')))
    video = pickle.loads(pickle.dumps(dataset))[0]
    copy = pickle.loads(pickle.dumps(video))
    assert copy.tracks == video.tracks and copy.priors == video.priors
    np.testing.assert_array_equal(copy.frames[1], video.frames[1])
