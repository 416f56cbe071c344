import numpy as np
import pytest

from pmvis_mm.visualization.overlay import draw_instances
from pmvis_mm.visualization.overlay_labels import (
    Label,
    _shorten,
    draw_labels,
    font_size,
    place_plates,
    render_text,
)

FRAME = (200, 100)  # width, height


def boxes_of(places, sizes):
    return [(x, y, x + w, y + h) for (x, y), (w, h) in zip(places, sizes)]


def overlap(first, second):
    width = min(first[2], second[2]) - max(first[0], second[0])
    height = min(first[3], second[3]) - max(first[1], second[1])
    return max(width, 0) * max(height, 0)


@pytest.mark.parametrize(
    'shape, count, size',
    [
        ((240, 427), 1, 12),
        ((720, 1280), 1, 29),  # 12 * 3 ** 0.8 = 28.9
        ((1280, 720), 1, 29),
        ((2160, 3840), 12, 70),  # 12 * 9 ** 0.8 = 69.6
        ((2160, 3840), 40, 42),  # 0.6 of it
        ((240, 427), 40, 12),
        ((90, 160), 1, 12),
    ],
)
def test_font_size(shape, count, size):
    assert font_size(*shape, count) == size


def test_a_label_stands_above_its_instance():
    assert place_plates([(30, 10)], [(50, 40, 90, 80)], FRAME) == [(50, 30)]


@pytest.mark.parametrize(
    'target, place',
    [
        ((190, 40, 200, 60), (170, 30)),  # at the right: moved left
        ((50, 0, 70, 10), (50, 10)),  # no room above: below, not upon it
        ((0, 95, 5, 100), (0, 85)),
        ((0, 0, 200, 100), (0, 0)),  # large: upon it
    ],
)
def test_labels_at_borders_stay_inside(target, place):
    assert place_plates([(30, 10)], [target], FRAME) == [place]


def test_neighbours_do_not_cover_each_other():
    sizes = [(30, 10), (30, 10), (30, 10)]
    target = (50, 40, 90, 80)
    places = place_plates(sizes, [target] * 3, FRAME)
    # Above from the left, above from the right would overlap: below.
    assert places[:2] == [(50, 30), (50, 80)]
    boxes = boxes_of(places, sizes)
    assert overlap(boxes[2], boxes[0]) == overlap(boxes[2], boxes[1]) == 0


@pytest.mark.parametrize('seed', range(5))
def test_forty_labels_find_room(seed):
    rng = np.random.default_rng(seed)
    corners = rng.integers(0, [1240, 680], (40, 2))
    targets = [(x, y, x + 40, y + 40) for x, y in corners.tolist()]
    sizes = [(int(w), 23) for w in rng.integers(80, 200, 40)]
    places = place_plates(sizes, targets, (1280, 720))
    assert places == place_plates(sizes, targets, (1280, 720))
    boxes = boxes_of(places, sizes)
    for i, box in enumerate(boxes):
        assert 0 <= box[0] and box[2] <= 1280 and 0 <= box[1] <= 720 - 23
        assert all(overlap(box, other) == 0 for other in boxes[:i])


def test_a_label_keeps_clear_of_small_instances():
    # The dot is where the label of the other would stand.
    targets = [(50, 40, 90, 80), (60, 32, 64, 36)]
    (first, _) = place_plates([(30, 10), (30, 10)], targets, FRAME)
    assert overlap((*first, first[0] + 30, first[1] + 10), targets[1]) == 0


def test_without_room_the_least_is_covered():
    sizes = [(200, 60), (200, 60)]
    places = place_plates(sizes, [(0, 0, 200, 100)] * 2, FRAME)
    boxes = boxes_of(places, sizes)
    assert overlap(*boxes) == 200 * 20


def test_a_plate_larger_than_the_frame():
    assert place_plates([(300, 120)], [(5, 5, 9, 9)], FRAME) == [(0, 0)]
    canvas = np.zeros((20, 30, 3), np.uint8)
    label = Label('a long text', '1', (9, 200, 9), (5, 5, 9, 9))
    draw_labels(canvas, [label])
    assert (canvas == (9, 200, 9)).all(axis=2).any()


def test_long_texts_keep_their_ends():
    text = 'a very long class name of one object 12 0.98'
    short = _shorten(text, 12, 150)
    assert short.startswith('a very') and short.endswith('…12 0.98')
    assert render_text(short, 12).shape[1] <= 150 + 4
    assert _shorten('cat 1 0.98', 12, 150) == 'cat 1 0.98'
    assert _shorten(text, 12, 1) == '12 0.98'
    assert _shorten('two\nlines', 12, 150) == 'two lines'


def test_letters_are_rendered():
    blank, word = render_text(' ', 20), render_text('Straße Ω', 20)
    assert word.dtype == np.uint8 and word.shape[0] == blank.shape[0]
    assert not blank.any() and word.max() > 200
    # Outlines of capitals are about 3/4 of the size.
    rows = np.flatnonzero(render_text('H', 40).max(axis=1) > 128)
    assert 28 <= rows[-1] - rows[0] + 1 <= 31


def test_a_crowded_frame_has_short_labels():
    image = np.zeros((240, 427, 3), np.uint8)
    boxes = [
        (10.0 + 40 * (i % 10), 20.0 + 55 * (i // 10), 0.0, 0.0)
        for i in range(40)
    ]
    boxes = [(x, y, x + 10, y + 10) for x, y, _, _ in boxes]
    ids = list(range(40))
    nothing = [None] * 40
    names = [f'giant_panda {i} 0.99' for i in ids]
    numbers = [str(i) for i in ids]
    crowded = draw_instances(image, nothing, ids, names, boxes)
    short = draw_instances(image, nothing, ids, numbers, boxes)
    np.testing.assert_array_equal(crowded, short)
    few = draw_instances(image, nothing[:3], ids[:3], names[:3], boxes[:3])
    other = draw_instances(image, nothing[:3], ids[:3], numbers[:3], boxes[:3])
    assert (few != other).any()


def test_a_far_label_is_joined_by_a_line():
    canvas = np.zeros((240, 427, 3), np.uint8)
    target = (200, 100, 210, 110)
    labels = [
        Label('giant_panda 1', '1', (0, 255, 0), target),
        *[Label('giant_panda 2', '2', (0, 0, 255), target)] * 12,
    ]
    draw_labels(canvas, labels)
    sizes = [render_text('giant_panda 2', 12).shape[::-1]] * 13
    last = boxes_of(place_plates(sizes, [target] * 13, (427, 240)), sizes)[-1]
    assert overlap(last, (180, 90, 230, 120)) == 0
    # A line through the instance, which no plate covers.
    assert canvas[100:110, 200:210].any()


def test_letters_stand_out_from_their_plate():
    for color in ((0, 0, 0), (255, 255, 255), (51, 112, 255), (255, 64, 51)):
        canvas = np.full((60, 120, 3), 127, np.uint8)
        draw_labels(canvas, [Label('HHH', '1', color, (10, 30, 110, 60))])
        plate = canvas[:30, 10:40].astype(float) @ [0.114, 0.587, 0.299]
        luma = np.dot(color, [0.114, 0.587, 0.299])
        assert np.abs(plate - luma).max() > 90
