import pytest
import torch
from mmdet.models.data_preprocessors import TrackDataPreprocessor
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from pmvis_mm.models import VISDataPreprocessor
from pmvis_mm.models.utils import color_similarity
from pmvis_mm.registry import MODELS
from pmvis_mm.utils.errors import ConfigError, PMVISError

NORMAL = dict(
    mean=[123.675, 116.28, 103.53],
    std=[58.395, 57.12, 57.375],
    bgr_to_rgb=True,
    pad_size_divisor=32,
)
# Content of the frames of two clips; the first clip was cropped twice.
SHAPES = [[(40, 52), (48, 36)], [(64, 60), (64, 60)]]


def clip(shapes, seed=0, ori_height=96):
    """A packed clip: BGR, uint8, padded with 0 to a common size."""
    generator = torch.Generator().manual_seed(seed)
    height = max(shape[0] for shape in shapes)
    width = max(shape[1] for shape in shapes)
    frames = torch.zeros(len(shapes), 3, height, width, dtype=torch.uint8)
    samples = []
    for frame, (h, w) in zip(frames, shapes):
        # Coarse blocks, so that some neighbours are alike.
        blocks = torch.randint(0, 4, (3, 8, 8), generator=generator) * 60
        blocks = blocks.repeat_interleave(8, 1).repeat_interleave(8, 2)
        frame[:, :h, :w] = blocks[:, :h, :w]
        data = DetDataSample(
            metainfo=dict(img_shape=(h, w), ori_shape=(ori_height, 128))
        )
        data.gt_instances = InstanceData(bboxes=torch.ones(1, 4))
        samples.append(data)
    sample = TrackDataSample()
    sample.video_data_samples = samples
    return frames, sample


def batch():
    clips = [clip(shapes, seed) for seed, shapes in enumerate(SHAPES)]
    return dict(
        inputs=[frames for frames, _ in clips],
        data_samples=[sample for _, sample in clips],
    )


def test_it_is_registered():
    built = MODELS.build(dict(type='VISDataPreprocessor', **NORMAL))
    assert isinstance(built, VISDataPreprocessor)
    assert isinstance(built, TrackDataPreprocessor)
    # Checkpoints do not depend on it.
    assert built.state_dict() == {}


@pytest.mark.parametrize('training', [True, False])
def test_frames_are_zero_outside_of_their_content(training):
    data = VISDataPreprocessor(**NORMAL)(batch(), training)
    inputs = data['inputs']
    assert inputs.shape == (2, 2, 3, 64, 64)
    assert inputs.dtype == torch.float32 and inputs.is_contiguous()
    mean = torch.tensor(NORMAL['mean']).view(3, 1, 1)
    std = torch.tensor(NORMAL['std']).view(3, 1, 1)
    for n, shapes in enumerate(SHAPES):
        for t, (h, w) in enumerate(shapes):
            raw = batch()['inputs'][n][t, :, :h, :w].flip(0)
            expected = torch.zeros(3, 64, 64)
            expected[:, :h, :w] = (raw - mean) / std
            assert torch.allclose(inputs[n, t], expected, atol=1e-6)
            meta = data['data_samples'][n][t].metainfo
            assert meta['batch_input_shape'] == (64, 64)
            assert meta['img_shape'] == (h, w)
    assert 'similarity' not in data


def test_the_parent_would_leave_other_values():
    """The trap: black, once normalised, is not zero."""
    data = TrackDataPreprocessor(**NORMAL)(batch(), True)
    assert (data['inputs'][0, 1, :, 40:48, 36:52] < -1).all()


def test_padding_is_the_pad_value():
    data = VISDataPreprocessor(pad_value=7, **NORMAL)(batch())
    assert (data['inputs'][0, 0, :, 40:] == 7).all()
    assert (data['inputs'][0, 0, :, :, 52:] == 7).all()


def test_similarity_is_that_of_the_unpadded_key_frames():
    model = VISDataPreprocessor(similarity={}, **NORMAL)
    similarity = model(batch(), True)['similarity']
    assert similarity.shape == (2, 1, 8, 16, 16)
    assert similarity.dtype == torch.float32
    assert not similarity.requires_grad
    for n, shapes in enumerate(SHAPES):
        h, w = shapes[0]
        rgb = batch()['inputs'][n][:1, :, :h, :w].flip(1)
        # An independent way: no padding in the frame at all.
        alone = color_similarity(rgb, [(h, w)], [96])
        assert torch.equal(similarity[n, 0, :, : h // 4, : w // 4], alone[0])
        # Far outside nothing is similar to anything.
        assert not similarity[n, 0, :, h // 4 + 2 :].any()
        assert not similarity[n, 0, :, :, w // 4 + 2 :].any()
    assert similarity[:, :, :, :8, :8].max() == 1


def test_bottom_rows_scale_with_the_dataset_height():
    data = batch()
    for sample in data['data_samples']:
        sample[0].set_metainfo(dict(ori_shape=(32, 64)))
    full = VISDataPreprocessor(similarity=dict(removed=0), **NORMAL)
    cut = VISDataPreprocessor(similarity={}, **NORMAL)
    # 10 of 32 rows are 20 of 64: rows 44 ... 63 of the second clip.
    with_rows = full(data, True)['similarity'][1, 0]
    without = cut(data, True)['similarity'][1, 0]
    assert torch.equal(with_rows[:, :9], without[:, :9])
    assert with_rows[5:, 10:].any() and not without[5:, 10:].any()


def test_without_validity_padding_counts_as_black():
    model = VISDataPreprocessor(
        similarity=dict(validity=False, num_frames=2), **NORMAL
    )
    similarity = model(batch(), True)['similarity']
    assert similarity.shape == (2, 2, 8, 16, 16)
    padded = torch.zeros(1, 3, 64, 64, dtype=torch.uint8)
    padded[0, :, :48, :36] = batch()['inputs'][0][1, :, :48, :36].flip(0)
    assert torch.equal(similarity[0, 1], color_similarity(padded)[0])
    # Black is like black.
    assert (similarity[0, 1, :, 14:, 4:12] == 1)[:4].all()


def test_options_reach_the_similarity():
    model = VISDataPreprocessor(
        similarity=dict(size=5, dilation=1, stride=8, removed=3, swap_rb=True),
        **NORMAL,
    )
    similarity = model(batch(), True)['similarity']
    assert similarity.shape == (2, 1, 24, 8, 8)
    rgb = batch()['inputs'][1][:1].flip(1)
    rgb = torch.nn.functional.pad(rgb, (0, 4))
    expected = color_similarity(
        rgb, [(64, 60)], [96], 5, 1, stride=8, removed=3, swap_rb=True
    )
    assert torch.equal(similarity[1, 0], expected[0])


def test_frames_that_are_rgb_already_keep_their_order():
    options = dict(NORMAL, bgr_to_rgb=False)
    data = batch()
    flipped = dict(data, inputs=[clip.flip(1) for clip in data['inputs']])
    bgr = VISDataPreprocessor(similarity={}, **NORMAL)(data, True)
    rgb = VISDataPreprocessor(similarity={}, **options)(flipped, True)
    assert torch.equal(bgr['similarity'], rgb['similarity'])
    assert torch.equal(bgr['inputs'], rgb['inputs'])


def test_there_is_no_similarity_at_test_time():
    model = VISDataPreprocessor(similarity={}, **NORMAL)
    assert 'similarity' not in model(batch(), False)
    # Whole videos are of one size: only the divisor pads them.
    frames, sample = clip([(40, 60)] * 3)
    data = model(dict(inputs=[frames], data_samples=[sample]))
    assert data['inputs'].shape == (1, 3, 3, 64, 64)
    assert not data['inputs'][..., 40:, :].any()
    assert not data['inputs'][..., 60:].any()
    data = model(dict(inputs=[frames], data_samples=None))
    assert data['data_samples'] is None
    assert data['inputs'].shape == (1, 3, 3, 64, 64)


def test_raw_frames_and_masks_stay_as_they_are():
    data = batch()
    before = [frames.clone() for frames in data['inputs']]
    for sample, shapes in zip(data['data_samples'], SHAPES):
        for t, (h, w) in enumerate(shapes):
            masks = torch.ones(1, h, w, dtype=torch.uint8).numpy()
            sample[t].gt_instances.masks = BitmapMasks(masks, h, w)
    model = VISDataPreprocessor(similarity={}, **NORMAL)
    out = model(data, True)
    for frames, old in zip(data['inputs'], before):
        assert torch.equal(frames, old)
    for sample, shapes in zip(out['data_samples'], SHAPES):
        for t, shape in enumerate(shapes):
            masks = sample[t].gt_instances.masks
            assert masks.masks.shape == (1, *shape) and masks.masks.all()


def test_float_frames_have_no_raw_colours():
    data = batch()
    data['inputs'] = [frames.float() for frames in data['inputs']]
    model = VISDataPreprocessor(similarity={}, **NORMAL)
    with pytest.raises(ConfigError, match='needs raw uint8 frames, got torc'):
        model(data, True)
    # Without similarity they are welcome.
    assert 'similarity' not in model(data, False)


def test_clips_shorter_than_num_frames():
    model = VISDataPreprocessor(similarity=dict(num_frames=3), **NORMAL)
    with pytest.raises(ConfigError, match='is 3, but a clip has 2'):
        model(batch(), True)


def test_size_that_the_stride_does_not_divide():
    options = dict(NORMAL, pad_size_divisor=1)
    model = VISDataPreprocessor(similarity=dict(stride=16), **options)
    frames, sample = clip([(40, 60)])
    with pytest.raises(PMVISError, match='pad_size_divisor'):
        model(dict(inputs=[frames], data_samples=[sample]), True)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(threshold=0.3), r"unknown options of similarity: \['thresh"),
        (dict(size=4), 'size=4 and dilation=2'),
        (dict(stride=0), 'stride of similarity is 0'),
        (dict(num_frames=0), 'num_frames of similarity is 0'),
        (dict(removed=-1), 'removed of similarity is -1'),
    ],
)
def test_bad_options(options, message):
    with pytest.raises(ConfigError, match=message):
        VISDataPreprocessor(similarity=options, **NORMAL)


@pytest.mark.parametrize(
    'options', [dict(use_det_processor=True), dict(batch_augments=[{}])]
)
def test_options_for_single_images(options):
    with pytest.raises(ConfigError, match='for single images'):
        VISDataPreprocessor(**options)
