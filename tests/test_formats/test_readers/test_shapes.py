import base64
import io
import math
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from pmvis_mm.formats.readers.shape_groups import Drawn, add_frame
from pmvis_mm.formats.readers.shapes import (
    Shape,
    bitmap,
    circle,
    mask_shape,
    merge_shapes,
    polygon,
    read_points,
    rectangle,
    rotated_rectangle,
)
from pmvis_mm.formats.readers.track_collector import TrackCollector
from pmvis_mm.structures.rle import box_rle, decode
from pmvis_mm.utils.errors import AnnotationError

SIZE = (8, 10)


def png(array):
    file = io.BytesIO()
    Image.fromarray(array).save(file, 'PNG')
    return file.getvalue()


def text_of(array, compressed=False):
    content = png(array)
    content = zlib.compress(content) if compressed else content
    return base64.b64encode(content).decode()


def square(*corners):
    return read_points([list(corner) for corner in corners])


def test_corners_come_in_any_order():
    shape = rectangle(square((5, 1), (2.5, 4)))
    assert shape == Shape((2.5, 1.0, 5.0, 4.0), None, True)


@pytest.mark.parametrize(
    'raw',
    [None, 'a', [1, 2], [[1]], [[1, 2, 3]], [[1, 'x']], [[True, 2]]],
)
def test_points_of_another_form(raw):
    with pytest.raises(ValueError, match='are no list of'):
        read_points(raw)


@pytest.mark.parametrize('bad', [math.nan, math.inf])
def test_points_without_number(bad):
    with pytest.raises(ValueError, match='no finite number'):
        read_points([[1, 2], [bad, 3]])


def test_no_points_are_an_empty_array():
    assert read_points([]).shape == (0, 2)
    with pytest.raises(ValueError, match='needs 2 corners, got 0'):
        rectangle(read_points([]))
    with pytest.raises(ValueError, match='needs 3 points, got 0'):
        polygon(read_points([]), SIZE)


def test_a_line_is_no_rectangle():
    with pytest.raises(ValueError, match='no positive width and height'):
        rectangle(square((2, 1), (2, 4)))


def test_turned_by_a_quarter():
    # Clockwise on the screen: to the right becomes downwards.
    box = rotated_rectangle(5, 2, 3, 1, 90).box
    assert box == pytest.approx((4, 2, 5, 5))
    assert rotated_rectangle(5, 2, 3, 1, -360).box == (5, 2, 8, 3)
    half = math.sqrt(0.5)
    box = rotated_rectangle(0, 0, 2, 2, 45).box
    assert box == pytest.approx((-2 * half, 0, 2 * half, 4 * half))


@pytest.mark.parametrize(
    'values, match',
    [
        ((0, 0, 0, 1, 0), 'no positive width'),
        ((0, 0, 1, -1, 0), 'no positive width'),
        ((0, 0, 1, 1, math.nan), 'no finite number'),
    ],
)
def test_bad_turned_rectangles(values, match):
    with pytest.raises(ValueError, match=match):
        rotated_rectangle(*values)


def test_polygon_with_a_hole():
    ring = square((1, 1), (7, 1), (7, 6), (1, 6))
    hole = square((3, 2), (5, 2), (5, 4), (3, 4))
    shape = polygon(ring, SIZE, [hole])
    expected = np.zeros(SIZE, bool)
    expected[1:6, 1:7] = True
    expected[2:4, 3:5] = False
    assert (decode(shape.mask) == expected).all()
    assert shape.box == (1, 1, 7, 6) and not shape.is_rectangle


def test_polygon_of_which_nothing_is_left():
    ring = square((1, 1), (4, 1), (4, 4), (1, 4))
    assert polygon(ring, SIZE, [ring]).mask is None
    outside = square((-5, -5), (-2, -5), (-2, -2))
    assert polygon(outside, SIZE).mask is None
    assert polygon(outside, None) == Shape((-5, -5, -2, -2))


def test_a_polygon_far_outside_takes_no_memory():
    ring = square((0, 0), (1e12, 0), (0, 1e12))
    with pytest.raises(ValueError, match='far outside the 10x8 frame'):
        polygon(ring, SIZE)


def test_circle():
    shape = circle(square((50, 40), (50, 60)), (100, 100))
    assert shape.box == pytest.approx((30, 20, 70, 60))
    rows, columns = np.mgrid[:100, :100] + 0.5
    disc = np.hypot(rows - 40, columns - 50) < 20
    differs = decode(shape.mask) ^ disc
    assert differs.sum() < 0.03 * disc.sum()
    with pytest.raises(ValueError, match='its centre and a point'):
        circle(square((1, 1), (1, 1)), SIZE)


def letter():
    part = np.zeros((3, 4), np.uint8)
    part[0, 1:] = part[1:, 2] = 1
    return part


@pytest.mark.parametrize('compressed', [False, True])
def test_bitmap_is_placed(compressed):
    text = text_of(letter() * 255, compressed)
    shape = bitmap(text, (5, 2), SIZE, compressed)
    expected = np.zeros(SIZE, bool)
    expected[2:5, 5:9] = letter()
    assert (decode(shape.mask) == expected).all()
    assert shape.box == (6, 2, 9, 5)


def test_alpha_is_the_mask_of_a_coloured_png():
    pixels = np.full((3, 4, 4), 200, np.uint8)
    pixels[..., 3] = letter() * 9
    shape = bitmap(text_of(pixels), (0, 0), SIZE)
    assert (decode(shape.mask)[:3, :4] == letter()).all()


def test_png_beside_zlib_is_taken_as_it_is():
    shape = bitmap(text_of(letter()), (0, 0), SIZE, compressed=True)
    assert shape.box == (1, 0, 4, 3)


@pytest.mark.parametrize(
    'origin', [(7, 0), (0, 6), (-1, 0), (10**9, 0)], ids=str
)
def test_bitmap_outside(origin):
    with pytest.raises(ValueError, match='sticks out of the 10x8 frame'):
        bitmap(text_of(letter()), origin, SIZE)


@pytest.mark.parametrize(
    'text, match',
    [
        (None, 'no text in base64'),
        ('ä', 'no text in base64'),
        ('abc', 'no text in base64'),
        (base64.b64encode(b'no picture').decode(), 'cut off or no PNG'),
        (text_of(letter())[:60], 'cut off or no PNG'),
        (text_of(letter() * 0), 'has no pixel'),
        (text_of(np.zeros((9, 4), np.uint8)), 'larger than the 10x8 frame'),
        (text_of(np.zeros((2, 2, 3), np.uint8)), 'a colour image'),
    ],
)
def test_bad_bitmaps(text, match):
    with pytest.raises(ValueError, match=match):
        bitmap(text, (0, 0), SIZE)


def test_zlib_bomb_is_not_unpacked():
    bomb = zlib.compress(bytes(20_000_000), 9)
    assert len(bomb) < 25_000
    text = base64.b64encode(bomb).decode()
    with pytest.raises(ValueError, match='unpacks to more than any'):
        bitmap(text, (0, 0), (500, 500), compressed=True)
    with pytest.raises(ValueError, match='longer than any of this frame'):
        bitmap('A' * 200_000, (0, 0), SIZE, compressed=True)


@pytest.mark.parametrize('side', [2000, 60000])
def test_png_bomb_is_not_decoded(side):
    # The head says how many pixels there are; Pillow refuses the second.
    content = bytearray(png(letter()))
    content[16:24] = struct.pack('>II', side, side)
    content[29:33] = struct.pack('>I', zlib.crc32(content[12:29]))
    text = base64.b64encode(content).decode()
    with pytest.raises(ValueError, match='cut off or no PNG|larger than'):
        bitmap(text, (0, 0), (1000, 1000))


def test_zlib_that_is_cut_off_or_none():
    content = zlib.compress(png(letter()))
    for data, match in (
        (content[:-8], 'cut off'),
        (b'no zlib', 'does not unpack'),
    ):
        text = base64.b64encode(data).decode()
        with pytest.raises(ValueError, match=match):
            bitmap(text, (0, 0), SIZE, compressed=True)


def test_merged_shapes():
    left = mask_shape(box_rle((1, 1, 3, 3), *SIZE))
    right = mask_shape(box_rle((5, 2, 9, 8), *SIZE))
    both = merge_shapes([left, right])
    assert both.box == (1, 1, 9, 8)
    assert decode(both.mask).sum() == 4 + 24
    drawn = Shape((0.5, 1, 9, 8), None, True)
    assert merge_shapes([left, drawn, right]) == Shape(
        drawn.box, both.mask, True
    )


def test_frames_are_added():
    collector = TrackCollector('a.json', 'clip')
    box = Shape((1, 1, 3, 3), None, True)
    part = mask_shape(box_rle((4, 4, 6, 6), *SIZE))
    add_frame(collector, 2, [])
    add_frame(collector, 3, [Drawn(7, 'dog', box), Drawn(8, '', part)])
    add_frame(collector, 4, [Drawn(7, None, box), Drawn(7, None, box)])
    dog, other = collector.tracks
    assert (dog.id, dog.category, dog.boxes) == (
        7,
        'dog',
        {3: (1, 1, 3, 3), 4: (1, 1, 3, 3)},
    )
    assert (other.id, other.category) == (8, None)
    assert other.masks == {3: part.mask}


def test_two_rectangles_are_two_objects():
    collector = TrackCollector('a.json', 'clip')
    shapes = [Shape((x, 1, 9, 3), None, True) for x in (1, 2)]
    with pytest.raises(AnnotationError) as caught:
        add_frame(collector, 3, [Drawn(7, 'dog', one) for one in shapes])
    for word in ('one id', 'a.json', 'clip', 'frame 3', 'instance 7'):
        assert word in str(caught.value)


def test_two_classes_of_one_object():
    collector = TrackCollector('a.json', 'clip')
    shape = mask_shape(box_rle((4, 4, 6, 6), *SIZE))
    with pytest.raises(AnnotationError, match="'dog' to 'cat'"):
        add_frame(
            collector, 0, [Drawn(7, 'dog', shape), Drawn(7, 'cat', shape)]
        )
