"""Equality with the outputs of the package segment-anything-hq."""

import json

import numpy as np
import pytest
import torch

pytest.importorskip('mmdet')

from pmvis_mm.models import HQSAMSegmenter
from pmvis_mm.testing.closed_form import SAM_BOXES, fill, sam_image
from pmvis_mm.testing.golden import golden_dir, golden_files

# Tolerance of the numbers and of the areas, pixels.
ATOL, AREA = 2e-4, 2

MINI = dict(
    type='SAMViT',
    arch=dict(embed_dims=32, depth=3, num_heads=2, global_blocks=(1,)),
)
ENCODERS = dict(
    vit_mini=MINI, **{k: k for k in ('vit_tiny', 'vit_b', 'vit_l', 'vit_h')}
)
CASES = [
    pytest.param(path, encoder, id=f'{path.stem}-{encoder}')
    for path in golden_files('hqsam_*.json')
    for encoder in json.loads(path.read_text())
] or [
    pytest.param(
        None,
        None,
        marks=pytest.mark.skip(reason=f'no hqsam_* in {golden_dir()}'),
    )
]
MODES = {
    f'mm{multi:d}_hq{only:d}': (multi, only)
    for multi in (False, True)
    for only in (False, True)
}


class Encoded:
    """A filled model and the golden image in it."""

    def __init__(self, encoder):
        self.model = HQSAMSegmenter(ENCODERS[encoder])
        shapes = {k: v.shape for k, v in self.model.state_dict().items()}
        self.model.load_state_dict(fill(shapes))
        self.early = []
        hook = self.model.image_encoder.register_forward_hook(
            lambda module, inputs, outputs: self.early.append(outputs[1])
        )
        (self.frame,) = self.model.encode([sam_image()[..., ::-1]])
        hook.remove()

    def decode(self, multimask_output, hq_token_only):
        self.model.mask_decoder.multimask_output = multimask_output
        self.model.mask_decoder.hq_token_only = hq_token_only
        found = self.model.decode(self.frame, SAM_BOXES)
        found.logits = self.model.enlarge(found.low_res_logits, self.frame)
        return found


@pytest.fixture(scope='module')
def encoded():
    """Function that encodes the image once for each encoder."""
    known = {}

    def get(encoder):
        if encoder not in known:
            if len(known) > 1:
                known.clear()  # large ones would fill the memory
            known[encoder] = Encoded(encoder)
        return known[encoder]

    return get


def assert_near(got, expected):
    np.testing.assert_allclose(got, expected, rtol=0, atol=ATOL)


@pytest.mark.parametrize('path, encoder', CASES)
def test_golden(path, encoder, encoded):
    golden = json.loads(path.read_text())[encoder]
    case = encoded(encoder)
    embedding = case.frame.embedding
    assert_near(
        [embedding.mean(), embedding.std(), embedding[0, 3, 20, 30]],
        golden['emb'],
    )
    (early,) = case.early
    assert_near([early.mean(), early.std()], golden['early'])
    modes = [key for key in golden if key.startswith('mm')]
    assert modes
    for mode in modes:
        expected, found = golden[mode], case.decode(*MODES[mode])
        low = found.low_res_logits.flatten(1)
        assert_near(low.mean(1), expected['low_mean'])
        assert_near(low.std(1), expected['low_std'])
        assert_near(found.ious, expected['iou'])
        areas = (found.logits > 0).flatten(1).sum(1)
        np.testing.assert_allclose(
            areas, expected['area'], rtol=0, atol=AREA, err_msg=mode
        )
        assert_near(found.logits[1, 48, 100], expected['pix'])


def check_case(case, embedding, early, modes):
    values = case.frame.embedding
    assert_near([values.mean(), values.std(), values[0, 3, 20, 30]], embedding)
    assert_near([case.early[0].mean(), case.early[0].std()], early)
    for (multi, only), (means, ious, areas, pixel) in modes.items():
        found = case.decode(multi, only)
        assert_near(found.low_res_logits.flatten(1).mean(1), means)
        got = (found.logits > 0).flatten(1).sum(1)
        if ious is not None:
            assert_near(found.ious, ious)
        if areas is not None:
            np.testing.assert_allclose(got, areas, rtol=0, atol=AREA)
        if pixel is not None:
            assert_near(found.logits[1, 48, 100], pixel)


def test_case_12_vit_tiny(encoded):
    single = [0.086013, -0.080394, 0.023113]
    multi = [-0.372868, -0.316583, -0.320992]
    check_case(
        encoded('vit_tiny'),
        [-0.011486, 1.007015, 0.895814],
        [-0.020625, 0.976979],
        {
            (False, False): (
                [2.839688, 2.694097, 2.664695],
                single,
                [14107, 13972, 13907],
                5.79108,
            ),
            (False, True): (
                [2.487337, 2.393806, 2.325621],
                single,
                [14087, 13989, 13903],
                None,
            ),
            (True, False): (
                [2.635294, 2.673886, 2.494009],
                multi,
                [13947, 13917, 13791],
                None,
            ),
        },
    )


def test_case_13_mini_vit(encoded):
    check_case(
        encoded('vit_mini'),
        [-0.002907, 0.996915, -0.432965],
        [-0.312012, 1.584174],
        {
            (False, False): (
                [2.493001, 2.222836, 2.081413],
                [0.222158, 0.319691, 0.266202],
                [12950, 12790, 12544],
                2.562476,
            ),
            (False, True): ([2.360029, 2.163377, 2.046766], None, None, None),
            (True, False): (
                [1.891544, 1.739134, 1.658745],
                None,
                [11906, 12004, 11667],
                None,
            ),
        },
    )


def test_hq_mask_alone_does_not_depend_on_the_choice_of_sams(encoded):
    case = encoded('vit_mini')
    first, second = case.decode(False, True), case.decode(True, True)
    assert torch.equal(first.low_res_logits, second.low_res_logits)
    assert not torch.equal(first.ious, second.ious)
