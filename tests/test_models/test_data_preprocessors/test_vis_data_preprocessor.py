import pytest
import torch
from mmdet.models.data_preprocessors import TrackDataPreprocessor
from mmdet.structures import DetDataSample, TrackDataSample
from mmdet.structures.mask import BitmapMasks
from mmengine.structures import InstanceData

from pmvis_mm.models import VISDataPreprocessor
from pmvis_mm.models.utils import color_similarity, lab_features
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
    with pytest.raises(ConfigError, match='need raw uint8 frames, got torc'):
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


# ------------------------------------------------- colours of all frames
def padded_rgb():
    """All frames, black outside of their content, by hand."""
    frames = torch.zeros(2, 2, 3, 64, 64, dtype=torch.uint8)
    for n, shapes in enumerate(SHAPES):
        for t, (h, w) in enumerate(shapes):
            raw = batch()['inputs'][n][t, :, :h, :w]
            frames[n, t, :, :h, :w] = raw.flip(0)
    return frames


@pytest.mark.parametrize('swap_rb', [False, True])
@pytest.mark.parametrize('stride', [4, 8])
def test_colours_of_all_frames(stride, swap_rb):
    options = dict(stride=stride, swap_rb=swap_rb)
    data = VISDataPreprocessor(temporal=options, **NORMAL)(batch(), True)
    expected = lab_features(padded_rgb(), stride, swap_rb)
    assert data['lab'].shape == (2, 2, 3, 64 // stride, 64 // stride)
    assert data['lab'].dtype == torch.float32
    assert torch.equal(data['lab'], expected)
    assert not {'images', 'similarity'} & set(data)


def test_raw_frames_are_kept_if_asked_for():
    model = VISDataPreprocessor(temporal=dict(images=True), **NORMAL)
    data = model(batch(), True)
    assert data['images'].dtype == torch.uint8
    assert torch.equal(data['images'], padded_rgb())
    assert not {'lab', 'images'} & set(model(batch(), False))


@pytest.mark.parametrize('colours', [{}, dict(swap_rb=True), dict(stride=8)])
def test_similarity_does_not_depend_on_temporal(colours):
    for options in (dict(num_frames=1), dict(num_frames=None, validity=False)):
        alone = VISDataPreprocessor(similarity=options, **NORMAL)
        both = VISDataPreprocessor(
            similarity=options, temporal=colours, **NORMAL
        )
        data = both(batch(), True)
        expected = alone(batch(), True)['similarity']
        assert torch.equal(data['similarity'], expected)
        assert data['lab'].size(1) == 2


def test_similarity_of_all_frames_whatever_their_number():
    options = dict(num_frames=None, validity=False)
    model = VISDataPreprocessor(similarity=options, **NORMAL)
    for frames in (1, 3):
        inputs, sample = clip([(64, 64)] * frames)
        data = dict(inputs=[inputs], data_samples=[sample])
        similarity = model(data, True)['similarity']
        assert similarity.shape == (1, frames, 8, 16, 16)
        for t in range(frames):
            alone = color_similarity(inputs[t : t + 1].flip(1))
            assert torch.equal(similarity[0, t], alone[0])


def test_gate_lets_frames_of_medium_size_pass():
    """Fractions of 64 x 64: 0.508, 0.422, 0.9375, 0.9375."""
    gate = dict(canvas=(64, 64), low=0.25, high=0.5)
    options = dict(num_frames=None, gate=gate)
    found = VISDataPreprocessor(similarity=options, **NORMAL)(batch(), True)
    plain = VISDataPreprocessor(similarity=dict(num_frames=None), **NORMAL)
    expected = plain(batch(), True)['similarity']
    expected[0, 0] = expected[1] = 0
    assert expected[0, 1].any()
    assert torch.equal(found['similarity'], expected)
    # The public pre-training takes 0.25 to 0.75 of 1024 x 1024.
    default = VISDataPreprocessor(similarity=dict(gate={}), **NORMAL)
    assert default.similarity['gate'] == dict(
        canvas=(1024, 1024), low=0.25, high=0.75
    )
    assert not default(batch(), True)['similarity'].any()


def test_gate_excludes_its_limits():
    frames, sample = clip([(32, 32), (32, 64), (32, 36)])
    data = dict(inputs=[frames], data_samples=[sample])
    gate = dict(canvas=(64, 64), low=0.25, high=0.5)
    options = dict(num_frames=None, gate=gate)
    found = VISDataPreprocessor(similarity=options, **NORMAL)(data, True)
    assert found['similarity'][0].flatten(1).any(1).tolist() == [
        False,
        False,
        True,
    ]


def test_masks_are_padded_where_asked_for():
    """Clips with masks in joint training."""
    data = batch()
    for sample, shapes in zip(data['data_samples'], SHAPES):
        for t in range(2):
            h, w = (max(side) for side in zip(*shapes))
            masks = torch.ones(1, h, w, dtype=torch.uint8).numpy()
            sample[t].gt_instances.masks = BitmapMasks(masks, h, w)
    model = VISDataPreprocessor(
        similarity={}, temporal={}, pad_mask=True, **NORMAL
    )
    for sample in model(data, True)['data_samples']:
        for t in range(2):
            assert sample[t].gt_instances.masks.masks.shape == (1, 64, 64)


def test_float_frames_have_no_colours_to_match():
    data = batch()
    data['inputs'] = [frames.float() for frames in data['inputs']]
    model = VISDataPreprocessor(temporal={}, **NORMAL)
    with pytest.raises(ConfigError, match='need raw uint8 frames'):
        model(data, True)


def test_clips_of_different_length():
    data = batch()
    data['inputs'][1] = data['inputs'][1][:1]
    data['data_samples'][1].video_data_samples.pop()
    with pytest.raises(ConfigError, match=r'clips of one batch have \[2, 1\]'):
        VISDataPreprocessor(**NORMAL)(data)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(radius=5), r"unknown options of temporal: \['radius'\]"),
        (dict(stride=0), 'stride of temporal is 0'),
    ],
)
def test_bad_options_of_temporal(options, message):
    with pytest.raises(ConfigError, match=message):
        VISDataPreprocessor(temporal=options, **NORMAL)


@pytest.mark.parametrize(
    'gate, message',
    [
        (dict(size=3), r"unknown options of gate: \['size'\]"),
        (dict(low=0.8), 'from 0.8 to 0.75 pass, which are none'),
    ],
)
def test_bad_gates(gate, message):
    with pytest.raises(ConfigError, match=message):
        VISDataPreprocessor(similarity=dict(gate=gate), **NORMAL)
