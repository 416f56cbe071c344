import numpy as np
import pytest
import torch
from mmengine.config import Config
from mmengine.registry import DefaultScope

from pmvis_mm.apis import (
    build_frame_pipeline,
    init_vis_model,
    iter_predictions,
)
from pmvis_mm.utils.errors import CheckpointError, ConfigError

SIZE = (40, 56)


@pytest.fixture
def online_config(repo_root):
    return repo_root / 'tests/data/configs/tiny_mask_track_rcnn.py'


@pytest.fixture
def clip_config(repo_root):
    return repo_root / 'tests/data/configs/tiny_mask2former_video.py'


def video(length=3, seed=0):
    rng = np.random.default_rng(seed)
    return list(rng.integers(0, 255, (length, *SIZE, 3), dtype=np.uint8))


def build(config, **kwargs):
    torch.manual_seed(0)
    return init_vis_model(config, **kwargs)


def check(found):
    number = len(found.scores)
    assert len(found.masks) == number
    assert all(mask['size'] == list(SIZE) for mask in found.masks)
    assert len(found.labels) == len(found.instances_id) == number
    assert not found.scores.requires_grad
    box = found.bboxes
    assert box.shape == (number, 4) and (box >= 0).all()
    assert (box[:, 2] <= SIZE[1]).all() and (box[:, 3] <= SIZE[0]).all()


def test_online_model_streams_and_starts_anew(online_config):
    model = build(online_config)
    assert not model.training
    assert model.dataset_meta['classes'] == ('bar', 'square')

    class Frames:
        """Notes which frames were asked for."""

        read = []

        def __len__(self):
            return 3

        def __getitem__(self, t):
            self.read.append(t)
            return video()[t]

    frames = Frames()
    results = []
    for t, found in iter_predictions(model, frames):
        assert frames.read == list(range(t + 1))  # nothing is read ahead
        check(found)
        results.append(found)
    assert sum(len(found.scores) for found in results) > 0
    # Ids continue from frame to frame and start at 0 with the next video.
    again = [found for _, found in iter_predictions(model, video())]
    for one, two in zip(results, again):
        assert one.instances_id.tolist() == two.instances_id.tolist()
        assert one.masks == two.masks
    assert again[0].instances_id.min() == 0


def test_clip_model_sees_the_whole_video(clip_config):
    DefaultScope.get_instance('outer', scope_name='pmvis_mm')
    model = build(clip_config)
    whole = dict(iter_predictions(model, video(), clip_length=None))
    assert sorted(whole) == [0, 1, 2]
    for found in whole.values():
        check(found)
        assert found.scores.tolist() == whole[0].scores.tolist()
    single = dict(iter_predictions(model, video()))
    assert single[1].scores.tolist() != whole[1].scores.tolist()
    pairs = list(iter_predictions(model, video(), clip_length=2))
    assert [t for t, _ in pairs] == [0, 1, 2]
    assert pairs[2][1].scores.tolist() == pytest.approx(
        single[2].scores.tolist()
    )
    current = DefaultScope.get_current_instance()
    assert current.scope_name == 'pmvis_mm'  # as it was before


def test_result_does_not_depend_on_the_loading_transforms(online_config):
    cfg = Config.fromfile(online_config)
    pipeline = build_frame_pipeline(cfg)
    names = [type(step).__name__ for step in pipeline.transforms]
    assert names == ['TransformBroadcaster', 'PackVISInputs']
    inner = pipeline.transforms[0].transforms.transforms
    assert [type(step).__module__ for step in inner] == [
        'mmdet.datasets.transforms.transforms'
    ]
    steps = cfg.test_dataloader.dataset.pipeline
    steps[0].transforms = steps[0].transforms[:1]  # loading alone
    names = [type(s).__name__ for s in build_frame_pipeline(cfg).transforms]
    assert names == ['PackVISInputs']


def test_no_frames_no_predictions(online_config):
    assert list(iter_predictions(build(online_config), [])) == []


def test_checkpoint_restores_weights_and_classes(online_config, tmp_path):
    model = build(online_config)
    path = tmp_path / 'model.pth'
    meta = dict(CLASSES=('a', 'b'), category_ids=(7, 3))
    torch.save(
        dict(state_dict=model.state_dict(), meta=dict(dataset_meta=meta)), path
    )
    torch.manual_seed(1)
    other = init_vis_model(str(online_config), path)
    assert other.dataset_meta == dict(classes=('a', 'b'), category_ids=(7, 3))
    for (_, one), (_, two) in zip(
        iter_predictions(model, video()), iter_predictions(other, video())
    ):
        assert one.masks == two.masks


def test_bad_input_is_named(online_config, tmp_path):
    with pytest.raises(ConfigError, match=r'config not found.*nowhere\.py'):
        init_vis_model('nowhere.py')
    with pytest.raises(ConfigError, match='no "model" in this config'):
        init_vis_model(Config(dict()))
    with pytest.raises(CheckpointError, match=r'does not exist.*none\.pth'):
        init_vis_model(online_config, tmp_path / 'none.pth')
    model = build(online_config)
    with pytest.raises(ConfigError, match='clip_length=0 is not positive'):
        next(iter_predictions(model, video(), clip_length=0))
    path = tmp_path / 'model.pth'
    torch.save(dict(state_dict=model.state_dict()), path)
    head = 'model.detector.roi_head.bbox_head.num_classes'
    with pytest.raises(CheckpointError, match=r'fc_cls.weight \(3, 16\), the'):
        init_vis_model(online_config, path, cfg_options={head: 4})
    model.cfg.test_dataloader = None
    with pytest.raises(ConfigError, match=r'no test_dataloader\.dataset'):
        next(iter_predictions(model, video()))


@pytest.mark.parametrize('device', ['gpu', 'cuda:99'])
def test_a_device_that_is_not_there(online_config, device):
    with pytest.raises(ConfigError, match=f'cannot go to device={device!r}'):
        init_vis_model(online_config, device=device)


def test_a_model_without_tracks_is_refused(online_config):
    model = build(online_config)
    predict = model.predict

    def forget(*args, **kwargs):
        (result,) = predict(*args, **kwargs)
        for sample in result.video_data_samples:
            del sample.pred_track_instances
        return [result]

    model.predict = forget
    with pytest.raises(ConfigError, match=r'no tracks with masks \[frame 0'):
        next(iter_predictions(model, video()))
