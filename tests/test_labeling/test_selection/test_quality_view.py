import numpy as np
import pytest

from pmvis_mm.labeling.selection.quality_view import (
    MAX_SIDE,
    CropGrid,
    InstanceView,
    color_histogram,
)


def test_grid_enlarges_the_box_within_the_frame():
    grid = CropGrid.around((20.0, 10.0, 40.0, 30.0), 100, 100)
    # 35 % of 20 pixels and two more on every side.
    assert grid.window == (11, 1, 49, 39)
    np.testing.assert_array_equal(grid.x, np.arange(11, 49))
    np.testing.assert_array_equal(grid.y, np.arange(1, 39))
    corner = CropGrid.around((0.0, 0.0, 10.0, 10.0), 12, 11)
    assert corner.window == (0, 0, 11, 12)


def test_large_boxes_shrink():
    grid = CropGrid.around((100.0, 100.0, 900.0, 500.0), 1080, 1920)
    assert len(grid.x) == MAX_SIDE and len(grid.y) < MAX_SIDE
    image = np.zeros((1080, 1920), np.float32)
    image[:, 960:] = 1
    crop = grid.crop(image)
    assert crop.shape == (len(grid.y), len(grid.x))
    # Each sample stands where the crop says.
    np.testing.assert_array_equal(crop[5] > 0.5, grid.x > 959.5)


@pytest.mark.parametrize('box', [(5.2, 5.2, 5.6, 9.0), (0.0, 0.0, 1.0, 1.0)])
def test_boxes_thinner_than_a_pixel(box):
    grid = CropGrid.around(box, 20, 20)
    image = np.zeros((20, 20, 3), np.uint8)
    view = InstanceView(image, box, grid)
    assert view.inside.any() and np.isfinite(view.layers).all()


def test_sampling_moves_and_scales():
    grid = CropGrid.around((4.0, 4.0, 8.0, 8.0), 30, 40)
    image = np.tile(np.arange(40, dtype=np.float32), (30, 1))
    np.testing.assert_allclose(grid.sample(image)[3], grid.x)
    offset = np.zeros((len(grid.y), len(grid.x), 2), np.float32)
    offset[..., 0] = 2
    np.testing.assert_allclose(
        grid.sample(image, offset=offset)[3], grid.x + 2
    )
    # The same ramp at twice the size: column c shows (c - 0.5) / 2.
    large = np.tile((np.arange(80, dtype=np.float32) - 0.5) / 2, (60, 1))
    np.testing.assert_allclose(
        grid.sample(large, (2.0, 2.0))[3], grid.x, atol=1e-5
    )


def test_view_knows_box_and_ellipse():
    box = (10.0, 10.0, 30.0, 20.0)
    image = np.zeros((60, 60, 3), np.uint8)
    view = InstanceView(image, box, CropGrid.around(box, 60, 60))
    assert view.inside.sum() == 200
    # pi / 4 of the box, to the pixel's precision.
    assert abs(view.ellipse.sum() - 157) <= 3
    assert view.scale == pytest.approx(200**0.5)
    assert view.moves is None and view.layers.shape[2] == 4


def test_camera_motion_is_explained():
    box = (20.0, 20.0, 40.0, 40.0)
    grid = CropGrid.around(box, 80, 80)
    x, y = np.meshgrid(grid.x, grid.y)
    # The camera pans and zooms; the object moves three pixels more.
    flow = np.stack([1 + 0.05 * x, -2 + 0.05 * y], 2).astype(np.float32)
    image = np.zeros((80, 80, 3), np.uint8)
    view = InstanceView(image, box, grid, flow)
    assert view.moves is not None
    assert view.moves.max() < 0.01
    flow[view.inside] += (0, 3)
    moves = InstanceView(image, box, grid, flow).moves
    assert moves is not None
    np.testing.assert_allclose(moves[view.inside], 3, atol=0.05)
    assert moves[~view.inside].max() < 0.05


def test_histogram_spreads_over_neighbours():
    bins = np.full((4, 4), 8 * 8 * 3 + 8 * 4 + 4)
    full = color_histogram(bins, np.ones((4, 4), bool))
    assert full.sum() == pytest.approx(1)
    assert full[bins[0, 0]] == pytest.approx(0.125)
    assert full[bins[0, 0] + 1] == pytest.approx(0.0625)
    assert color_histogram(bins, np.zeros((4, 4), bool)).sum() == 0
