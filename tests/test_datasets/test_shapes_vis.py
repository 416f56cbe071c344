import hashlib
import json
import math

import numpy as np
import pytest
from PIL import Image

from pmvis_mm.datasets.shapes_vis import (
    CATEGORIES,
    ShapesVISGenerator,
    write_shapes_vis,
)
from pmvis_mm.datasets.shapes_vis_noise import sample_tiled, value_noise
from pmvis_mm.datasets.shapes_vis_scene import MovingShape, radial_profile
from pmvis_mm.structures import VideoAnnotations
from pmvis_mm.structures.rle import decode, tight_boxes
from pmvis_mm.utils.errors import ConfigError, OutputError


@pytest.fixture(scope='module')
def videos():
    generator = ShapesVISGenerator(num_frames=16, seed=0)
    return [generator.generate_video(index) for index in range(20)]


def _digest(video):
    digest = hashlib.sha256(video.frames.tobytes())
    for track in video.tracks:
        digest.update(np.packbits(track.masks).tobytes())
    return digest.hexdigest()


def _still(category, **kwargs):
    """A shape of radius 20 in the middle of a 64x64 frame."""
    options = dict(
        category=CATEGORIES.index(category),
        centers=np.full((1, 2), 32.0),
        radii=np.full(1, 20.0),
        angles=np.zeros(1),
        harmonics=[],
        texture=np.zeros((64, 64)),
        color=np.array([10.0, 20.0, 30.0]),
        accent=np.zeros(3),
    )
    return MovingShape(**dict(options, **kwargs))


# ------------------------------------------------------------------ geometry
@pytest.mark.parametrize('category', CATEGORIES)
def test_every_shape_has_the_area_of_its_circle(category):
    # Tilted, as a square whose sides lie on the grid's diagonal gains a row.
    patch = _still(category, angles=np.full(1, 0.3)).paint(0, (64, 64))
    assert patch.mask.sum() == pytest.approx(math.pi * 20**2, rel=0.01)


def test_square_outline_by_hand():
    # A unit-area-pi square with a corner at angle 0 has the circumradius
    # sqrt(pi / 2) and the apothem sqrt(pi) / 2 (at 45 degrees = index 90).
    profile = radial_profile('square')
    assert profile[0] == pytest.approx(math.sqrt(math.pi / 2), rel=1e-4)
    assert profile[90] == pytest.approx(math.sqrt(math.pi) / 2, rel=1e-4)
    np.testing.assert_allclose(profile, np.roll(profile, 180), rtol=1e-9)


def test_star_has_five_points_and_inner_radius():
    profile = radial_profile('star')
    assert profile[72] / profile[0] == pytest.approx(0.45)
    peaks = (profile > np.roll(profile, 1)) & (profile > np.roll(profile, -1))
    np.testing.assert_array_equal(np.flatnonzero(peaks), np.arange(5) * 144)


def test_disk_mask_is_the_distance_test():
    patch = _still('disk').paint(0, (64, 64))
    grid = np.arange(64) + 0.5 - 32
    expected = grid[None] ** 2 + grid[:, None] ** 2 <= 20**2
    full = np.zeros((64, 64), bool)
    full[patch.rows, patch.columns] = patch.mask
    np.testing.assert_array_equal(full, expected)
    np.testing.assert_array_equal(patch.colors[0, 0], [10, 20, 30])


def test_turning_by_a_right_angle_turns_mask_and_texture():
    texture = np.random.default_rng(0).random((64, 64))
    options = dict(texture=texture, accent=np.ones(3))
    first = _still('triangle', **options).paint(0, (64, 64))
    options['angles'] = np.full(1, math.pi / 2)
    second = _still('triangle', **options).paint(0, (64, 64))
    # y points down, so that a positive angle is clockwise on the screen.
    np.testing.assert_array_equal(second.mask, np.rot90(first.mask, -1))
    np.testing.assert_allclose(
        second.colors, np.rot90(first.colors, -1), atol=1e-9
    )


def test_shape_outside_the_frame_is_not_painted():
    shape = _still('disk', centers=np.array([[32.0, 90.0]]))
    assert shape.paint(0, (64, 64)) is None


def test_tiled_sampling_by_hand():
    tile = np.array([[0.0, 1.0], [2.0, 3.0]])
    rows, columns = np.array([0.0, 0.5, 1.5, -2.0]), np.array([1.0, 0, 0, 3])
    # Rows 1 and 2 = 0 mean 2 and 0; -2 and 3 are 0 and 1 again.
    np.testing.assert_allclose(
        sample_tiled(tile, rows, columns), [1.0, 1.0, 1.0, 1.0]
    )


def test_periodic_noise_hits_its_lattice_and_wraps():
    noise = value_noise(np.random.default_rng(0), (8, 8), 4.0, True)
    lattice = 2 * np.random.default_rng(0).random((2, 2)) - 1
    np.testing.assert_array_equal(noise[::4, ::4], lattice)
    # Halfway, the weight 0.25 * (3 - 1) is one half, on both sides.
    half = (lattice[0, 0] + lattice[0, 1]) / 2
    assert noise[0, 2] == pytest.approx(half)
    assert noise[0, 6] == pytest.approx(half)


# --------------------------------------------------------------------- video
def test_same_seed_same_pixels():
    first, second, other = (
        ShapesVISGenerator(num_frames=4, seed=seed) for seed in (7, 7, 8)
    )
    # The second asks in another order: videos do not depend on each other.
    later = [second.generate_video(index) for index in (2, 0)][::-1]
    digests = [_digest(first.generate_video(index)) for index in (0, 2)]
    assert digests == [_digest(video) for video in later]
    assert digests[0] != digests[1]
    assert _digest(other.generate_video(0)) not in digests


def test_pixels_do_not_depend_on_the_platform():
    video = ShapesVISGenerator(num_frames=4, seed=3).generate_video(5)
    assert _digest(video)[:16] == '0fccf1afc2d92d02'


def test_shapes_and_types(videos):
    for video in videos:
        assert video.frames.shape == (16, 96, 160, 3)
        assert video.frames.dtype == np.uint8
        assert 1 <= len(video.tracks) <= 3
        for track in video.tracks:
            assert track.masks.shape == (16, 96, 160)
            assert track.masks.dtype == bool
            assert len(track.boxes) == 16
            assert sum(box is not None for box in track.boxes) >= 3


def test_masks_are_disjoint(videos):
    for video in videos:
        assert sum(t.masks.astype(int) for t in video.tracks).max() == 1


def test_boxes_are_tight_and_small_masks_are_gone(videos):
    for track in (track for video in videos for track in video.tracks):
        for mask, box in zip(track.masks, track.boxes):
            if box is None:
                assert not mask.any()
                continue
            assert mask.sum() >= 12
            ys, xs = np.nonzero(mask)
            expected = (xs.min(), ys.min(), xs.max() + 1, ys.max() + 1)
            assert box == expected


def test_categories_are_balanced(videos):
    counts = np.zeros(4, int)
    objects = np.zeros(4, int)
    for video in videos:
        objects[len(video.tracks)] += 1
        for track in video.tracks:
            counts[track.category] += 1
    # Every block of four videos has 1, 2, 2 and 3 objects, 2 per category.
    np.testing.assert_array_equal(counts, [10, 10, 10, 10])
    np.testing.assert_array_equal(objects, [0, 5, 10, 5])


@pytest.mark.parametrize('max_objects', [1, 2, 5])
def test_categories_are_balanced_for_other_numbers(max_objects):
    generator = ShapesVISGenerator(max_objects=max_objects, seed=1)
    drawn = [generator._categories(index) for index in range(16)]
    counts = np.bincount(np.concatenate(drawn), minlength=4)
    assert counts.max() - counts.min() <= 1
    lengths = [len(categories) for categories in drawn]
    assert (min(lengths), max(lengths)) == (1, max_objects)


def test_objects_occlude_enter_and_leave(videos):
    tracks = [track for video in videos for track in video.tracks]
    occluded = entering = leaving = 0
    for track in tracks:
        visible = track.masks.sum(axis=(1, 2))
        assert (visible <= track.full_areas).all()
        hidden = (track.full_areas >= 12) & (visible < track.full_areas)
        occluded += hidden.sum()
        entering += track.boxes[0] is None
        leaving += track.boxes[-1] is None
    assert occluded >= 60
    assert entering >= 2
    assert leaving >= 2


def _roundness(mask):
    """Ratio of the principal axes: 1 for a disk, whatever its size."""
    ys, xs = np.nonzero(mask)
    values = np.linalg.eigvalsh(np.cov(np.stack([ys, xs])))
    return math.sqrt(values[0] / values[1])


def test_disks_deform(videos):
    changes = []
    for track in (track for video in videos for track in video.tracks):
        whole = [
            _roundness(mask)
            for mask, box, area in zip(
                track.masks, track.boxes, track.full_areas
            )
            if box is not None
            and mask.sum() == area
            and min(box[:2]) > 0
            and box[2] < 160
            and box[3] < 96
        ]
        if track.category == 0 and len(whole) >= 8:
            changes.append(max(whole) - min(whole))
    assert len(changes) >= 4
    assert sum(change > 0.04 for change in changes) >= len(changes) / 2


def test_texture_moves_along():
    # Predict each object's next frame by the shift of its box: much better
    # than assuming that nothing moved.
    shifted = still = 0.0
    generator = ShapesVISGenerator(num_frames=8, seed=2)
    for video in (generator.generate_video(index) for index in range(12)):
        for track in video.tracks:
            for t in range(7):
                before, after = track.boxes[t], track.boxes[t + 1]
                if before is None or after is None:
                    continue
                dx, dy = (
                    round(
                        (after[i] + after[i + 2] - before[i] - before[i + 2])
                        / 2
                    )
                    for i in (0, 1)
                )
                moved = np.roll(video.frames[t], (dy, dx), (0, 1))
                common = track.masks[t + 1] & np.roll(
                    track.masks[t], (dy, dx), (0, 1)
                )
                target = video.frames[t + 1][common].astype(float)
                shifted += np.abs(target - moved[common]).sum()
                still += np.abs(target - video.frames[t][common]).sum()
    assert shifted < 0.6 * still


def test_another_size_is_the_same_kind_of_scene():
    video = ShapesVISGenerator(3, (180, 320), seed=1).generate_video(0)
    assert video.frames.shape == (3, 180, 320, 3)
    areas = [track.full_areas.max() for track in video.tracks]
    # Radii of 8 to 24 at a height of 96, growth and outline aside.
    assert math.pi * (8 * 180 / 96) ** 2 / 2 < max(areas)


@pytest.mark.parametrize(
    'options, message',
    [
        (dict(num_frames=0), 'num_frames is 0'),
        (dict(size=(16, 160)), 'size is 16'),
        (dict(seed=-1), 'seed is -1'),
        (dict(max_objects=0), 'max_objects is 0'),
    ],
)
def test_bad_arguments(options, message):
    with pytest.raises(ConfigError, match=message):
        ShapesVISGenerator(**options)


# ------------------------------------------------------------------- writing
@pytest.fixture(scope='module')
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp('shapes')
    return write_shapes_vis(
        folder, num_videos=4, num_frames=5, seed=0, image_format='png'
    )


def test_files_hold_what_was_generated(written):
    truth = VideoAnnotations.from_file(
        written / 'instances.json', with_masks=True
    )
    assert [c['name'] for c in truth.categories] == list(CATEGORIES)
    assert list(truth.videos) == [1, 2, 3, 4]
    generator = ShapesVISGenerator(num_frames=5, seed=0)
    for index, info in enumerate(truth.videos.values()):
        video = generator.generate_video(index)
        assert info.name == f'shapes_{index:05d}'
        for t, name in enumerate(info.file_names):
            with Image.open(written / 'JPEGImages' / name) as image:
                np.testing.assert_array_equal(image, video.frames[t])
        pairs = zip(truth.tracks[index + 1], video.tracks)
        for track, expected in pairs:
            assert track.category_id == expected.category + 1
            assert track.boxes == expected.boxes
            for mask, dense in zip(track.segmentations, expected.masks):
                if mask is None:
                    assert not dense.any()
                else:
                    np.testing.assert_array_equal(decode(mask), dense)
    assert len({track.id for track in truth}) == 8


def test_box_file_knows_nothing_of_masks(written):
    text = (written / 'boxes.json').read_text()
    assert 'segmentation' not in text and 'area' not in text
    boxes = VideoAnnotations.from_file(written / 'boxes.json', with_masks=True)
    truth = VideoAnnotations.from_file(
        written / 'instances.json', with_masks=True
    )
    for track, expected in zip(boxes, truth):
        assert track.segmentations is None
        assert track.boxes == expected.boxes
        tight = tight_boxes(expected.segmentations)
        for box, other in zip(track.boxes, tight):
            assert (box or (0, 0, 0, 0)) == tuple(other)


def test_areas_count_pixels(written):
    data = json.loads((written / 'instances.json').read_text())
    for entry in data['annotations']:
        for area, mask in zip(entry['areas'], entry['segmentations']):
            assert area == (None if mask is None else decode(mask).sum())


def test_second_call_writes_nothing(tmp_path):
    options = dict(num_videos=1, num_frames=2)
    write_shapes_vis(tmp_path, **options)
    frame = tmp_path / 'JPEGImages/shapes_00000/00000.jpg'
    frame.write_text('touched')
    write_shapes_vis(tmp_path, **options)
    assert frame.read_text() == 'touched'
    # Other parameters replace the set, with all of its files.
    write_shapes_vis(tmp_path, num_videos=1, num_frames=1, seed=5)
    with Image.open(frame) as image:
        assert image.size == (160, 96)
    assert [p.name for p in frame.parent.iterdir()] == ['00000.jpg']


def test_unfinished_set_is_written_again(tmp_path, monkeypatch):
    def stop(self, index):
        raise KeyboardInterrupt

    options = dict(num_videos=1, num_frames=2)
    with monkeypatch.context() as patch:
        patch.setattr(ShapesVISGenerator, 'generate_video', stop)
        with pytest.raises(KeyboardInterrupt):
            write_shapes_vis(tmp_path, **options)
    assert [p.name for p in tmp_path.iterdir()] == ['manifest.json']
    write_shapes_vis(tmp_path, **options)
    again = tmp_path / 'again'
    write_shapes_vis(again, **options)
    for name in ('instances.json', 'boxes.json', 'manifest.json'):
        assert (tmp_path / name).read_bytes() == (again / name).read_bytes()


def test_foreign_dataset_is_not_touched(tmp_path):
    (tmp_path / 'JPEGImages').mkdir()
    with pytest.raises(OutputError, match='JPEGImages is there, but was not'):
        write_shapes_vis(tmp_path, num_videos=1)
    assert [p.name for p in tmp_path.iterdir()] == ['JPEGImages']


def test_bad_write_arguments(tmp_path):
    with pytest.raises(ConfigError, match="unknown image_format 'bmp'"):
        write_shapes_vis(tmp_path, 1, image_format='bmp')
    with pytest.raises(ConfigError, match='num_videos is 0'):
        write_shapes_vis(tmp_path, 0)
