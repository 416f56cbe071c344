from types import SimpleNamespace

import cv2
import numpy as np
import pytest
import torch
from mmengine.structures import InstanceData

pytest.importorskip('mmcv.ops', exc_type=ImportError)

from mmdet.structures import DetDataSample, TrackDataSample

from pmvis_mm.engine import VISVisualizationHook
from pmvis_mm.structures.frame_path import video_frame_path
from pmvis_mm.structures.rle import box_rle
from pmvis_mm.testing.videos import write_mp4
from pmvis_mm.utils.errors import ConfigError
from pmvis_mm.visualization.local_visualizer import VISLocalVisualizer
from pmvis_mm.visualization.overlay import track_color

SIZE = (240, 320)


@pytest.fixture
def runner(tmp_path):
    """A runner whose visualizer is the current one."""
    VISLocalVisualizer.get_instance(
        f'visualizer_{tmp_path.name}',
        vis_backends=[dict(type='LocalVisBackend')],
        save_dir=str(tmp_path / 'vis'),
    )
    dataset = SimpleNamespace(
        data_prefix=dict(img_path=str(tmp_path / 'frames'))
    )
    return SimpleNamespace(
        iter=40,
        test_dataloader=SimpleNamespace(
            dataset=SimpleNamespace(dataset=dataset)  # wrapped
        ),
    )


def clip(root, video, frames, folder='frames'):
    """A clip of grey frames, each with one instance."""
    samples = []
    for t in frames:
        path = root / folder / video / f'{t:05d}.png'
        path.parent.mkdir(parents=True, exist_ok=True)
        cv2.imwrite(str(path), np.full((*SIZE, 3), 100, np.uint8))
        sample = DetDataSample(metainfo=dict(img_path=str(path), frame_id=t))
        sample.pred_track_instances = InstanceData(
            instances_id=torch.tensor([1]),
            labels=torch.tensor([0]),
            scores=torch.tensor([0.5]),
            masks=[box_rle((10, 50, 90, 200), *SIZE)],
        )
        samples.append(sample)
    return TrackDataSample(video_data_samples=samples)


def shown(folder):
    return sorted(str(p.relative_to(folder)) for p in folder.rglob('*.png'))


def test_frames_keep_their_path_below_the_folder_of_videos(runner, tmp_path):
    out = tmp_path / 'shown'
    hook = VISVisualizationHook(draw=True, test_out_dir=str(out))
    clips = [clip(tmp_path, 'a/img', [0, 1]), clip(tmp_path, 'b/img', [0])]
    hook.after_test_iter(runner, 0, None, clips)
    hook.after_test_iter(runner, 1, None, [clip(tmp_path, 'b/img', [1])])
    assert shown(out) == [
        f'{video}/img/{t:05d}.png' for video in 'ab' for t in range(2)
    ]
    painted = cv2.imread(str(out / 'b/img/00001.png'))
    assert (painted[100, 50] != 100).any() and (painted[230] == 100).all()


def test_frames_of_another_place_go_by_their_folder(runner, tmp_path):
    out = tmp_path / 'shown'
    hook = VISVisualizationHook(draw=True, test_out_dir=str(out))
    hook.after_test_iter(
        runner, 0, None, [clip(tmp_path, 'v', [0], folder='elsewhere')]
    )
    assert shown(out) == ['v/00000.png']


def test_frames_of_a_video_file(runner, tmp_path):
    out, folder = tmp_path / 'shown', tmp_path / 'frames'
    folder.mkdir()
    grey = [np.full((*SIZE, 3), value, np.uint8) for value in (40, 200)]
    write_mp4(folder / 'a.mp4', grey)
    painted = clip(tmp_path, 'b', [0, 1])
    for t, sample in enumerate(painted):
        path = video_frame_path(str(folder / 'a.mp4'), t)
        sample.set_metainfo(dict(img_path=path))
    hook = VISVisualizationHook(draw=True, test_out_dir=str(out))
    hook.after_test_iter(runner, 0, None, [painted])
    for t, value in enumerate((40, 200)):
        image = cv2.imread(str(out / f'a/{t:05d}.jpg'))
        assert abs(int(image[230, 10, 0]) - value) <= 5


def test_interval_counts_within_the_video(runner, tmp_path):
    out = tmp_path / 'shown'
    hook = VISVisualizationHook(
        draw=True, frame_interval=2, test_out_dir=str(out)
    )
    for batch, frames in enumerate(([0], [1], [2], [3])):
        hook.after_test_iter(
            runner, batch, None, [clip(tmp_path, 'a', frames)]
        )
    hook.after_test_iter(runner, 4, None, [clip(tmp_path, 'b', [0])])
    assert shown(out) == ['a/00000.png', 'a/00002.png', 'b/00000.png']


def test_score_threshold(runner, tmp_path):
    out = tmp_path / 'shown'
    hook = VISVisualizationHook(True, score_thr=0.6, test_out_dir=str(out))
    hook.after_test_iter(runner, 0, None, [clip(tmp_path, 'a', [0])])
    assert (cv2.imread(str(out / 'a/00000.png')) == 100).all()


def test_validation_goes_to_the_backends(runner, tmp_path):
    hook = VISVisualizationHook(draw=True)
    hook.after_val_iter(runner, 0, None, [clip(tmp_path, 'a', [0, 1])])
    names = [name.split('/')[-1] for name in shown(tmp_path / 'vis')]
    assert names == ['val_img_40.png', 'val_img_41.png']


def test_nothing_is_painted_unless_asked(runner, tmp_path):
    hook = VISVisualizationHook(test_out_dir=str(tmp_path / 'shown'))
    hook.after_test_iter(runner, 0, None, [clip(tmp_path, 'a', [0])])
    hook.after_val_iter(runner, 0, None, [clip(tmp_path, 'a', [0])])
    assert not (tmp_path / 'shown').exists()
    VISVisualizationHook(draw=True).after_test_iter(runner, 0)


def test_bad_interval():
    with pytest.raises(ConfigError, match='frame_interval=0.*1 or more'):
        VISVisualizationHook(frame_interval=0)


def test_truth_is_painted_on_the_left(runner, tmp_path):
    sample = clip(tmp_path, 'a', [0])
    path = sample[0].img_path
    mask = box_rle((200, 50, 300, 200), *SIZE)
    images = [
        dict(
            img_path=path,
            height=SIZE[0],
            width=SIZE[1],
            instances=[
                dict(
                    bbox=[200.0, 50, 300, 200],
                    bbox_label=0,
                    instance_id=7,
                    mask=mask,
                )
            ],
        )
    ]

    class Videos:
        def __len__(self):
            return 1

        def get_data_info(self, index):
            return dict(images=images)

    runner.test_dataloader.dataset = Videos()
    out = tmp_path / 'shown'
    hook = VISVisualizationHook(True, test_out_dir=str(out), draw_gt=True)
    hook.after_test_iter(runner, 0, None, [sample])
    (file,) = shown(out)
    painted = cv2.imread(str(out / file)).astype(int)
    assert painted.shape == (SIZE[0], 2 * SIZE[1], 3)
    truth = (100 + np.array(track_color(7))) / 2
    found = (100 + np.array(track_color(1))) / 2
    assert np.abs(painted[150, 250] - truth).max() <= 1
    assert (painted[150, 50] == 100).all()  # nothing predicted on the left
    assert np.abs(painted[150, 320 + 50] - found).max() <= 1
    assert (painted[150, 320 + 250] == 100).all()
    assert 'gt_instances' not in sample[0]
