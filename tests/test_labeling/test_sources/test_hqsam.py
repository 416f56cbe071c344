import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from pmvis_mm.labeling.label_video import LabelVideo
from pmvis_mm.registry import MODELS
from pmvis_mm.structures import BoxTrack, VideoInfo
from pmvis_mm.structures.rle import decode
from pmvis_mm.testing.closed_form import fill, sam_image
from pmvis_mm.utils.errors import CheckpointError, ConfigError

ENCODER = dict(
    type='SAMViT',
    arch=dict(embed_dims=16, depth=2, num_heads=2, global_blocks=(1,)),
    img_size=128,
)
LEFT, RIGHT = (10.0, 8.0, 60.0, 70.0), (70.0, 20.0, 150.0, 90.0)


class Frames(list):
    """Remembers which frames were read."""

    def __init__(self, frames):
        super().__init__(frames)
        self.read = []

    def __getitem__(self, index):
        self.read.append(index)
        return super().__getitem__(index)


def make_video(*boxes):
    """One instance for each list of boxes, ids 3, 4, ..."""
    length = len(boxes[0])
    image = sam_image()
    frames = Frames([np.roll(image, 5 * t, axis=1) for t in range(length)])
    info = VideoInfo(6, 160, 96, tuple(f'{t}.png' for t in range(length)))
    tracks = [BoxTrack(3 + i, 6, 1, list(b)) for i, b in enumerate(boxes)]
    return LabelVideo(info, tracks, frames)


def build(**options):
    options.setdefault('arch', ENCODER)
    source = MODELS.build(dict(type='HQSAMSource', **options)).eval()
    model = source.segmenter
    shapes = {k: v.shape for k, v in model.state_dict().items()}
    model.load_state_dict(fill(shapes))
    return source


def label(source, video):
    (result,) = source.test_step([video])
    return result.tracks


def test_masks_and_scores_go_to_their_instances():
    source = build(name='prompted')
    video = make_video([LEFT, None, LEFT], [None, None, RIGHT])
    first, second = label(source, video)
    assert video.frames.read == [0, 2]
    assert (first.id, second.id) == (3, 4)
    assert first.sources == ['prompted', None, 'prompted']
    assert second.sources == [None, None, 'prompted']
    frames = source.segmenter.encode(list(video.frames))
    for track, t, box in (
        (first, 0, LEFT),
        (first, 2, LEFT),
        (second, 2, RIGHT),
    ):
        masks, scores = source.segmenter.segment(frames[t], [box])
        assert masks.any() and not masks.all()
        different = decode(track.masks[t]) != masks[0]
        assert different.sum() <= 2
        assert track.scores[t] == pytest.approx(scores[0], abs=1e-4)


@pytest.mark.parametrize('count', [1, 2, 5])
def test_frames_per_batch_is_irrelevant(count):
    boxes = [LEFT, RIGHT, None, LEFT, RIGHT]
    expected = label(build(), make_video(boxes))[0]
    source, batches = build(frames_per_batch=count), []
    source.segmenter.image_encoder.register_forward_hook(
        lambda module, inputs, outputs: batches.append(len(inputs[0]))
    )
    (track,) = label(source, make_video(boxes))
    assert sum(batches) == 4 and max(batches) == min(count, 4)
    for one, other in zip(track.masks, expected.masks):
        assert (one is None) == (other is None)
        if one is not None:
            assert (decode(one) != decode(other)).sum() <= 2


def test_single_frames():
    source = build()
    pairs = source.segment(sam_image(), [LEFT, RIGHT])
    assert [mask.shape for mask, _ in pairs] == [(96, 160)] * 2
    assert all(0 <= score <= 1 for _, score in pairs)
    assert all(type(score) is float for _, score in pairs)
    video = make_video([LEFT], [RIGHT])
    for (mask, score), track in zip(pairs, label(source, video)):
        np.testing.assert_array_equal(decode(track.masks[0]), mask)
        assert track.scores[0] == pytest.approx(score, abs=1e-5)
    assert source.segment(sam_image(), []) == []


def test_empty_mask_is_no_mask():
    source = build(hq_token_only=True)
    last = source.segmenter.mask_decoder.hf_mlp.layers[2]
    last.weight.zero_()
    last.bias.zero_()  # logits 0 are not above 0
    (track,) = label(source, make_video([LEFT]))
    assert track.masks == [None] and track.scores == [None]


def test_video_without_boxes():
    video = make_video([None, None])
    (track,) = label(build(), video)
    assert track.masks == [None, None] and video.frames.read == []
    video.tracks.clear()
    assert label(build(), video) == []


def test_options_reach_the_model():
    source = build(
        multimask_output=True,
        hq_token_only=True,
        encoder_dtype='bfloat16',
        boxes_per_pass=7,
        device='cpu',
    )
    model = source.segmenter
    assert type(model.mask_decoder).__name__ == 'HQMaskDecoder'
    assert model.mask_decoder.multimask_output
    assert model.mask_decoder.hq_token_only
    assert model.encoder_dtype == torch.bfloat16
    assert model.boxes_per_pass == 7
    plain = build(hq=False, multimask_output=True).segmenter.mask_decoder
    assert type(plain).__name__ == 'SAMMaskDecoder'
    assert plain.multimask_output


def test_init_weights_keeps_the_checkpoint(tmp_path):
    weights = build().segmenter.state_dict()
    path = tmp_path / 'sam_hq.pth'
    torch.save(weights, path)
    source = MODELS.build(
        dict(type='HQSAMSource', arch=ENCODER, checkpoint=str(path))
    )
    source.init_weights()
    for name, value in source.segmenter.state_dict().items():
        assert torch.equal(value, weights[name]), name


def test_bad_options(tmp_path):
    with pytest.raises(ConfigError, match='frames_per_batch=0 is not'):
        build(frames_per_batch=0)
    with pytest.raises(ConfigError, match='hq=False: SAM has no such token'):
        build(hq=False, hq_token_only=True)
    with pytest.raises(ConfigError, match="image_encoder='vit_x'"):
        build(arch='vit_x')
    with pytest.raises(CheckpointError, match='does not exist'):
        build(checkpoint=str(tmp_path / 'none.pth'))
