import math

import pytest
import torch

pytest.importorskip('mmdet')

from pmvis_mm.models import SAMPromptEncoder


@pytest.fixture
def encoder():
    torch.manual_seed(0)
    return SAMPromptEncoder(embed_dims=8)


def code(encoder, x, y):
    """Code of a position in [0, 1], one frequency at a time."""
    matrix = encoder.pe_layer.positional_encoding_gaussian_matrix
    phases = [
        2 * math.pi * ((2 * x - 1) * float(a) + (2 * y - 1) * float(b))
        for a, b in matrix.T
    ]
    return [math.sin(p) for p in phases] + [math.cos(p) for p in phases]


@torch.no_grad()
def test_corners_at_pixel_centres(encoder):
    tokens = encoder(torch.tensor([[3.0, 5.0, 11.0, 15.0]]), 16)
    assert tokens.shape == (1, 2, 8)
    expected = [code(encoder, 3.5 / 16, 5.5 / 16)]
    expected += [code(encoder, 11.5 / 16, 15.5 / 16)]
    kinds = [encoder.point_embeddings[i].weight for i in (2, 3)]
    torch.testing.assert_close(
        tokens[0], torch.tensor(expected) + torch.cat(kinds)
    )


@torch.no_grad()
def test_image_position_is_that_of_pixel_centres(encoder):
    position = encoder.image_position(2, 4)
    assert position.shape == (1, 8, 2, 4)
    expected = torch.tensor(code(encoder, 3.5 / 4, 0.5 / 2))
    torch.testing.assert_close(position[0, :, 0, 3], expected)


def test_no_boxes_and_no_mask(encoder):
    assert encoder(torch.zeros(0, 4), 16).shape == (0, 2, 8)
    dense = encoder.dense_prompt()
    assert dense.shape == (1, 8, 1, 1)
    assert torch.equal(dense.flatten(), encoder.no_mask_embed.weight[0])


def test_names_of_the_checkpoints():
    state = SAMPromptEncoder().state_dict()
    assert {k: tuple(v.shape) for k, v in state.items()} == {
        'pe_layer.positional_encoding_gaussian_matrix': (2, 128),
        **{f'point_embeddings.{i}.weight': (1, 256) for i in range(4)},
        'not_a_point_embed.weight': (1, 256),
        'no_mask_embed.weight': (1, 256),
        'mask_downscaling.0.weight': (4, 1, 2, 2),
        'mask_downscaling.0.bias': (4,),
        'mask_downscaling.1.weight': (4,),
        'mask_downscaling.1.bias': (4,),
        'mask_downscaling.3.weight': (16, 4, 2, 2),
        'mask_downscaling.3.bias': (16,),
        'mask_downscaling.4.weight': (16,),
        'mask_downscaling.4.bias': (16,),
        'mask_downscaling.6.weight': (256, 16, 1, 1),
        'mask_downscaling.6.bias': (256,),
    }
